package netcheck

import (
	"bytes"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// fates is a set of ways in which a packet can leave a chain; more than one
// when a rule is not understood.
type fates uint8

const (
	accepts fates = 1 << iota
	drops
	falls // through to what called the chain, or to the policy
)

// truth is whether a condition holds.
type truth uint8

const (
	maybe truth = iota
	no
	yes
)

// follower follows one flow through one base chain.
type follower struct {
	rules *ruleset
	flow  *flow
	where string // the drop that was found last
	doubt string // the first thing that was not understood
	depth int
}

// maxJumps is the kernel's own limit (NFT_JUMP_STACK_SIZE).
const maxJumps = 16

// follow returns the possible fates of a flow in a base chain, in words where
// it drops, or what makes it unclear.
func (r *ruleset) follow(base *nftables.Chain, f *flow) (fates, string) {
	w := &follower{rules: r, flow: f}
	ends := w.chain(base)
	if ends&falls != 0 {
		ends &^= falls
		if base.Policy != nil && *base.Policy == nftables.ChainPolicyDrop {
			ends |= drops
			w.where = inWords(base) + " has the policy drop and no rule that accepts them"
		} else {
			ends |= accepts
		}
	}
	if ends != drops && w.doubt != "" {
		return ends, w.doubt
	}
	return ends, w.where
}

func (w *follower) chain(c *nftables.Chain) fates {
	if w.depth++; w.depth > maxJumps {
		return w.unclear(c, "there are too many jumps")
	}
	defer func() { w.depth-- }()
	rules, err := w.rules.rules(c)
	if err != nil {
		return w.unclear(c, "the rules could not be read ("+err.Error()+")")
	}
	var ends fates
	for i, rule := range rules {
		out, goesOn := w.rule(c, i+1, rule)
		ends |= out
		if !goesOn {
			return ends
		}
	}
	return ends | falls
}

func inWords(c *nftables.Chain) string {
	return fmt.Sprintf("chain %s of table %s", c.Name, c.Table.Name)
}

// unclear notes the first thing that was not understood.
func (w *follower) unclear(c *nftables.Chain, why string) fates {
	if w.doubt == "" {
		w.doubt = why + " in " + inWords(c)
	}
	return accepts | drops | falls
}

// rule returns the ways in which the packet can leave the chain at a rule, and
// whether it can go on to the next one.
func (w *follower) rule(c *nftables.Chain, number int, rule *nftables.Rule) (fates, bool) {
	s := &state{flow: w.flow, rules: w.rules, table: c.Table}
	holds := yes
	for _, e := range rule.Exprs {
		t, verdict := s.expr(e)
		switch {
		case t == no:
			return 0, true
		case t == maybe && holds == yes:
			holds = maybe
		}
		if verdict == nil {
			continue
		}
		out, goesOn := w.verdict(c, number, verdict)
		if holds == maybe {
			if out != 0 {
				w.unclear(c, fmt.Sprintf("there is no telling what rule %d does", number))
			}
			return out, true
		}
		return out, goesOn
	}
	return 0, true
}

func (w *follower) verdict(c *nftables.Chain, number int, v *expr.Verdict) (fates, bool) {
	switch v.Kind {
	case expr.VerdictAccept:
		return accepts, false
	case expr.VerdictDrop:
		w.where = fmt.Sprintf("rule %d in %s", number, inWords(c))
		return drops, false
	case expr.VerdictReturn:
		return falls, false
	case expr.VerdictJump, expr.VerdictGoto:
		to, ok := w.rules.chains[chainName{c.Table.Family, c.Table.Name, v.Chain}]
		if !ok {
			return w.unclear(c, "a jump goes to no chain,"), true
		}
		out := w.chain(to)
		if v.Kind == expr.VerdictGoto {
			return out, false
		}
		return out &^ falls, out&falls != 0
	case expr.VerdictContinue, expr.VerdictBreak:
		return 0, true
	}
	return w.unclear(c, fmt.Sprintf("there is no telling what rule %d does", number)), true
}

// lookUp says whether a key is in a set. unknown parts of the key, sets that
// are concatenations of ranges and sets that cannot be read are maybe.
func lookUp(set *nftables.Set, elements []nftables.SetElement, key value) truth {
	if set.Interval {
		return lookUpInterval(elements, key)
	}
	found := no
	for _, e := range elements {
		switch key.equals(e.Key) {
		case yes:
			return yes
		case maybe:
			found = maybe
		}
	}
	return found
}

// lookUpInterval is for sets whose elements are the starts and, marked, the
// exclusive ends of ranges, in any order.
func lookUpInterval(elements []nftables.SetElement, key value) truth {
	if !key.whole() {
		return maybe
	}
	best, inside := []byte(nil), no
	for _, e := range elements {
		if len(e.KeyEnd) > 0 || len(e.Key) != len(key.bytes) {
			return maybe // a range in each part of a concatenation
		}
		// The nearest boundary at or below the key decides; where a range ends
		// and the next begins, the beginning.
		if bytes.Compare(e.Key, key.bytes) > 0 || best != nil && bytes.Compare(e.Key, best) < 0 {
			continue
		}
		if best != nil && bytes.Equal(e.Key, best) && e.IntervalEnd {
			continue
		}
		best, inside = e.Key, yes
		if e.IntervalEnd {
			inside = no
		}
	}
	return inside
}
