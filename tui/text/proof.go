package text

import (
	"fmt"
	"time"

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
