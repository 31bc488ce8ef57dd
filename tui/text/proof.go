package text

import (
	"fmt"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
)

// ProofLines are the steps of a proof that hold, in the order in which they come.
func ProofLines(p health.Proof) []string {
	var lines []string
	for _, s := range []struct {
		holds bool
		text  string
	}{
		{p.Created, "ok       the test state is in this node's connection table"},
		{p.Passed, "ok       conntrackd has taken it, to send it"},
		{p.Arrived, "ok       the peer's test state has arrived here"},
		{p.Confirmed, "ok       the peer says that this node's has arrived there"},
		{p.Left, "ok       the peer's is gone again here, as the peer took it out"},
		{p.NATArrived != "" && !p.NATChanged(), "ok       a NAT address of the peer's has arrived here as it was"},
		{p.NATChanged(), "FAIL     a NAT address of the peer's, " + p.NATSent + ", has arrived here as " + p.NATArrived},
		{p.Told, "ok       the peer has told what it holds"},
	} {
		if s.holds {
			lines = append(lines, s.text)
		}
	}
	return lines
}

// ProofResult is what this node can say truly about what it saw within a time, as
// a part of a sentence. What is not [health.Proof.Done] is not proven.
func ProofResult(p health.Proof, within time.Duration) string {
	switch {
	case p.NATChanged():
		return "failed: the peer's NAT address " + p.NATSent + " arrived here as " + p.NATArrived +
			", so translated connections would not survive; install the same version of conntrackd on both nodes, 1.4.7 or later"
	case p.Done():
		return "proven: states go both ways, and go away again"
	case !p.Created:
		return "nothing was tried"
	case !p.Passed:
		return "not proven: conntrackd here did not take the test state; a Filter in conntrackd.conf drops it (Address or Protocol), or the kernel reports no new connections (nf_conntrack_events)"
	case p.Arrived && p.Confirmed:
		return "states go both ways; the peer's was not seen to go again"
	case p.Arrived:
		return "one way only: the peer's state arrived here, and the peer has not said that this node's arrived there"
	}
	return fmt.Sprintf("not proven: no test state of the peer was seen within %v; run connsync status --prove there at the same time", within)
}

// Unproven is what a proof by test states says nothing about, as a sentence; lists are
// those of the file's Filter. It is blank where the file has none.
func Unproven(h health.Health, lists []conntrackd.FilterList) string {
	if len(lists) == 0 {
		return ""
	}
	var names []string
	for _, l := range lists {
		kind := "Ignore"
		if l.Accept {
			kind = "Accept"
		}
		names = append(names, fmt.Sprintf("%s %s in line %d", l.Subject, kind, l.Line))
	}
	sentence := "The test states are UDP between documentation addresses; they do not prove that the Filter lets other connections pass (" + strings.Join(names, ", ") + ")"
	if c := h.Coverage; c != nil {
		sentence += fmt.Sprintf(": of %s now it keeps out %d", coverage.Connections(c.Total()+c.Unacknowledged+c.NotHeld), c.Filtered)
	}
	return sentence + "."
}
