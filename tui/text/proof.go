package text

import (
	"fmt"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/plural"
)

// ProofLines are the steps of a proof that hold, in the order in which they come.
func ProofLines(p health.Proof) []string {
	var lines []string
	for _, s := range []struct {
		holds bool
		text  string
	}{
		{p.Created, "ok       the test entry is in this node's connection table"},
		{p.Passed, "ok       conntrackd took it, to send it"},
		{p.Arrived, "ok       the peer's test entry arrived here"},
		{p.Confirmed, "ok       the peer reports that this node's entry arrived there"},
		{p.Left, "ok       the peer's entry was removed here, after the peer removed it"},
		{p.NATArrived != "" && !p.NATChanged(), "ok       a NAT address of the peer arrived here unchanged"},
		{p.NATChanged(), "FAIL     the peer's NAT address " + p.NATSent + " arrived here as " + p.NATArrived},
		{p.Told, "ok       the peer reported what it holds"},
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
		return "proven: entries arrive both ways and are removed again"
	case !p.Created:
		return "not tried"
	case !p.Passed:
		return "not proven: conntrackd on this node did not take the test entry; a Filter in conntrackd.conf drops it (Address or Protocol), or the kernel reports no new connections (nf_conntrack_events)"
	case p.Arrived && p.Confirmed:
		return "entries arrive both ways; the peer's entry was not removed again"
	case p.Arrived:
		return "one way only: the peer's entry arrived here, but the peer did not report that this node's arrived there"
	}
	return fmt.Sprintf("not proven: no test entry of the peer arrived within %v; run connsync status --prove there at the same time", within)
}

// Unproven is what a proof by test entries says nothing about, in sentences; lists are
// those of the file's Filter, mode is its sync mode. It is blank where that is nothing.
func Unproven(h health.Health, lists []conntrackd.FilterList, mode string) string {
	var sentences []string
	if len(lists) > 0 {
		sentences = append(sentences, unprovenFilter(h, lists))
	}
	if mode == "NOTRACK" {
		sentences = append(sentences, "In mode NOTRACK a lost message is not sent again, so the test entries do not prove that no connection was lost.")
	}
	return strings.Join(sentences, " ")
}

func unprovenFilter(h health.Health, lists []conntrackd.FilterList) string {
	var names []string
	for _, l := range lists {
		kind := "Ignore"
		if l.Accept {
			kind = "Accept"
		}
		names = append(names, fmt.Sprintf("%s %s in line %d", l.Subject, kind, l.Line))
	}
	sentence := "The test entries are UDP between documentation addresses; they do not prove that the Filter passes other connections (" + strings.Join(names, ", ") + ")"
	if c := h.Coverage; c != nil {
		sentence += fmt.Sprintf(": of %s now it filters %d", plural.Of(c.Own(), "connection", "connections"), c.Filtered)
	}
	return sentence + "."
}
