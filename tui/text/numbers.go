package text

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/refresh"
	"connsync/plural"
)

// PairNumbers are what the two nodes have of each other, each in a few cells; "-" where it
// is not known, which is not zero.
type PairNumbers struct {
	Connections, Acknowledged, FromPeer string
	Sent, Received                      string // messages a second
	Heard                               string // how long ago
}

const notKnown = "-"

// NewPairNumbers are those of a look. Heard is in whole seconds at least, so that an idle
// pair shows the same at each look.
func NewPairNumbers(h health.Health) PairNumbers {
	n := PairNumbers{notKnown, notKnown, notKnown, notKnown, notKnown, "not yet"}
	if c := h.Coverage; c != nil {
		n.Connections = number(uint64(c.Own()))
	}
	if peers, known := h.FromPeer(); known {
		n.FromPeer = number(uint64(peers))
	}
	if acknowledged, known := h.Acknowledged(); known {
		n.Acknowledged = number(uint64(acknowledged))
	}
	if r := h.Rates; r != nil {
		n.Sent, n.Received = rate(r.SentPackets), rate(r.RecvPackets)
	}
	switch {
	case !h.Heard.IsZero():
		n.Heard = ago(h.Counters.Time.Sub(h.Heard))
	case !h.HeardBefore.IsZero():
		n.Heard = "before " + clock(h.HeardBefore, h.Counters.Time)
	}
	return n
}

// rate is a rate in at most seven cells.
func rate(r float64) string {
	switch {
	case r >= 1e6:
		return fmt.Sprintf("%.1fM/s", r/1e6)
	case r > 0 && r < 0.95:
		return fmt.Sprintf("%.1f/s", r)
	}
	return fmt.Sprintf("%.0f/s", r)
}

// ago is a time that has passed, in steps that grow with it.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	}
	return span(d) + " ago"
}

// Losses are the losses since the daemon was started, in one line; blank where nothing was
// counted.
func Losses(h health.Health) string {
	c := h.Counters
	if c.Time.IsZero() {
		return ""
	}
	var parts []string
	for _, p := range []struct {
		n    uint64
		said string
	}{
		{c.Lost, "lost"}, {h.Sockets.Drops, "receive drops"}, {c.ErrorsSent, "send errors"}, {c.Malformed, "malformed"},
		{c.Overruns, "netlink overruns"}, {c.NoSpace, "cache full"}, {c.InjectFailed + c.ExternalNoSpace, "refused entries of the peer"},
	} {
		if p.n > 0 {
			parts = append(parts, number(p.n)+" "+p.said)
		}
	}
	said := Join(", ", parts...)
	if said == "" {
		said = "none"
	}
	if since := h.Service.Since; !since.IsZero() {
		said += " since " + nearTime(since, c.Time)
	}
	return said
}

// clock is a time to the second in this host's zone, and that of another day to the minute.
func clock(t, now time.Time) string {
	if t, now := t.Local(), now.Local(); t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return nearTime(t, now)
}

// nearTime is a time in this host's zone, without the date where that is today's.
func nearTime(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// Survive is how many connections would survive a failover now, in few words for the
// screen, which has the reasons elsewhere; blank where nobody looked.
func Survive(h health.Health) string {
	c := h.Coverage
	switch {
	case c == nil, !h.Verdict.BothWays() && !c.Pending:
		return Coverage(h)
	}
	n := c.Own()
	if n == 0 {
		return noConnections
	}
	parts := covered(c)
	if c.Young > 0 {
		parts[len(parts)-1] = fmt.Sprintf("%d began in the last seconds", c.Young)
	}
	return Join("; ", strconv.Itoa(c.Survive)+" of "+plural.Of(n, "connection", "connections"), Join(", ", parts...), beginAgain(c))
}

// InSync is the sentence of a sync that works both ways: for how long, and what the peer
// has. since may be zero.
func InSync(h health.Health, since, now time.Time) string {
	said := Capital(ShortVerdict(health.VerdictTwoWay))
	if d := now.Sub(since); !since.IsZero() && d >= time.Minute {
		said += " for " + span(d)
	}
	switch n, known := h.Acknowledged(); {
	case !known || h.Coverage.Total() == 0:
	case h.Coverage.Survive < h.Coverage.Own()-h.Coverage.Young:
	case h.Holding.Told != nil && h.Holding.Of > 0 && h.Holding.OnPeer >= h.Holding.Of:
		said += fmt.Sprintf("; all %s are on the peer", plural.Of(n, "connection", "connections"))
	}
	return said + "."
}

// PeerRow is the other node, and what both show where they are set alike; blank where there
// are no settings.
func PeerRow(t conntrackd.SettingTable, s conntrackd.Settings) string {
	if !s.Peer.Addr().IsValid() {
		return ""
	}
	return s.Peer.Addr().String() + ", fingerprint " + Fingerprint(t, s)
}

// PairReport is what the two nodes have of each other as JSON, beside the daemon's
// counters. It is stable. What is not known is null.
type PairReport struct {
	Off          bool           `json:"off"` // nothing is wrong: it was never set up, or was disabled on purpose
	Peer         string         `json:"peer_ip"`
	Fingerprint  string         `json:"fingerprint"`  // the same on both nodes; blank without settings
	Connections  *int           `json:"connections"`  // of this node that have to survive
	Acknowledged *int           `json:"acknowledged"` // of those that the peer has
	FromPeer     *int           `json:"from_peer"`    // the peer's connections here
	Sent         *float64       `json:"sent_per_second"`
	Received     *float64       `json:"received_per_second"`
	Heard        *time.Time     `json:"last_heard"`        // when the daemon last received something
	HeardBefore  *time.Time     `json:"last_heard_before"` // where last_heard is not known
	Refresh      refresh.Report `json:"refresh"`
}

// NewPairReport is that of a look.
func NewPairReport(h health.Health, t conntrackd.SettingTable, s conntrackd.Settings, r refresh.Report) PairReport {
	p := PairReport{Off: h.Off, Refresh: r}
	if s.Peer.Addr().IsValid() {
		p.Peer, p.Fingerprint = s.Peer.Addr().String(), Fingerprint(t, s)
	}
	if c := h.Coverage; c != nil {
		n := c.Own()
		p.Connections = &n
	}
	if n, known := h.FromPeer(); known {
		p.FromPeer = &n
	}
	if n, known := h.Acknowledged(); known {
		p.Acknowledged = &n
	}
	if rates := h.Rates; rates != nil {
		p.Sent, p.Received = &rates.SentPackets, &rates.RecvPackets
	}
	if !h.Heard.IsZero() {
		p.Heard = &h.Heard
	}
	if !h.HeardBefore.IsZero() {
		p.HeardBefore = &h.HeardBefore
	}
	return p
}

// expires is what comes of a refresh that does not run.
const expires = "connections in use expire on the peer"

// StatusPage is a look as plain text: verdict, cause and next step, then the numbers.
// Where both ways are up and the refresh that is needed does not run, the first line says so.
func StatusPage(h health.Health, t conntrackd.SettingTable, s conntrackd.Settings, r refresh.Report) []string {
	lines := append(StatusLines(h), StatusNumbers(h, t, s, r)...)
	if h.Verdict == health.VerdictTwoWay && !h.Off && r.Needed && r.Running != nil && !*r.Running {
		lines[0] = Column(Warn) + "In sync both ways, but the refresh is down: " + expires + "."
		lines = slices.Insert(lines, 1, Column("")+"-> "+h.Called.Command("apply"))
	}
	return lines
}

// StatusNumbers are the numbers of a look as plain text.
func StatusNumbers(h health.Health, t conntrackd.SettingTable, s conntrackd.Settings, r refresh.Report) []string {
	var lines []string
	if !h.Counters.Time.IsZero() {
		n := NewPairNumbers(h)
		if d := h.Counters.Time.Sub(h.Heard); !h.Heard.IsZero() && d < 10*time.Second {
			n.Heard = fmt.Sprintf("%.1f s ago", max(d, 0).Seconds())
		}
		lines = append(lines,
			fmt.Sprintf("connections %s, acknowledged %s, from the peer %s", n.Connections, n.Acknowledged, n.FromPeer),
			fmt.Sprintf("sent %s, received %s, last heard %s", n.Sent, n.Received, n.Heard),
			"losses "+Losses(h))
	}
	if peer := PeerRow(t, s); peer != "" {
		lines = append(lines, "peer "+peer)
	}
	if said := Refresh(r); said != "" && !h.Off {
		lines = append(lines, said)
	}
	for i := range lines {
		lines[i] = Column("") + lines[i]
	}
	return lines
}

// Refresh is the state of connsync refresh in one line; blank where none is needed or
// there.
func Refresh(r refresh.Report) string {
	switch {
	case r.Running == nil && r.Needed:
		return Clean("refresh unknown: " + r.Error)
	case r.Running == nil, !*r.Running && !r.Needed && !r.Installed:
		return ""
	case !*r.Running && !r.Needed:
		return "refresh stopped: the peer is not told what this node holds"
	case !*r.Running:
		state := "not installed"
		if r.Installed {
			state = "stopped"
		}
		return "refresh " + state + ": " + expires
	case r.Error != "":
		return Clean(fmt.Sprintf("refresh running (process %d), last run failed: %s", r.PID, r.Error))
	case r.Idle != "":
		return Clean(fmt.Sprintf("refresh running (process %d), idle: %s", r.PID, r.Idle))
	case r.LastRun == nil:
		return fmt.Sprintf("refresh running (process %d), no run yet", r.PID)
	}
	return fmt.Sprintf("refresh running (process %d), last run %s: %d of %d entries refreshed", r.PID, ago(time.Since(*r.LastRun)), r.Refreshed, r.Entries)
}
