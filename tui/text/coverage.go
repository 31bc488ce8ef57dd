package text

import (
	"fmt"
	"strings"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
	"connsync/plural"
	"connsync/shell"
)

// Coverage is which connections would survive if this node died now, in one line;
// blank where nobody looked.
func Coverage(h health.Health) string {
	c := h.Coverage
	switch {
	case h.CoverageErr != nil:
		return Clean("connections could not be compared: " + h.CoverageErr.Error())
	case c == nil:
		return ""
	case c.Own() == 0:
		return Join("; ", noConnections, ofPeer(c))
	}
	return Join("; ", survivors(h), Join(", ", covered(c)...), beginAgain(c), ofPeer(c))
}

const noConnections = "no connections to replicate now"

// peerKnown says that what the peer has is known: it confirms it, or where nothing is
// confirmed (mode NOTRACK) it has reported on some of them.
func peerKnown(h health.Health) bool {
	return h.Verdict.BothWays() || h.Verdict == health.VerdictUnknown && h.Holding.Told != nil && h.Holding.Of > 0
}

// survivors says how many would survive, where that is known.
func survivors(h health.Health) string {
	c := h.Coverage
	of := plural.Of(c.Own(), "connection", "connections")
	if !peerKnown(h) && !c.Pending {
		return fmt.Sprintf("%d of %s in conntrackd's cache; whether the peer has them is unknown", c.Survive+c.Unacknowledged+c.NotHeld+c.Uncommitted+c.Unclear, of)
	}
	if (h.Holding.Told == nil || h.Holding.Of <= 0) && !c.Pending && c.Survive > 0 { // none of them is older than the report
		return fmt.Sprintf("%d of %s acknowledged by the peer", c.Survive, of)
	}
	least, unless := "", ""
	if c.Unclear > 0 {
		least = "at least "
	}
	if c.Uncommitted > 0 && h.Holding.Told != nil && h.Holding.Told.Hook == mailbox.HookUnseen {
		unless = " unless a hook runs on the peer"
	}
	return fmt.Sprintf("%s%d of %s would survive a failover%s", least, c.Survive, of, unless)
}

// covered are the reasons why others would not.
func covered(c *coverage.Coverage) []string {
	var parts []string
	for _, p := range []struct {
		n    int
		said string
	}{
		{c.Filtered, "filtered by the file"}, {c.Missing - c.Stale - c.Zoned - c.Tied, "not in conntrackd's cache"}, {c.Stale, "in conntrackd's cache in an earlier state"},
		{c.Zoned, "sent without their zone"}, {c.Tied, "tied by NAT to an address that stays here"},
		{c.Unacknowledged, "not acknowledged by the peer"}, {c.NotHeld, "not on the peer"}, {c.Uncommitted, "only in the peer's external cache"}, {c.Unclear, "perhaps not on the peer"}, {c.Young, "just began"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.said))
		}
	}
	return parts
}

// beginAgain is a word on the kinds that conntrackd cannot carry over.
func beginAgain(c *coverage.Coverage) string {
	if c.BeginAgain == 0 {
		return ""
	}
	return fmt.Sprintf("%d of them (GRE or SCTP) only if the peer's rules accept them as new", c.BeginAgain)
}

func ofPeer(c *coverage.Coverage) string {
	var parts []string
	if c.Peers > 0 {
		parts = append(parts, fmt.Sprintf("%d here for the peer", c.Peers))
	}
	if c.Undecided > 0 {
		parts = append(parts, fmt.Sprintf("%d filtered by the file, of this node or of the peer", c.Undecided))
	}
	return Join("; ", parts...)
}

// coverageLines are the connections by protocol, and what keeps some from surviving.
func coverageLines(h health.Health, narrow bool) []string {
	lines := []string{Column(VerdictWord(h.Verdict)) + Capital(Coverage(h)) + "."}
	c := h.Coverage
	if c == nil {
		return lines
	}
	if len(c.Kinds) > 0 && !narrow {
		lines = append(lines, "", fmt.Sprintf("  %-14s%9s%9s%9s%9s%9s", "protocol", "in cache", "young", "filtered", "missing", "total"))
	}
	for _, k := range c.Kinds {
		if narrow {
			lines = append(lines, fmt.Sprintf("  %s %s: %s", k.Protocol, k.Family, countsOf(k.Counts)))
			continue
		}
		lines = append(lines, fmt.Sprintf("  %-14s%9d%9d%9d%9d%9d", k.Protocol+" "+k.Family, k.Survive, k.Young, k.Filtered, k.Missing, k.Total()))
	}
	for _, r := range c.Rules {
		lines = append(lines, Clean(fmt.Sprintf("  line %d of the file, %s: %s", r.Line, r.Text, plural.Of(r.Entries, "connection", "connections"))))
	}
	return lines
}

// countsOf are the counts that are not zero, in words.
func countsOf(c coverage.Counts) string {
	var parts []string
	for _, p := range []struct {
		n    int
		said string
	}{{c.Survive, "in the cache"}, {c.Young, "young"}, {c.Filtered, "filtered"}, {c.Missing, "missing"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.said))
		}
	}
	return strings.Join(parts, ", ")
}

// lostLines are entries that would be lost, one a line, with what filters them.
func lostLines(c *coverage.Coverage, called shell.Program) []string {
	var lines []string
	for _, lost := range c.Sample {
		why := "missing"
		if lost.Rule.Line > 0 {
			why = fmt.Sprintf("line %d", lost.Rule.Line)
		}
		lines = append(lines, Clean(fmt.Sprintf("  %-9s %s", why, strings.TrimSpace(lost.String()))))
	}
	return append(lines, moreLines(c.Lost()-len(c.Sample), len(c.Sample), called)...)
}

// ComparisonLines say how many of the other node's connections are here, and which are
// not.
func ComparisonLines(c coverage.Comparison, called shell.Program) []string {
	word, where := OK, "in this kernel's table"
	if c.Lost() > 0 {
		word = Warn
	}
	if c.Cache {
		where += " or in conntrackd's external cache"
	}
	parts := []string{fmt.Sprintf("%d of %s of the other node %s", c.Held+c.Moving, plural.Of(c.Total, "connection", "connections"), where)}
	for _, p := range []struct {
		n    int
		said string
	}{{c.Absent, "not here"}, {c.Differ, "here but different"}, {c.Moving, "changed state meanwhile"}, {c.Ended, "ended meanwhile"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.said))
		}
	}
	lines := []string{Column(word) + Join("; ", parts...) + "."}
	for _, d := range c.Sample {
		lines = append(lines, Clean("  "+d.String()+": "+d.What))
	}
	return append(lines, moreLines(c.Lost()-len(c.Sample), len(c.Sample), called)...)
}

// moreLines says that a list has more than it shows; nothing where it shows none.
func moreLines(more, shown int, called shell.Program) []string {
	if more <= 0 || shown == 0 {
		return nil
	}
	return []string{fmt.Sprintf("  and %d more; %s lists them", more, Clean(called.Command("coverage", "--all")))}
}

// ListedCoverage is the list of what would be lost, with why and what to do. narrow is
// for a terminal that has no room for a table.
func ListedCoverage(h health.Health, narrow bool) []string {
	lines := coverageLines(h, narrow)
	if h.Verdict != health.VerdictTwoWay {
		if cause := Clean(h.Cause); cause != "" {
			lines = append(lines, Column("")+Capital(cause)+".")
		}
		if next := Clean(h.Next); next != "" {
			lines = append(lines, Column("")+"-> "+next)
		}
	}
	return append(lines, lostLines(h.Coverage, h.Called)...)
}
