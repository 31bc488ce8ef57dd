package firewall

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/trust"
)

// Effect is what a set of rules does to a flow.
type Effect struct {
	// Openings are the chains that drop the sync, or may, apart from connsync's
	// rules; in the order in which packets meet them.
	Openings []Opening
	// Foreign are those of other programs.
	Foreign []Foreign
	// Finding is that of the check, with connsync's rules.
	Finding check.Finding

	flow   Flow
	names  map[Opening]bool // of all base chains of nftables on the way
	own    bool             // connsync's table is there, whatever its rules
	exact  bool             // and it is the one for the flow
	refuse bool             // nobody but the peer reaches the port
	marked []markedRule
}

// markedRule is one of connsync's rules in a chain of the host.
type markedRule struct {
	in      Opening // In is not set
	handle  uint64
	comment string
}

// Read reads the rules that run on this node.
func Read(ctx context.Context, f Flow) (*Effect, error) {
	return trust.Message(func() (*Effect, error) { return read(ctx, f) })
}

func read(ctx context.Context, f Flow) (*Effect, error) {
	if err := f.CheckName(); err != nil {
		return nil, err
	}
	rules, err := readRuleset(ctx, f)
	if err != nil {
		return nil, err
	}
	e := &Effect{flow: f, names: make(map[Opening]bool)}
	if err := e.find(rules); err != nil {
		return nil, err
	}
	if err := e.weigh(ctx, rules); err != nil {
		return nil, err
	}
	return e, nil
}

// Installed finds which of connsync's rules are among those that run,
// for whatever settings. It judges nothing.
func Installed(ctx context.Context) (*Effect, error) {
	rules, err := readRuleset(ctx, Flow{})
	if err != nil {
		return nil, err
	}
	e := &Effect{names: make(map[Opening]bool)}
	return e, e.find(rules)
}

// isOwn says that a chain is in connsync's table.
func (c *chain) isOwn() bool {
	return c.program == "" && c.Table == tableName && familyName(c.Family) == "inet"
}

func ours(r rule) bool {
	n, ok := r.(*nftRule)
	return ok && strings.HasPrefix(n.Comment, tableName+" ")
}

func (c *chain) opening() Opening {
	return Opening{Family: familyName(c.Family), Table: c.Table, Chain: c.Name, In: c.incoming()}
}

// find finds connsync's rules, in all families.
func (e *Effect) find(rules *ruleset) error {
	var own []*chain
	for _, c := range rules.all {
		if c.program != "" {
			continue
		}
		if c.isOwn() {
			own = append(own, c)
			continue
		}
		list, err := rules.rules(c)
		if err != nil {
			return fmt.Errorf("read the rules of %v: %w", c, err)
		}
		for _, r := range list {
			if ours(r) {
				n := r.(*nftRule)
				o := c.opening()
				o.In = false
				e.marked = append(e.marked, markedRule{o, n.Handle, n.Comment})
			}
		}
	}
	for _, c := range rules.base {
		if c.program == "" {
			e.names[c.opening()] = true
		}
	}
	e.own = len(own) > 0
	var err error
	e.exact, err = e.flow.isExact(rules, own)
	return err
}

// isExact says whether the chains are connsync's table for the flow.
func (f Flow) isExact(rules *ruleset, own []*chain) (bool, error) {
	wanted := ownChains()
	if len(own) != len(wanted) {
		return false, nil
	}
	for _, w := range wanted {
		i := slices.IndexFunc(own, func(c *chain) bool {
			return c.Name == w.name && c.Base && c.Hook == w.hookNumber && c.Priority == w.priority && !c.DropPolicy
		})
		if i < 0 {
			return false, nil
		}
		list, err := rules.rules(own[i])
		if err != nil {
			return false, fmt.Errorf("read the rules of %v: %w", own[i], err)
		}
		count := 0
		for _, r := range f.ownRules() {
			if r.chain == w.name {
				count++
			}
		}
		marked := func(r rule) bool { return r.(*nftRule).Comment == f.ownMark() }
		if len(list) != count || slices.ContainsFunc(list, func(r rule) bool { return !marked(r) }) {
			return false, nil
		}
	}
	return true, nil
}

// weigh finds what the host's own rules do, and then all of them.
func (e *Effect) weigh(ctx context.Context, rules *ruleset) error {
	host := *rules
	host.base = slices.DeleteFunc(slices.Clone(rules.base), (*chain).isOwn)
	flows, err := e.flow.flows()
	if err != nil {
		return err
	}
	for _, p := range flows { // which connsync's own table has come by untracked
		if p.protocol == unix.IPPROTO_UDP {
			another := *p
			another.tracked = untracked
			flows = append(flows, &another)
		}
	}
	verdicts, err := host.weigh(ctx, flows, ours)
	if err != nil {
		return err
	}
	for _, w := range verdicts {
		if w.ends&drops == 0 || w.lower { // whose rules would not match there
			continue
		}
		o := w.chain.opening()
		manager, commands := w.link.remedies(rules, w.chain, w.in)
		switch {
		case manager != "":
			e.addForeign(Foreign{Chain: w.chain.String(), Manager: manager, Why: w.where, Commands: commands})
		case !plainName().MatchString(o.Table) || !plainName().MatchString(o.Chain):
			return fmt.Errorf("%v has a name that nft does not accept", w.chain)
		case !slices.Contains(e.Openings, o):
			e.Openings = append(e.Openings, o)
		}
	}
	if verdicts, err = e.flow.weigh(ctx, rules, nil); err != nil {
		return err
	}
	e.Finding = e.flow.judge(rules, verdicts)
	e.refuse, err = e.flow.refusesOthers(ctx, rules)
	return err
}

func (e *Effect) addForeign(o Foreign) {
	i := slices.IndexFunc(e.Foreign, func(known Foreign) bool { return known.Chain == o.Chain })
	if i < 0 {
		e.Foreign = append(e.Foreign, o)
		return
	}
	for _, c := range o.Commands { // of another link
		if !slices.Contains(e.Foreign[i].Commands, c) {
			e.Foreign[i].Commands = append(e.Foreign[i].Commands, c)
		}
	}
}

// refusesOthers says whether another host on the link, and the peer's address
// on another link, are kept from the port.
func (f Flow) refusesOthers(ctx context.Context, rules *ruleset) (bool, error) {
	flows, err := f.flows()
	if err != nil {
		return false, err
	}
	for _, p := range flows {
		if !p.in || p.protocol != unix.IPPROTO_UDP {
			continue
		}
		if refused, err := p.refusesOthers(ctx, rules); err != nil || !refused {
			return false, err
		}
	}
	return true, nil
}

// refusesOthers says it for the datagrams of one link.
func (p *firstPacket) refusesOthers(ctx context.Context, rules *ruleset) (bool, error) {
	stranger, elsewhere := *p, *p
	stranger.source = stranger.source.Next()
	if stranger.source == stranger.destination {
		stranger.source = stranger.source.Next()
	}
	elsewhere.device = device{}
	for _, flow := range []*firstPacket{&stranger, &elsewhere} {
		refused := func(w weighed) bool { return w.ends == drops }
		verdicts, err := rules.weigh(ctx, []*firstPacket{flow}, nil)
		if err != nil || !slices.ContainsFunc(verdicts, refused) {
			return false, err
		}
	}
	return true, nil
}

// Loads says whether a chain of another set of rules is in this one too.
func (e *Effect) Loads(o Opening) bool { return e.names[o] }

// KeepsOut says whether everybody but the peer is kept from the port.
func (e *Effect) KeepsOut() bool { return e.refuse }

// InPlace says whether the rules that admit the sync are there, without
// any other of connsync's rules, and do what they are for.
func (e *Effect) InPlace() bool {
	if !e.exact || !e.refuse || e.Finding.Status != check.Passed {
		return false
	}
	var wanted []markedRule
	for _, o := range e.Openings {
		_, marks := e.flow.admitting(o)
		o.In = false
		for _, m := range marks {
			wanted = append(wanted, markedRule{in: o, comment: m})
		}
	}
	if len(wanted) != len(e.marked) {
		return false
	}
	for _, m := range e.marked {
		m.handle = 0
		i := slices.Index(wanted, m)
		if i < 0 {
			return false
		}
		wanted = slices.Delete(wanted, i, i+1)
	}
	return true
}
