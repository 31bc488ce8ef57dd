package firewall

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/legacy"
	"connsync/netcheck/nft"
	"connsync/netcheck/route"
)

// fates is a set of ways in which a packet can leave a chain; more than one
// when a rule is not understood.
type fates uint8

const (
	accepts fates = 1 << iota
	drops
	falls // through to what called the chain, or to the policy
)

// chain is a list of rules, of nftables or of the kernel's older tables.
type chain struct {
	nft.Chain
	program string // whose older table it is in, such as iptables-legacy; blank for nftables
}

// chainName names a chain among all tables.
type chainName struct {
	family               nftables.TableFamily
	table, name, program string
}

func (c *chain) key() chainName { return chainName{c.Family, c.Table, c.Name, c.program} }

func (c *chain) String() string {
	if c.program != "" {
		return fmt.Sprintf("chain %s of table %s of %s", c.Name, c.Table, c.program)
	}
	return fmt.Sprintf("chain %s of table %s", c.Name, c.Table)
}

// rule says whether it matches a packet, and its verdict if it has one.
type rule interface {
	weigh(w *follower, c *chain) (truth, *expr.Verdict)
}

// ruleset is the part of netfilter that sync datagrams can meet.
type ruleset struct {
	all    []*chain             // of every family
	base   []*chain             // on the way
	below  map[string][]beneath // each interface of the sync
	chains map[chainName]*chain
	saved  map[chainName]savedRules // of the older tables
	rules  func(*chain) ([]rule, error)
	// marked says whether a policy rule of a family asks for marks, or may.
	marked func(family int) bool
	// set reads a set of a table; altered counts the changes that rules make to sets.
	altered int
	set     func(family nftables.TableFamily, table, name string) (*nftSet, error)
}

// follower follows one flow through one base chain.
type follower struct {
	rules *ruleset
	flow  *firstPacket
	skip  func(rule) bool // rules that are taken for absent; nil for none
	base  *chain
	work  *work
	known map[visit]outcome
	where string // the drop that was found last
	doubt string // the first thing that was not understood
	depth int
	// loose says that the packet may have left the base chain before the rule that is followed.
	loose bool
}

// maxJumps is the kernel's own limit (NFT_JUMP_STACK_SIZE).
const maxJumps = 16

// follow returns the possible fates of a flow in a base chain, in words where
// it drops, or what makes it unclear.
func (r *ruleset) follow(k *work, base *chain, p *firstPacket, skip func(rule) bool) (fates, string) {
	w := &follower{rules: r, flow: p, skip: skip, base: base, work: k, known: make(map[visit]outcome)}
	ends := w.chain(base)
	if ends&falls != 0 {
		ends &^= falls
		if base.DropPolicy {
			ends |= drops
			w.where = base.String() + " has the policy drop and no rule that accepts them"
		} else {
			ends |= accepts
		}
	}
	if ends != drops && w.doubt != "" {
		return ends, w.doubt
	}
	return ends, w.where
}

// walk follows the rules of a chain.
func (w *follower) walk(c *chain) fates {
	if w.depth > maxJumps {
		w.flow.marks = marks{}
		return w.unclear("there are too many jumps in %v", c)
	}
	rules, err := w.rules.rules(c)
	if err != nil {
		w.flow.marks = marks{}
		return w.unclear("the rules of %v could not be read: %v", c, err)
	}
	var ends fates
	for i, r := range rules {
		if !w.work.spend(1) {
			return ends | w.unclear("the limit of %d rules to follow was reached in %v", maxWork, c)
		}
		if w.skip != nil && w.skip(r) {
			continue
		}
		before, loose := w.flow.changed, w.loose
		holds, verdict := r.weigh(w, c)
		if w.flow.changed&^before&astray != 0 {
			ends |= w.unclear("the effect of rule %d in %v is unknown", i+1, c) &^ falls
		}
		if holds == no || verdict == nil {
			continue
		}
		w.loose = loose || holds == maybe
		out, goesOn := w.verdict(c, i+1, verdict)
		w.loose = loose || out != 0
		if holds == maybe {
			if out != 0 {
				w.unclear("the effect of rule %d in %v is unknown", i+1, c)
			}
			goesOn = true
		}
		ends |= out
		if !goesOn {
			return ends
		}
	}
	return ends | falls
}

// unclear notes the first thing that was not understood.
func (w *follower) unclear(format string, args ...any) fates {
	if w.doubt == "" {
		w.doubt = fmt.Sprintf(format, args...)
	}
	return accepts | drops | falls
}

func (w *follower) verdict(c *chain, number int, v *expr.Verdict) (fates, bool) {
	switch v.Kind {
	case expr.VerdictAccept:
		return accepts, false
	case expr.VerdictDrop:
		w.where = fmt.Sprintf("rule %d in %s", number, c)
		return drops, false
	case expr.VerdictReturn:
		return falls, false
	case expr.VerdictJump, expr.VerdictGoto:
		to, ok := w.rules.chains[chainName{c.Family, c.Table, v.Chain, c.program}]
		if !ok {
			return w.unclear("a rule in %v jumps to no chain", c), true
		}
		out := w.chain(to)
		if v.Kind == expr.VerdictGoto {
			return out, false
		}
		return out &^ falls, out&falls != 0
	case expr.VerdictContinue, expr.VerdictBreak:
		return 0, true
	}
	w.flow.marks = marks{}
	return w.unclear("the effect of rule %d in %v is unknown", number, c), true
}

// The kernel's hooks, in the order in which a packet meets them; ingress comes
// before all, egress after.
const (
	hookPrerouting  = unix.NF_INET_PRE_ROUTING
	hookInput       = unix.NF_INET_LOCAL_IN
	hookForward     = unix.NF_INET_FORWARD
	hookOutput      = unix.NF_INET_LOCAL_OUT
	hookPostrouting = unix.NF_INET_POST_ROUTING

	hookARPInput = 0 // NF_ARP_IN; out is 1
)

// ingress says that a chain sees packets as a device delivers them.
func (c *chain) ingress() bool {
	const inetIngress = 5 // NF_INET_INGRESS
	return c.Family == nftables.TableFamilyNetdev && c.Hook == unix.NF_NETDEV_INGRESS ||
		c.Family == nftables.TableFamilyINet && c.Hook == inetIngress
}

// egress says that a chain sees packets as they are handed to a device.
func (c *chain) egress() bool {
	const netdevEgress = 1 // NF_NETDEV_EGRESS
	return c.Family == nftables.TableFamilyNetdev && c.Hook == netdevEgress
}

// incoming says which direction a base chain sees.
func (c *chain) incoming() bool {
	if c.Family == nftables.TableFamilyARP {
		return c.Hook == hookARPInput
	}
	return c.ingress() || !c.egress() && c.Hook != hookOutput && c.Hook != hookPostrouting
}

// meets says whether packets of this node on an interface meet a base chain;
// they are not forwarded.
func (c *chain) meets(iface string) bool {
	if !c.ingress() && !c.egress() {
		return c.Family != nftables.TableFamilyNetdev && c.Hook != hookForward
	}
	return slices.ContainsFunc(c.Devices, func(device string) bool {
		prefix, pattern := strings.CutSuffix(device, "*")
		return device == iface || pattern && strings.HasPrefix(iface, prefix)
	})
}

// concerns says that a base chain sees packets of that kind.
func (c *chain) concerns(p *firstPacket) bool {
	switch c.Family {
	case nftables.TableFamilyARP:
		return p.arp != 0
	case nftables.TableFamilyINet: // at ingress, too
		return p.arp == 0
	case nftables.TableFamilyIPv4:
		return p.arp == 0 && !p.is6()
	case nftables.TableFamilyIPv6:
		return p.is6()
	}
	return true
}

// readRuleset lists the chains of the calling thread's network namespace. It
// needs CAP_NET_ADMIN. The rules are read when they are followed.
func readRuleset(ctx context.Context, f Flow) (*ruleset, error) {
	r := &ruleset{chains: make(map[chainName]*chain), below: make(map[string][]beneath), saved: make(map[chainName]savedRules)}
	chains, err := nft.Chains(ctx)
	if err != nil && !nft.Unsupported(err) {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	for _, c := range chains {
		r.all = append(r.all, &chain{Chain: *c})
	}
	families := []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyNetdev, nftables.TableFamilyBridge}
	for _, l := range f.links() {
		if link, err := netlink.LinkByName(l.Interface); err == nil { // else there is no flow
			if r.below[link.Attrs().Name], err = below(ctx, link); err != nil {
				return nil, err
			}
		}
		own := nftables.TableFamilyIPv4
		if l.Family() == 6 {
			own = nftables.TableFamilyIPv6
		}
		if slices.Contains(families, own) {
			continue
		}
		families = append(families, own)
		if own == nftables.TableFamilyIPv4 {
			families = append(families, nftables.TableFamilyARP)
			r.addLegacy(unix.NFPROTO_ARP, legacy.ReadARP(ctx, "arptables-legacy", "/proc/thread-self/net/arp_tables_names"))
		}
		r.addLegacy(l.Family(), legacy.Read(ctx, l.Family()))
	}
	if slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(r.below))...), func(b beneath) bool { return b.port }) {
		r.addLegacy(unix.NFPROTO_BRIDGE, legacy.ReadBridges(ctx, "ebtables-legacy", "/sys/module"))
	}
	for _, c := range r.all {
		if !slices.Contains(families, c.Family) {
			continue
		}
		r.chains[c.key()] = c
		if c.Base && slices.ContainsFunc(f.links(), func(l Flow) bool { return len(r.places(c, device{iface: l.Interface})) > 0 }) {
			r.base = append(r.base, c)
		}
	}
	r.marked = func(family int) bool {
		asks, err := route.AskForMark(family)
		return asks || err != nil
	}
	read := make(map[chainName][]rule)
	r.rules = func(c *chain) ([]rule, error) {
		if c.program != "" {
			return r.saved[c.key()].rules, r.saved[c.key()].err
		}
		if known, ok := read[c.key()]; ok {
			return known, nil
		}
		all, err := nft.Rules(ctx, c.Family, c.Table, c.Name)
		if err != nil {
			return nil, err
		}
		list := make([]rule, len(all))
		for i, one := range all {
			list[i] = (*nftRule)(one)
		}
		read[c.key()] = list
		return list, nil
	}
	r.set = rememberSets(func(family nftables.TableFamily, table, name string) (*nftSet, error) {
		s, err := nft.ReadSet(ctx, family, table, name)
		if err != nil {
			return nil, err
		}
		return &nftSet{Set: *s}, nil
	})
	return r, nil
}

// changed notes that a rule may add a key of the packet to a set, or delete it.
func (r *ruleset) changed(s *nftSet, deletes bool) {
	is := &s.grows
	if deletes {
		is = &s.shrinks
	}
	if !*is {
		*is = true
		s.found = nil
		r.altered++
	}
}

func rememberSets(read func(nftables.TableFamily, string, string) (*nftSet, error)) func(nftables.TableFamily, string, string) (*nftSet, error) {
	sets := make(map[chainName]*nftSet)
	return func(family nftables.TableFamily, table, name string) (*nftSet, error) {
		key := chainName{family: family, table: table, name: name}
		if s, ok := sets[key]; ok {
			return s, nil
		}
		s, err := read(family, table, name)
		if err == nil {
			sets[key] = s
		}
		return s, err
	}
}
