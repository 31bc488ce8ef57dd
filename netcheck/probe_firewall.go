package netcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// runFirewall asks whether this node's own rules let the sync datagrams in and
// out. It reads the rules and follows them as far as it understands them; where
// it does not, it says so. The proof comes after the start, from the traffic.
func runFirewall(t Target) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		rules, err := readRuleset(t.family())
		if err != nil {
			return firewallUnknown(err)
		}
		verdicts, err := weighFlows(t, rules)
		if err != nil {
			return firewallUnknown(err)
		}
		return judgeFirewall(t, verdicts, len(rules.base) > 0, legacyRules(ctx, t.family()))
	}
}

func firewallUnknown(err error) Finding {
	f := Finding{Status: Unknown, Err: err, Detail: "the firewall rules of this node could not be read: " + err.Error(), Remedy: "nft list ruleset"}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		f.Detail, f.Remedy = "only root can read the firewall rules of this node", "run connsync as root"
	}
	return f
}

// weighed is what one base chain does with one direction of the sync traffic.
type weighed struct {
	chain *nftables.Chain
	in    bool
	ends  fates
	where string // the rule or policy that drops, or that is not understood
}

// weighFlows follows both directions through the base chains on their way.
func weighFlows(t Target, rules *ruleset) ([]weighed, error) {
	link, err := linkNamed(t.Interface)
	if err != nil {
		return nil, err
	}
	peer, current := t.Peer.Addr().Unmap().WithZone(""), t.Current.Addr().Unmap().WithZone("")
	in := &flow{in: true, iface: link.Name, index: link.Index, source: peer, destination: current, port: t.Port}
	out := &flow{iface: link.Name, index: link.Index, source: current, destination: peer, port: t.Port}
	var all []weighed
	for _, chain := range rules.base {
		f := out
		if incoming(chain) {
			f = in
		}
		ends, where := rules.follow(chain, f)
		if ingress(chain) && ends&drops != 0 {
			// The library does not read which devices it is for.
			ends, where = ends|accepts, "there is no telling which interfaces are meant by "+inWords(chain)
		}
		all = append(all, weighed{chain, f.in, ends, where})
	}
	return all, nil
}

// incoming says which direction a base chain sees.
func incoming(c *nftables.Chain) bool {
	return ingress(c) || *c.Hooknum != *nftables.ChainHookOutput && *c.Hooknum != *nftables.ChainHookPostrouting
}

func judgeFirewall(t Target, verdicts []weighed, any bool, legacy string) Finding {
	var unclear []weighed
	for _, w := range verdicts {
		switch {
		case w.ends == drops:
			return failed(t.allow(w), "%s: this node's firewall drops the sync datagrams %s", w.where, w.direction())
		case w.ends&drops != 0:
			unclear = append(unclear, w)
		}
	}
	switch {
	case len(unclear) > 0:
		w := unclear[0]
		return Finding{Status: Unknown, Remedy: t.allow(w),
			Detail: fmt.Sprintf("whether the firewall lets the sync datagrams %s cannot be told: %s", w.direction(), w.where)}
	case legacy != "":
		return Finding{Status: Unknown, Detail: "whether the firewall lets the sync datagrams through cannot be told: " + legacy,
			Remedy: t.iptablesRule("INPUT", "-i", "-s") + "; " + t.iptablesRule("OUTPUT", "-o", "-d")}
	case any:
		return passed("the firewall rules of this node let UDP port %d in from %v and out to it", t.Port, t.Peer.Addr())
	}
	return passed("this node has no firewall rules on the way of the sync datagrams")
}

func (w weighed) direction() string {
	if w.in {
		return "in"
	}
	return "out"
}

// allow is the command that lets the datagrams through a chain: from or to the
// peer only, on the sync interface only, by destination port, because the
// daemon sends from any.
func (t Target) allow(w weighed) string {
	peer := t.Peer.Addr().Unmap().WithZone("")
	name, side, option, end := "iifname", "saddr", "-i", "-s"
	if !w.in {
		name, side, option, end = "oifname", "daddr", "-o", "-d"
	}
	if managed := w.chain.Name == "INPUT" || w.chain.Name == "OUTPUT"; managed && w.chain.Table.Name == "filter" {
		return t.iptablesRule(w.chain.Name, option, end)
	}
	return fmt.Sprintf("nft insert rule %s %s %s %s %q %s %s %v udp dport %d accept",
		familyName(w.chain.Table.Family), w.chain.Table.Name, w.chain.Name, name, t.Interface, t.nftFamily(), side, peer, t.Port)
}

func (t Target) iptablesRule(chain, option, end string) string {
	program := "iptables"
	if t.family() == 6 {
		program = "ip6tables"
	}
	return fmt.Sprintf("%s -I %s %s %s %s %v -p udp --dport %d -j ACCEPT",
		program, chain, option, t.Interface, end, t.Peer.Addr().Unmap().WithZone(""), t.Port)
}

func familyName(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	case nftables.TableFamilyNetdev:
		return "netdev"
	}
	return "inet"
}

// ruleset is the part of nftables that sync datagrams can meet.
type ruleset struct {
	base   []*nftables.Chain // filter chains, in the order in which packets meet them
	chains map[chainName]*nftables.Chain
	rules  func(*nftables.Chain) ([]*nftables.Rule, error)
	// elements reads a set of a table.
	elements func(*nftables.Table, string) (*nftables.Set, []nftables.SetElement, error)
}

// chainName names a chain among all tables.
type chainName struct {
	family       nftables.TableFamily
	table, chain string
}

// readRuleset lists the chains of the calling thread's network namespace. It
// needs CAP_NET_ADMIN.
func readRuleset(family int) (*ruleset, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open netfilter's netlink: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
			return &ruleset{}, nil // a kernel without nf_tables
		}
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	r := &ruleset{
		chains: make(map[chainName]*nftables.Chain),
		rules:  func(c *nftables.Chain) ([]*nftables.Rule, error) { return conn.GetRules(c.Table, c) },
		elements: func(t *nftables.Table, name string) (*nftables.Set, []nftables.SetElement, error) {
			set, err := conn.GetSetByName(t, name)
			if err != nil {
				return nil, nil, err
			}
			elements, err := conn.GetSetElements(set)
			return set, elements, err
		},
	}
	own := nftables.TableFamilyIPv4
	if family == 6 {
		own = nftables.TableFamilyIPv6
	}
	for _, c := range chains {
		switch c.Table.Family {
		case own, nftables.TableFamilyINet, nftables.TableFamilyNetdev:
		default:
			continue
		}
		r.chains[chainName{c.Table.Family, c.Table.Name, c.Name}] = c
		if c.Hooknum != nil && c.Priority != nil && c.Type == nftables.ChainTypeFilter && onTheWay(c) {
			r.base = append(r.base, c)
		}
	}
	slices.SortStableFunc(r.base, func(a, b *nftables.Chain) int {
		return cmp.Or(cmp.Compare(stage(a), stage(b)), cmp.Compare(*a.Priority, *b.Priority))
	})
	return r, nil
}

// onTheWay says whether sync datagrams, which are not forwarded, meet a hook.
func onTheWay(c *nftables.Chain) bool {
	if c.Table.Family == nftables.TableFamilyNetdev {
		return ingress(c)
	}
	return *c.Hooknum != *nftables.ChainHookForward
}

// stage is when a packet meets a hook; the kernel numbers them in that order.
func stage(c *nftables.Chain) int {
	if ingress(c) {
		return -1
	}
	return int(*c.Hooknum)
}

// ingress says that a chain sees packets as a device delivers them.
func ingress(c *nftables.Chain) bool {
	const inetIngress = 5 // NF_INET_INGRESS
	return c.Table.Family == nftables.TableFamilyNetdev && *c.Hooknum == *nftables.ChainHookIngress ||
		c.Table.Family == nftables.TableFamilyINet && *c.Hooknum == inetIngress
}

// legacyRules says what there is of the old kernel tables of iptables, which
// nftables does not show; "" when nothing.
func legacyRules(ctx context.Context, family int) string {
	names, program := "/proc/thread-self/net/ip_tables_names", "iptables-legacy"
	if family == 6 {
		names, program = "/proc/thread-self/net/ip6_tables_names", "ip6tables-legacy"
	}
	tables, err := os.ReadFile(names)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "" // the kernel has no such tables, or none is loaded
	case err != nil:
		return fmt.Sprintf("read the names of the %s tables: %v", program, err)
	case strings.TrimSpace(string(tables)) == "":
		return ""
	}
	for table := range strings.FieldsSeq(string(tables)) {
		if table == "nat" {
			continue
		}
		out, err := exec.CommandContext(ctx, program, "-t", table, "-S").Output()
		if err != nil {
			return fmt.Sprintf("there is a table %s of %s, which could not be read: %v", table, program, err)
		}
		if rules := legacyVerdicts(string(out)); rules != "" {
			return fmt.Sprintf("the table %s of %s has rules: %s", table, program, rules)
		}
	}
	return ""
}

// legacyVerdicts finds in iptables -S what can drop a datagram to or from this
// node: a policy other than ACCEPT, or any rule in a chain on the way.
func legacyVerdicts(listing string) string {
	for line := range strings.Lines(listing) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] == "FORWARD" {
			continue
		}
		if f[0] == "-P" && f[2] != "ACCEPT" || f[0] == "-A" && slices.Contains([]string{"INPUT", "OUTPUT", "PREROUTING", "POSTROUTING"}, f[1]) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// flow is one direction of the sync traffic, as the first datagram of it: the
// daemon's two directions are two flows, so none is ever the reply of another.
type flow struct {
	in                  bool
	iface               string
	index               int
	source, destination netip.Addr
	port                uint16 // destination; the source port is anything
	// untracked says that a rule may have taken it out of connection tracking.
	untracked bool
}
