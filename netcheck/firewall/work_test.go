package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"connsync/netcheck/check"
	"connsync/netcheck/nft"
)

// testRule is a rule with one answer, which is also done when it is asked.
type testRule struct {
	holds   truth
	verdict *expr.Verdict
	asked   func()
}

func (r testRule) weigh(*follower, *chain) (truth, *expr.Verdict) {
	r.asked()
	return r.holds, r.verdict
}

// tower is a base chain and 13 more, each of which jumps to the next with each
// of its rules, all undecided; asked is done for each rule that is followed.
func tower(jumps int, asked func()) *ruleset {
	const height = 14
	r := &ruleset{chains: make(map[chainName]*chain)}
	rules := make(map[*chain][]rule)
	for i := range height {
		c := &chain{Chain: nft.Chain{Name: fmt.Sprint("c", i), Table: "f", Family: nftables.TableFamilyINet, Kind: "filter", Hook: hookInput, Base: i == 0}}
		r.chains[c.key()] = c
		for range jumps {
			to := testRule{maybe, &expr.Verdict{Kind: expr.VerdictJump, Chain: fmt.Sprint("c", i+1)}, asked}
			if i == height-1 {
				to.verdict = &expr.Verdict{Kind: expr.VerdictAccept}
			}
			rules[c] = append(rules[c], to)
		}
		if c.Base {
			r.base = []*chain{c}
		}
	}
	r.rules = func(c *chain) ([]rule, error) { return rules[c], nil }
	return r
}

// Every rule of a chain is followed once, however many jumps lead there: with
// two undecided jumps in each of 14 chains there are 16,384 ways.
func TestFollowIsLinear(t *testing.T) {
	t.Parallel()
	count := func(jumps int) (asked int) {
		r := tower(jumps, func() { asked++ })
		ends, where := r.follow(newWork(t.Context()), r.base[0], testFlow("10.9.0.2", "10.9.0.1"), nil)
		if ends != accepts || !strings.Contains(where, "rule 1 in chain c13") {
			t.Errorf("%d jumps: %03b, %q", jumps, ends, where)
		}
		return asked
	}
	few := count(2)
	if few != 2*14 {
		t.Fatalf("28 rules were followed %d times", few)
	}
	if many := count(20); many > 12*few {
		t.Errorf("%d steps for 28 rules, %d for ten times as many", few, many)
	}
}

// Many rules that ask for one set look it up once.
func TestLookUpIsLinear(t *testing.T) {
	t.Parallel()
	spent := func(size int) int {
		set := &nftSet{Set: nft.Set{KeySize: 2}}
		for i := range size {
			set.Elements = append(set.Elements, nft.Element{Key: binary.BigEndian.AppendUint16(nil, uint16(10000+i))})
		}
		var rules []rule
		for range size {
			rules = append(rules, nftRuleOf("", &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
				&expr.Lookup{SourceRegister: 1, SetName: "s"}, &expr.Verdict{Kind: expr.VerdictDrop}))
		}
		r := &ruleset{
			rules: func(*chain) ([]rule, error) { return rules, nil },
			set:   func(nftables.TableFamily, string, string) (*nftSet, error) { return set, nil },
		}
		k := newWork(t.Context())
		if ends, where := r.follow(k, &chain{Chain: nft.Chain{Hook: hookInput}}, testFlow("10.9.0.2", "10.9.0.1"), nil); ends != accepts {
			t.Errorf("%03b, %q", ends, where)
		}
		return maxWork - k.left
	}
	few := spent(100)
	if many := spent(1000); many > 12*few {
		t.Errorf("%d steps for 100 rules and elements, %d for ten times as many", few, many)
	}
}

// Rules that are too many to follow are a check that could not be done, and so
// are those that were not followed to the end of the context. Neither goes on.
func TestFollowStops(t *testing.T) {
	t.Parallel()
	asked := 0
	r := tower(20, func() { asked++ })
	ends, where := r.follow(&work{ctx: t.Context(), left: 10}, r.base[0], testFlow("10.9.0.2", "10.9.0.1"), nil)
	if ends != accepts|drops || asked != 10 || !strings.Contains(where, "limit of 4194304 rules to follow was reached in chain") {
		t.Errorf("%03b after %d rules, %q", ends, asked, where)
	}
	verdicts := []weighed{{chain: r.base[0], what: "the sync datagrams", in: true, ends: ends, where: where}}
	if f := (Flow{}).judge(r, verdicts); f.Status != check.Unknown {
		t.Errorf("%+v", f)
	}

	ctx, cancel := context.WithCancel(t.Context())
	asked = 0
	r = tower(20, func() {
		if asked++; asked == 50 {
			cancel()
		}
	})
	_, err := r.weigh(ctx, []*firstPacket{testFlow("10.9.0.2", "10.9.0.1")}, nil)
	if !errors.Is(err, context.Canceled) || asked != 50 {
		t.Errorf("%v after %d rules", err, asked)
	}
	if f := rulesUnknown(err); f.Status != check.Unknown {
		t.Errorf("%+v", f)
	}
}

func nftRuleOf(comment string, exprs ...expr.Any) *nftRule {
	r := &nftRule{Comment: comment}
	for _, e := range exprs {
		r.Exprs = append(r.Exprs, nft.Expression{Decoded: e})
	}
	return r
}

// plain follows every jump again.
type plain struct {
	*follower
	steps, again int
	been         map[*chain]bool
}

func (p *plain) chain(c *chain) fates {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxJumps {
		return p.unclear("there are too many jumps in %v", c)
	}
	if p.been[c] {
		p.again++
	}
	p.been[c] = true
	rules, _ := p.rules.rules(c)
	var ends fates
	for i, r := range rules {
		if p.steps++; p.skip != nil && p.skip(r) || p.steps > 20000 {
			continue
		}
		before, loose := p.flow.changed, p.loose
		holds, verdict := r.weigh(p.follower, c)
		if p.flow.changed&^before&astray != 0 {
			ends |= p.unclear("the effect of rule %d in %v is unknown", i+1, c) &^ falls
		}
		if holds == no || verdict == nil {
			continue
		}
		p.loose = loose || holds == maybe
		out, goesOn := p.jump(c, i+1, verdict)
		p.loose = loose || out != 0
		if holds == maybe {
			if out != 0 {
				p.unclear("the effect of rule %d in %v is unknown", i+1, c)
			}
			goesOn = true
		}
		if ends |= out; !goesOn {
			return ends
		}
	}
	return ends | falls
}

func (p *plain) jump(c *chain, number int, v *expr.Verdict) (fates, bool) {
	to, ok := p.rules.chains[chainName{c.Family, c.Table, v.Chain, c.program}]
	switch {
	case !ok || v.Kind != expr.VerdictJump && v.Kind != expr.VerdictGoto:
		return p.verdict(c, number, v) // which follows nothing
	case v.Kind == expr.VerdictGoto:
		return p.chain(to), false
	}
	out := p.chain(to)
	return out &^ falls, out&falls != 0
}

// Following chains once gives what following every jump again gives: the same
// ends, the same words, and the same state of the flow afterwards.
func TestFollowLikePlain(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(1, 2))
	compared, again, changed := 0, 0, 0
	for n := range 10000 {
		r, base, legacy := randomRuleset(dice)
		one := testFlow("10.9.0.2", "10.9.0.1")
		one.tracked, one.changed = tracking(dice.IntN(5)), changes(dice.IntN(8))
		two, before := *one, *one
		var skip func(rule) bool
		if !legacy && dice.IntN(3) == 0 {
			skip = ours
		}
		p := &plain{follower: &follower{rules: r, flow: &two, skip: skip, base: base}, been: make(map[*chain]bool)}
		ends := p.chain(base)
		if p.steps > 20000 {
			continue // around in a circle
		}
		w := &follower{rules: r, flow: one, skip: skip, base: base, work: newWork(t.Context()), known: make(map[visit]outcome)}
		if got := w.chain(base); got != ends || w.where != p.where || w.doubt != p.doubt || one.tracked != two.tracked || one.changed != two.changed {
			t.Fatalf("ruleset %d: %03b %q %q %d %v, plain %03b %q %q %d %v", n,
				got, w.where, w.doubt, one.tracked, one.changed, ends, p.where, p.doubt, two.tracked, two.changed)
		}
		compared++
		if p.again > 0 {
			again++
			if two.tracked != before.tracked || two.changed != before.changed {
				changed++
			}
		}
	}
	if compared < 9000 || again < 2000 || changed < 500 {
		t.Errorf("%d rulesets were compared, %d with chains that were followed again, %d of them with a change of the flow", compared, again, changed)
	}
}

// randomRuleset is a base chain and up to four others, of nftables or of
// iptables, whose rules jump a lot and change the state of the flow.
func randomRuleset(dice *rand.Rand) (r *ruleset, base *chain, legacy bool) {
	legacy = dice.IntN(3) == 0
	r = &ruleset{chains: make(map[chainName]*chain), set: func(nftables.TableFamily, string, string) (*nftSet, error) { return nil, errors.New("no sets here") }}
	rules := make(map[*chain][]rule)
	count := 2 + dice.IntN(4)
	for i := range count {
		c := &chain{Chain: nft.Chain{Name: fmt.Sprint("c", i), Table: "t", Family: nftables.TableFamilyIPv4, Kind: "filter", Base: i == 0}}
		if legacy {
			c.program = "iptables-legacy"
		}
		c.Hook = []uint32{hookPrerouting, hookInput, hookOutput}[dice.IntN(3)]
		c.Priority = []int32{-300, -300, conntrackPriority, 0}[dice.IntN(4)]
		r.chains[c.key()] = c
		if i == 0 {
			base = c
		}
		for range 1 + dice.IntN(5) {
			to := i + 1 + dice.IntN(2)
			if dice.IntN(60) == 0 {
				to = dice.IntN(count) // maybe in a circle
			}
			if legacy {
				rules[c] = append(rules[c], randomLegacyRule(dice, fmt.Sprint("c", to)))
			} else {
				rules[c] = append(rules[c], randomNftRule(dice, fmt.Sprint("c", to)))
			}
		}
	}
	r.rules = func(c *chain) ([]rule, error) { return rules[c], nil }
	return r, base, legacy
}

func randomNftRule(dice *rand.Rand, to string) *nftRule {
	ask := func(key expr.CtKey, mask uint32) []expr.Any {
		four := func(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
		return []expr.Any{&expr.Ct{Key: key, Register: 1},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: four(mask), Xor: four(0)},
			&expr.Cmp{Op: expr.CmpOp(dice.IntN(2)), Register: 1, Data: four(0)}}
	}
	port := []expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOp(dice.IntN(2)), Register: 1, Data: []byte{0x0e, 0xc4}}}
	mark := []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{1, 0, 0, 0}}}
	var exprs []expr.Any
	for range dice.IntN(2) {
		conditions := [][]expr.Any{port, mark, {&expr.Limit{}}, ask(expr.CtKeySTATE, stateNew), ask(expr.CtKeySTATE, stateUntracked), ask(expr.CtKeySTATUS, 1<<4|1<<5)}
		exprs = append(exprs, conditions[dice.IntN(len(conditions))]...)
	}
	ends := []expr.Any{&expr.Notrack{}, &expr.Ct{Key: expr.CtKeyZONE, SourceRegister: true, Register: 1}, &expr.Target{Name: "NOTRACK"}, &expr.Masq{}, &expr.NAT{Type: expr.NATTypeDestNAT}, &expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1},
		&expr.Payload{OperationType: expr.PayloadWrite, SourceRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: []uint32{12, 16}[dice.IntN(2)], Len: 4}, &expr.Queue{}, &expr.Target{Name: "TARPIT"}, &expr.Reject{}, &expr.Counter{}}
	for _, k := range []expr.VerdictKind{expr.VerdictAccept, expr.VerdictDrop, expr.VerdictReturn, expr.VerdictContinue, expr.VerdictGoto} {
		ends = append(ends, &expr.Verdict{Kind: k, Chain: to})
	}
	for range len(ends) {
		ends = append(ends, &expr.Verdict{Kind: expr.VerdictJump, Chain: to})
	}
	comment := ""
	if dice.IntN(4) == 0 {
		comment = tableName + " rule"
	}
	return nftRuleOf(comment, append(exprs, ends[dice.IntN(len(ends))])...)
}

func randomLegacyRule(dice *rand.Rand, to string) legacyRule {
	var words []string
	for range dice.IntN(2) {
		conditions := []string{"-m state --state NEW", "-m conntrack ! --ctstate NEW", "-m conntrack --ctstate UNTRACKED", "-m geoip --source-country DE", "-p udp -m udp --dport 3780", "-p tcp", "-m mark --mark 0x1"}
		words = append(words, strings.Fields(conditions[dice.IntN(len(conditions))])...)
	}
	ends := []string{"-j CT --notrack", "-j CT --zone 1", "-j NOTRACK", "-j MASQUERADE", "-j MARK --set-mark 1", "-j ACCEPT", "-j DROP", "-j RETURN", "-j TARPIT", "-g " + to}
	for range len(ends) {
		ends = append(ends, "-j "+to)
	}
	return append(words, strings.Fields(ends[dice.IntN(len(ends))])...)
}
