package netcheck

import "context"

// runFirewall asks whether this node's own rules let the sync datagrams in and
// out. It reads the rules and follows them as far as it understands them; where
// it does not, it says so. The proof comes after the start, from the traffic.
func runFirewall(t Target) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		rules, err := readRuleset(ctx, t.Flow)
		if err != nil {
			return firewallUnknown(err)
		}
		verdicts, err := t.weigh(rules, nil)
		if err != nil {
			return firewallUnknown(err)
		}
		return t.judgeFirewall(rules, verdicts)
	}
}
