package text

import (
	"fmt"
	"strings"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
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
	case c.Total()+c.Unacknowledged == 0:
		return Join("; ", "no connections to replicate now", ofPeer(c))
	}
	return Join("; ", survivors(h), Join(", ", covered(c)...), ofPeer(c))
}

// survivors says how many would survive, where that is known: what the peer has is
// known only while it confirms.
func survivors(h health.Health) string {
	c := h.Coverage
	of := coverage.Connections(c.Total() + c.Unacknowledged)
	if !h.Verdict.BothWays() && !c.Pending {
		return fmt.Sprintf("%d of %s in conntrackd's cache; the peer is not known to have them", c.Survive+c.Unacknowledged, of)
	}
	return fmt.Sprintf("%d of %s would survive a failover", c.Survive, of)
}

// covered are the reasons why others would not.
func covered(c *coverage.Coverage) []string {
	var parts []string
	for _, p := range []struct {
		n    int
		said string
	}{
		{c.Filtered, "kept out by the file"}, {c.Missing, "not in conntrackd's cache"},
		{c.Unacknowledged, "not confirmed by the peer"}, {c.Young, "just began"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.said))
		}
	}
	return parts
}

func ofPeer(c *coverage.Coverage) string {
	if c.Peers == 0 {
		return ""
	}
	return fmt.Sprintf("%d here for the peer", c.Peers)
}

// CoverageLines are the connections by protocol, and what keeps some from surviving.
func CoverageLines(h health.Health) []string {
	lines := []string{Capital(Coverage(h)) + "."}
	c := h.Coverage
	if c == nil {
		return lines
	}
	if len(c.Kinds) > 0 {
		lines = append(lines, "", fmt.Sprintf("  %-14s%9s%9s%9s%9s%9s", "protocol", "survive", "young", "filtered", "missing", "total"))
	}
	for _, k := range c.Kinds {
		lines = append(lines, fmt.Sprintf("  %-14s%9d%9d%9d%9d%9d", k.Protocol+" "+k.Family, k.Survive, k.Young, k.Filtered, k.Missing, k.Total()))
	}
	for _, r := range c.Rules {
		lines = append(lines, Clean(fmt.Sprintf("  line %d of the file, %s: %s", r.Line, r.Text, coverage.Connections(r.Entries))))
	}
	return lines
}

// LostLines are entries that would be lost, one a line, with what filters them.
func LostLines(c *coverage.Coverage) []string {
	var lines []string
	for _, lost := range c.Sample {
		why := "missing"
		if lost.Rule.Line > 0 {
			why = fmt.Sprintf("line %d", lost.Rule.Line)
		}
		lines = append(lines, Clean(fmt.Sprintf("  %-9s %s", why, strings.TrimSpace(lost.String()))))
	}
	if more := c.Lost() - len(c.Sample); more > 0 && len(c.Sample) > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}
