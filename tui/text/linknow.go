package text

import (
	"fmt"

	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/live"
)

// LinkNow is the link to the peer as the checks of [live.Plan] found it.
type LinkNow struct {
	State string // of the interface, in a word or two
	Peer  string // what the peer does, as the end of a sentence about it
	Ends  string // the same where the peer's address does not stand before it
	// Counts are how many checks came to each word; Skip is left out.
	Counts []LinkCount
	// Sentence is what the worst of them found, or that the peer is heard.
	Sentence string
	Word     string // of the sentence
}

// LinkCount is how many checks came to a word such as [OK].
type LinkCount struct {
	Word string
	Text string // such as "warning 1"
	N    int
}

// LinkNowOf tells a report; six says that the addresses are IPv6.
func LinkNowOf(r check.Report, six bool) LinkNow {
	var l LinkNow
	l.State = linkState(r)
	l.Peer = peerReplies(r, six)
	l.Ends = "the peer " + l.Peer
	n := map[string]int{}
	for _, res := range r.Results {
		n[CheckWord(res)]++
	}
	for _, c := range []LinkCount{{Word: OK, Text: OK}, {Word: Warn, Text: "warning"}, {Word: Fail, Text: "failed"}, {Word: Unknown, Text: Unknown}} {
		if c.N = n[c.Word]; c.N > 0 || c.Word != Unknown {
			c.Text = fmt.Sprintf("%s %d", c.Text, c.N)
			l.Counts = append(l.Counts, c)
		}
	}
	worst, _ := r.Result(live.CheckPeerHeard)
	if problems, _ := ProblemsFirst(r.Results); len(problems) > 0 {
		worst = problems[0]
	}
	l.Sentence, l.Word = Clean(worst.Detail), CheckWord(worst)
	return l
}

func statusOf(r check.Report, id check.ID) check.Status {
	res, _ := r.Result(id)
	return res.Status
}

func linkState(r check.Report) string {
	switch {
	case statusOf(r, netcheck.CheckInterface) == check.Failed:
		return "unusable"
	case statusOf(r, netcheck.CheckLinkUp) == check.Failed:
		return "down"
	case statusOf(r, netcheck.CheckCarrier) == check.Failed:
		if res, _ := r.Result(netcheck.CheckCarrier); res.Mild {
			return "dormant"
		}
		return "no carrier"
	case statusOf(r, netcheck.CheckCarrier) == check.Passed:
		return "up"
	}
	return Unknown
}

// peerReplies is what the peer answered. What could not be asked is not said to be
// unanswered.
func peerReplies(r check.Report, six bool) string {
	resolution := "ARP"
	if six {
		resolution = "ND"
	}
	link, ping := statusOf(r, netcheck.CheckPeerLink), statusOf(r, netcheck.CheckPeerPing)
	switch {
	case link == check.Passed && ping == check.Passed:
		return "replies to " + resolution + " and ping"
	case link == check.Passed && ping == check.Failed:
		return "replies to " + resolution + ", not to ping"
	case link == check.Passed:
		return "replies to " + resolution
	case ping == check.Passed:
		return "replies to ping"
	case link == check.Failed:
		return "does not reply to " + resolution
	case link == check.Unknown:
		return "could not be asked"
	}
	return "was not asked"
}
