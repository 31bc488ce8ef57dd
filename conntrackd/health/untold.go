package health

import (
	"fmt"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
)

// silenced says why a report that is left in the kernel's table would not come to the peer:
// conntrackd learns nothing of it. nil where nothing is seen.
func (o *Observer) silenced(b mailbox.Box, r mailbox.Report) error {
	if coverage.EventsOff() {
		return fmt.Errorf("tell the peer what is here: the kernel reports no connections to conntrackd (nf_conntrack_events is 0); run sysctl -w net.netfilter.nf_conntrack_events=1")
	}
	rule, drops, err := o.Coverage.Drops(b.Entry(r))
	switch {
	case err != nil:
		return fmt.Errorf("tell the peer what is here: %w", err)
	case drops:
		return fmt.Errorf("tell the peer what is here: line %d of %s (%s) keeps the report out; let UDP between addresses of 2001:db8::/32 be replicated", rule.Line, o.Coverage.File.Name(), rule.Text)
	}
	return nil
}

// judgeEventsOff is for a node whose kernel reports nothing. One that stands by loses no
// connection of now, and would replicate none that begins after a failover.
func (e evidence) judgeEventsOff() judgement {
	return judgement{VerdictPartial,
		"this node's kernel reports no connections (nf_conntrack_events is 0): none that begins here would be replicated, and the peer is not told what is here",
		"run sysctl -w net.netfilter.nf_conntrack_events=1"}
}
