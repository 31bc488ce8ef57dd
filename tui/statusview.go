package tui

import (
	"fmt"
	"strings"

	"connsync/conntrackd/control"
	"connsync/tui/text"
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
	if text.WantsPeer(s.health, s.settings) {
		blocks = append(blocks, peerLines(s.env, s.settings, s.width), s.about())
	}
	if counted {
		blocks = append(blocks, s.counts())
	}
	if !text.WantsPeer(s.health, s.settings) {
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
	word := text.VerdictWord(s.health.Verdict)
	lines := hang(text.StatusSentence(s.health.Verdict), " "+s.env.word(word), s.width)
	indent := strings.Repeat(" ", min(1+text.WordWidth+2, s.width/6))
	if cause := s.env.shown(s.health.Cause); cause != "" {
		lines = append(lines, hang(cause, indent, s.width)...)
	}
	if next := s.env.shown(s.health.Next); next != "" {
		lines = append(lines, hang(next, indent+s.env.glyphs.Arrow+" ", s.width)...)
	}
	return lines
}

// traffic is a table of both directions with their plots. Its columns never
// move: a refresh sends the digits that changed.
func (s *status) traffic() []string {
	c := s.health.Counters
	narrow := s.width < 70
	row := func(name string, total uint64, messages, bytes func(control.Counters) uint64) string {
		line := fmt.Sprintf(" %-9s%12d%12s", name, total, s.rate(messages))
		if !narrow {
			line += fmt.Sprintf("%12s", s.rate(bytes))
		}
		return line
	}
	sent := row("sent", c.PacketsSent,
		func(c control.Counters) uint64 { return c.PacketsSent }, func(c control.Counters) uint64 { return c.BytesSent })
	recv := row("received", c.PacketsRecv,
		func(c control.Counters) uint64 { return c.PacketsRecv }, func(c control.Counters) uint64 { return c.BytesRecv })
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
func (s *status) rate(of func(control.Counters) uint64) string {
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
	const width = 26
	columns := max(1, min(3, s.width/width))
	var lines []string
	for i, c := range text.Counts(s.health, s.settings) {
		cell := fmt.Sprintf(" %-15s%9s", c.Name, c.Value)
		if i%columns == 0 {
			lines = append(lines, cell)
		} else {
			lines[len(lines)-1] += " " + cell
		}
	}
	return lines
}

// about is where and since when the daemon runs, and what it has got.
func (s *status) about() []string {
	var lines []string
	for _, r := range text.About(s.health, s.settings) {
		lines = append(lines, hang(s.env.fitting(r.Text), fmt.Sprintf(" %-9s", r.Label), s.width)...)
	}
	return lines
}
