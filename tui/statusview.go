package tui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"connsync/conntrackd"
)

func (s *status) resize(width, height int) {
	s.width, s.height = width, height
	s.scroll(0)
}

func (s *status) textHeight() int {
	if len(s.text()) <= s.height {
		return max(s.height, 1)
	}
	return max(s.height-1, 1)
}

func (s *status) view() string {
	text, height := s.text(), s.textHeight()
	lines := window(text, s.top, height)
	if height < s.height {
		lines = append(lines, s.env.theme.Dim.Render(more(s.top, len(text), height)))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// text is all there is to say, the most important first.
func (s *status) text() []string {
	if !s.seen {
		return []string{" Looking."}
	}
	blocks := [][]string{append(s.verdict(), s.noted()...)}
	counted := !s.health.Counters.Time.IsZero()
	if counted {
		blocks = append(blocks, s.traffic())
	}
	if s.wantsPeer() {
		blocks = append(blocks, peerLines(s.env, s.settings, s.width), s.about())
	}
	if counted {
		blocks = append(blocks, s.counts())
	}
	if !s.wantsPeer() {
		blocks = append(blocks, s.about())
	}
	var lines []string
	for _, block := range blocks {
		if len(lines) > 0 && len(block) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, block...)
	}
	return lines
}

func (s *status) verdict() []string {
	word := verdictWord(s.health.Verdict)
	lines := hang(StatusSentence(s.health), " "+s.env.word(word), s.width)
	indent := strings.Repeat(" ", min(1+wordWidth+2, s.width/6))
	if cause := s.env.shown(s.health.Cause); cause != "" {
		lines = append(lines, hang(cause, indent, s.width)...)
	}
	if next := s.env.shown(s.health.Next); next != "" {
		lines = append(lines, hang(next, indent+s.env.glyphs.Arrow+" ", s.width)...)
	}
	return lines
}

// wantsPeer reports whether the peer may not be set up as this node is.
func (s *status) wantsPeer() bool {
	switch s.health.Verdict {
	case conntrackd.VerdictSilent, conntrackd.VerdictReceivingOnly, conntrackd.VerdictSendingOnly, conntrackd.VerdictMismatch:
		return s.settings.Enabled && s.settings.Peer.Addr().IsValid()
	}
	return false
}

// traffic is a table of both directions with their plots. Its columns never
// move: a refresh sends the digits that changed.
func (s *status) traffic() []string {
	c := s.health.Counters
	narrow := s.width < 70
	row := func(name string, total uint64, messages, bytes func(conntrackd.Counters) uint64) string {
		line := fmt.Sprintf(" %-9s%12d%12s", name, total, s.rate(messages))
		if !narrow {
			line += fmt.Sprintf("%12s", s.rate(bytes))
		}
		return line
	}
	sent := row("sent", c.PacketsSent,
		func(c conntrackd.Counters) uint64 { return c.PacketsSent }, func(c conntrackd.Counters) uint64 { return c.BytesSent })
	recv := row("received", c.PacketsRecv,
		func(c conntrackd.Counters) uint64 { return c.PacketsRecv }, func(c conntrackd.Counters) uint64 { return c.BytesRecv })
	room := min(s.width-13, plotMax)
	scale := s.trace.scale(room)
	legend := fmt.Sprintf("plots: 5 s a sign, top is %.0f/s", scale)
	lines := []string{fmt.Sprintf(" %-9s%12s%12s", "", "messages", "per second"), sent, recv}
	if narrow {
		lines = append(lines, " "+legend)
	} else {
		lines[0] += fmt.Sprintf("%12s   %s", "bytes/s", legend)
	}
	// Plots have lines of their own: the renderer would send the cells between
	// a digit and a sign on the same line too. Their frame keeps the length.
	draw := func(name string, values []float64) string {
		return fmt.Sprintf(" %-9s|%s|", name, pad(plot(values, scale, room, s.env.glyphs.Plot), room))
	}
	return append(lines, draw("sent", s.trace.sent), draw("received", s.trace.recv))
}

// rate is a rate in at most nine cells.
func (s *status) rate(of func(conntrackd.Counters) uint64) string {
	rate, ok := s.trace.rate(of)
	switch {
	case !ok:
		return "-"
	case rate < 100:
		return fmt.Sprintf("%.1f", rate)
	}
	return fmt.Sprintf("%.0f", rate)
}

// counts are the numbers that say how well it goes, in columns.
func (s *status) counts() []string {
	c := s.health.Counters
	peer := number(c.External)
	peerName := "peer's states"
	if !s.settings.ExternalCache {
		// They go straight into the kernel's table and are counted on the way.
		peerName, peer = "into kernel", number(c.Injected)
	}
	cells := []struct{ name, value string }{
		{"states here", number(c.Internal)}, {"lost", number(c.Lost)}, {"malformed", number(c.Malformed)},
		{peerName, peer}, {"errors sent", number(c.ErrorsSent)}, {"overruns", number(c.Overruns)},
		{"resend queue", number(c.ResendQueue)}, {"dropped here", number(s.health.Sockets.Drops)}, {"no space", number(c.NoSpace)},
	}
	const cell = 26
	columns := max(1, min(3, s.width/cell))
	var lines []string
	for i, field := range cells {
		text := fmt.Sprintf(" %-15s%9s", field.name, field.value)
		if i%columns == 0 {
			lines = append(lines, text)
		} else {
			lines[len(lines)-1] += " " + text
		}
	}
	return lines
}

func number(n uint64) string {
	if n < 1e9 {
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("%.1fG", float64(n)/1e9)
}

// about is where and since when the daemon runs, and what it has got.
func (s *status) about() []string {
	h := s.health
	var lines []string
	add := func(name, text string) {
		if text != "" {
			lines = append(lines, hang(text, fmt.Sprintf(" %-9s", name), s.width)...)
		}
	}
	bound := ""
	switch {
	case h.Sockets.Bound:
		bound = "bound to " + s.env.shown(h.Sockets.Address)
	case !h.Counters.Time.IsZero():
		bound = "NOT bound to the address and port that are set"
	}
	add("link", join(", ", join(" ", s.env.shown(h.Device), s.env.shown(h.Link)), bound))
	if h.Sockets.Bound {
		add("buffers", s.buffer("receive", h.Sockets.ReceiveBuffer, s.settings.ReceiveBuffer)+", "+
			s.buffer("send", h.Sockets.SendBuffer, s.settings.SendBuffer))
	}
	add("daemon", s.daemon())
	return lines
}

// buffer compares what is in force with what was asked for. The kernel doubles
// what it is asked for.
func (s *status) buffer(name string, inForce, asked int) string {
	switch {
	case asked == 0:
		return fmt.Sprintf("%s %d (the kernel's own)", name, inForce)
	case inForce < 2*asked:
		return fmt.Sprintf("%s ONLY %d (asked 2 x %d)", name, inForce, asked)
	case inForce == 2*asked:
		return fmt.Sprintf("%s %d (2 x %d)", name, inForce, asked)
	}
	return fmt.Sprintf("%s %d (asked %d)", name, inForce, asked)
}

func (s *status) daemon() string {
	state := s.health.Service
	var parts []string
	if state.Detail != "" {
		parts = append(parts, s.env.shown(state.Detail))
	}
	switch {
	case !state.Present && state.MainPID == 0:
		return join(", ", parts...)
	case state.Active:
		parts = append(parts, join(" for ", "running", s.uptime()))
	default:
		parts = append(parts, "not running")
	}
	switch {
	case state.Unbooted: // the detail says so
	case state.Enabled:
		parts = append(parts, "starts at boot")
	default:
		parts = append(parts, "does NOT start at boot")
	}
	if state.Restarts > 0 {
		parts = append(parts, fmt.Sprintf("restarted %d times by itself", state.Restarts))
	}
	return join(", ", parts...)
}

// uptime is the time since the daemon's start in steps of at least a minute,
// so that it does not change with every look.
func (s *status) uptime() string {
	up := s.health.Uptime
	if since := s.health.Service.Since; up == 0 && !since.IsZero() && s.health.Counters.Time.After(since) {
		up = s.health.Counters.Time.Sub(since)
	}
	if up == 0 && s.health.Counters.Time.IsZero() {
		return ""
	}
	return spanText(up)
}

func spanText(d time.Duration) string {
	minutes := int(d / time.Minute)
	switch {
	case minutes < 1:
		return "less than a minute"
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes < 24*60:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
	return fmt.Sprintf("%d d %d h", minutes/(24*60), minutes/60%24)
}
