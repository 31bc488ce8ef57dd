package main

import (
	"testing"

	"connsync/conntrackd/health"
)

func TestProofFailsForNATThatChanged(t *testing.T) {
	p := health.Proof{Created: true, Passed: true, Arrived: true, Left: true, Confirmed: true, NATSent: "203.0.113.1", NATArrived: "203.0.113.1"}
	if got := proofStatus(p, health.Health{}); got != exitDone {
		t.Errorf("with the address as it was: %d", got)
	}
	p.NATArrived = "1.113.0.203"
	if got := proofStatus(p, health.Health{}); got != exitRefused {
		t.Errorf("with another address: %d", got)
	}
}
