package firewall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/trust"
)

// Check asks whether this node's own rules let the flow in and out. It reads
// the rules and follows them as far as it understands them; where it does not,
// it says so. The proof comes after the start, from the traffic. Its own rules
// that are not those for the flow are told too: they stay when the settings change.
func (f Flow) Check(ctx context.Context) check.Finding {
	rules, err := readRuleset(ctx, f)
	if err != nil {
		return rulesUnknown(err)
	}
	verdicts, err := f.weigh(ctx, rules, nil)
	if err != nil {
		return rulesUnknown(err)
	}
	found := f.judge(rules, verdicts)
	if found.Status != check.Passed {
		return found
	}
	leftOver, err := f.leftOver(rules)
	if err != nil {
		return rulesUnknown(err)
	}
	if leftOver {
		found = check.Fail(f.InstallCommand(), "connsync's firewall rules on this node are not those for UDP port %d from %v on %s: "+
			"they open and protect what was set before", f.Port, f.Peer.Addr(), f.Interface)
		found.Mend = check.MendFirewall
	}
	return found
}

// leftOver says that connsync's table is there, and is not the one for the flow.
func (f Flow) leftOver(rules *ruleset) (bool, error) {
	if !slices.ContainsFunc(rules.all, (*chain).isOwn) {
		return false, nil
	}
	e := &Effect{flow: f, names: make(map[Opening]bool)}
	err := e.find(rules)
	return !e.exact, err
}

func rulesUnknown(err error) check.Finding {
	f := check.Finding{Status: check.Unknown, Err: err, Detail: "the firewall rules of this node could not be read: " + err.Error(), Remedy: "nft list ruleset"}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		f.Detail, f.Remedy = "only root with CAP_NET_ADMIN can read the firewall rules of this node", trust.NetAdmin.AsRoot()
	}
	return f
}

// weighed is what one base chain does with one flow.
type weighed struct {
	link  Flow
	chain *chain
	what  string
	in    bool
	lower bool // the chain is below the sync interface
	ends  fates
	where string // the rule or policy that drops, or that is not understood
}

// weigh follows everything that the sync needs through the base chains on its
// way. Rules that skip says are taken for absent. It fails when ctx ends.
func (f Flow) weigh(ctx context.Context, rules *ruleset, skip func(rule) bool) ([]weighed, error) {
	flows, err := f.flows()
	if err != nil {
		return nil, err
	}
	return rules.weigh(ctx, flows, skip)
}

// weigh follows the flows, again once a rule was found that changes a set for them: the
// next datagram meets what is in it then.
func (r *ruleset) weigh(ctx context.Context, flows []*firstPacket, skip func(rule) bool) ([]weighed, error) {
	for k := newWork(ctx); ; {
		before := r.altered
		all, err := r.weighOnce(k, flows, skip)
		if err != nil || r.altered == before {
			return all, err
		}
	}
}

func (r *ruleset) weighOnce(k *work, flows []*firstPacket, skip func(rule) bool) ([]weighed, error) {
	var all []weighed
	for _, flow := range flows {
		p := new(firstPacket)
		*p = *flow
		for _, at := range r.way(p) {
			// What is not tracked is not translated either.
			if at.chain.Kind == "nat" && (p.tracked == untracked || p.tracked == untrackable) {
				continue
			}
			p.device = at.device
			before := p.tracked
			ends, where := r.follow(k, at.chain, p, skip)
			p.device = flow.device
			if !at.sure && p.tracked != before {
				p.tracked = eitherWay
			}
			if err := k.ctx.Err(); err != nil {
				return nil, fmt.Errorf("follow the rules of %v: %w", at.chain, err)
			}
			if at.chain.Kind == "nat" && ends&drops != 0 && (p.tracked == eitherWay || !r.tracks(p)) {
				ends |= accepts
				where += " counts only while this node tracks connections"
			}
			if ends&drops != 0 && (!at.sure || p.spared) {
				ends |= accepts
			}
			all = append(all, weighed{p.link, at.chain, p.what, p.in, at.device.lower, ends, where})
		}
	}
	return all, nil
}

// judge puts the worst first: a certain drop of the datagrams, one of
// what they need, and then what is not certain.
func (f Flow) judge(rules *ruleset, verdicts []weighed) check.Finding {
	for _, w := range verdicts {
		if w.ends == drops {
			found := check.Fail(f.remedy(rules, w), "%s: this node's firewall drops %s %s", w.where, w.what, w.direction())
			if manager, _ := w.link.remedies(rules, w.chain, w.in); manager == "" && !w.lower {
				found.Mend = check.MendFirewall
			}
			return found
		}
	}
	for _, w := range verdicts {
		if w.ends&drops != 0 {
			return check.Finding{Status: check.Unknown, Remedy: f.remedy(rules, w),
				Detail: fmt.Sprintf("could not check whether the firewall lets %s %s: %s", w.what, w.direction(), w.where)}
		}
	}
	if len(rules.base) > 0 {
		spares := ""
		for _, l := range f.Spares {
			spares += fmt.Sprintf(", and on the spare link %s UDP port %d from %v and to it", l.Interface, l.Port, l.Peer.Addr())
		}
		return check.Pass("the firewall rules of this node let %s in from %v and out to it%s", f.Where(), f.Peer.Addr(), spares)
	}
	return check.Pass("this node has no firewall rules on the way of the sync datagrams")
}

func (w weighed) direction() string {
	if w.in {
		return "in"
	}
	return "out"
}

// remedy is the command that lets the flows through a chain.
func (f Flow) remedy(rules *ruleset, w weighed) string {
	if w.lower {
		return w.link.admitBelow(w.chain)
	}
	manager, commands := w.link.remedies(rules, w.chain, w.in)
	if manager == "" {
		return f.InstallCommand()
	}
	needed := 1
	if manager == ManagerIPTables && w.link.Group.IsValid() {
		needed += len(w.link.iptablesMembership(w.in))
	}
	if manager == ManagerIPTables && w.link.Family() == 6 {
		needed += 2 // the search for the neighbour
	}
	return strings.Join(commands[:needed], "; ")
}

// InstallCommand is connsync's own, with the settings of the target.
func (f Flow) InstallCommand() string { return f.command("firewall", "--install") }

// InstallThere is the same for the peer, whose interfaces are not known here.
func (f Flow) InstallThere() string {
	there := f.links()
	for i, l := range there {
		there[i].Interface, there[i].Current, there[i].Peer = "INTERFACE", l.Peer, l.Current
	}
	there[0].Spares, there[0].Called = there[1:], ""
	return there[0].InstallCommand()
}

// PrintCommand prints the rules that [Flow.InstallCommand] would install.
func (f Flow) PrintCommand() string { return f.command("firewall") }

func (f Flow) command(words ...string) string {
	words = append(words, "--interface", f.Interface, "--current-ip", typed(f.Current), "--peer-ip", typed(f.Peer), "--port", fmt.Sprint(f.Port))
	if f.Group.IsValid() {
		words = append(words, "--transport", "multicast", "--multicast-group", f.Group.String())
	}
	for _, l := range f.Spares {
		words = append(words, "--spare-link", fmt.Sprintf("%s %s %s %d", l.Interface, typed(l.Current), typed(l.Peer), l.Port))
	}
	return f.Called.Command(words...)
}

// typed is an address as it is typed, without a prefix length where that is not known.
func typed(p netip.Prefix) string {
	if p.Bits() < 0 {
		return p.Addr().String()
	}
	return p.String()
}
