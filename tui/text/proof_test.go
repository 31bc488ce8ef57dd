package text

import (
	"slices"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/health"
)

// States that go both ways prove nothing where NAT addresses come as others.
func TestProofTellsOfNAT(t *testing.T) {
	whole := health.Proof{Created: true, Passed: true, Arrived: true, Left: true, Confirmed: true}
	same, other := whole, whole
	same.NATSent, same.NATArrived = "203.0.113.1", "203.0.113.1"
	other.NATSent, other.NATArrived = "203.0.113.1", "1.113.0.203"
	for _, tt := range []struct {
		proof        health.Proof
		line, result string
	}{
		{whole, "", "proven: entries arrive both ways"},
		{same, "ok       a NAT address of the peer arrived here unchanged", "proven: entries arrive both ways"},
		{other, "FAIL     the peer's NAT address 203.0.113.1 arrived here as 1.113.0.203",
			"failed: the peer's NAT address 203.0.113.1 arrived here as 1.113.0.203, so translated connections would not survive; install the same version of conntrackd on both nodes, 1.4.7 or later"},
	} {
		lines := slices.DeleteFunc(ProofLines(tt.proof), func(l string) bool { return !strings.Contains(l, "NAT") })
		if got := strings.Join(lines, "\n"); got != tt.line {
			t.Errorf("the lines are %q, want %q", got, tt.line)
		}
		if got := ProofResult(tt.proof, time.Second); !strings.HasPrefix(got, tt.result) {
			t.Errorf("the result is %q, want %q", got, tt.result)
		}
	}
}
