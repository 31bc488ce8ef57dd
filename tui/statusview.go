package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// looking is shown until the first answer has come.
const looking = "Looking."

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

func (s *status) view() string { return scrolled(s.env, s.text(), s.top, s.height) }

const (
	// mostPlotRows bounds the height of a plot.
	mostPlotRows = 8
	// mostEvents bounds how many events stand on the screen.
	mostEvents = 20
)

// text is all there is to say, the most important first. What the window has room for
// beside that goes to the events and to the height of the plots.
func (s *status) text() []string {
	if !s.pulse.seen {
		return []string{" " + looking}
	}
	h := s.pulse.health
	blocks := [][]string{append(s.verdict(), s.noted()...), s.pair(), s.facts()}
	if text.WantsPeer(h, s.settings) {
		blocks = append(blocks, peerLines(s.env, s.settings, s.width))
	}
	about := [][]string{s.counts(), s.about()}
	first := height(append(blocks, s.plots(1))) // of what comes before the events
	room, rows := s.height-first-height(about)-2, 1
	if room >= 2 {
		rows = min(1+room/4, mostPlotRows)
	} else {
		room = s.height - 1 - first - 1 // the rest is scrolled to
	}
	events := s.events(room - 2*(rows-1))
	return joined(append(append(blocks, s.plots(rows), events), about...))
}

// height is how many lines the blocks take with what is between them.
func height(blocks [][]string) int { return len(joined(blocks)) }

// joined are the blocks that have lines, with a blank line between two of them.
func joined(blocks [][]string) []string {
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
	h := s.pulse.health
	sentence, cause := text.LookSentence(h), s.env.shown(h.Cause)
	if h.Verdict == health.VerdictTwoWay {
		sentence = text.InSync(h, s.pulse.lasting(), s.pulse.now())
		if h.Next == "" {
			cause = "" // it is the proof, and nobody asks
		}
	}
	lines := hang(sentence, " "+s.env.word(text.StatusWord(h)), s.width)
	indent := strings.Repeat(" ", min(1+text.WordWidth+2, s.width/6))
	if cause != "" {
		lines = append(lines, hang(cause, indent, s.width)...)
	}
	if next := s.env.shown(h.Next); next != "" {
		lines = append(lines, hang(next, indent+s.env.glyphs.Arrow+" ", s.width)...)
	}
	return lines
}

// pairWidth is the width of the table of both nodes at most.
const pairWidth = 104

// pair are the two nodes side by side, and what goes between them. Its columns never move:
// a refresh sends the digits that changed.
func (s *status) pair() []string {
	h := s.pulse.health
	if !s.settings.Peer.Addr().IsValid() || h.Counters.Time.IsZero() {
		return nil
	}
	n := text.NewPairNumbers(h)
	here := strings.TrimSpace(s.env.shown(s.env.hostname) + " " + s.settings.Current.Addr().String())
	peer, link := s.settings.Peer.Addr().String()+" peer", s.link()
	if s.width < 70 {
		return s.narrowPair(n, here, peer, link)
	}
	const indent, left, right = 10, 22, 24
	middle := min(s.width, pairWidth) - indent - left - right - 1
	row := func(a, b, c string) string {
		return strings.TrimRight(strings.Repeat(" ", indent)+pad(a, left)+centred(b, middle)+c, " ")
	}
	value := func(label, number string, width int) string {
		return label + fmt.Sprintf("%*s", width-len(label), number)
	}
	title := row(here, link, fmt.Sprintf("%*s", right, peer))
	if len(here)+ansi.StringWidth(link)+len(peer)+4 > left+middle+right || len(here) > left+(middle-ansi.StringWidth(link))/2 {
		gap := left + middle + right - ansi.StringWidth(here) - len(peer)
		title = strings.Repeat(" ", indent) + here + strings.Repeat(" ", max(gap, 2)) + peer
	}
	return []string{
		s.env.fit(title, s.width),
		row(value("connections", n.Connections, left-2), s.arrow(n.Sent, true), value("acknowledged", n.Acknowledged, right)),
		row(value("from the peer", n.FromPeer, left-2), s.arrow(n.Received, false), value("last heard", n.Heard, right)),
	}
}

// narrowPair is the pair where there is no room side by side.
func (s *status) narrowPair(n text.PairNumbers, here, peer, link string) []string {
	row := func(label, number, beside string) string {
		return strings.TrimRight(fmt.Sprintf(" %-14s%10s  %s", label, number, beside), " ")
	}
	return []string{
		s.env.fit(" "+here+", "+link, s.width),
		row("connections", n.Connections, s.arrow(n.Sent, true)),
		row("from the peer", n.FromPeer, s.arrow(n.Received, false)),
		s.env.fit(" "+peer, s.width),
		row("acknowledged", n.Acknowledged, ""),
		row("last heard", n.Heard, ""),
	}
}

// arrow is one way of the sync with its rate, always as wide.
func (s *status) arrow(rate string, out bool) string {
	line := s.env.glyphs.Rule
	const cells = 7
	rate = fmt.Sprintf("%*s", cells, rate)
	if s.width < 70 {
		line = ""
	} else {
		line = strings.Repeat(line, 3) + " "
	}
	if out {
		return line + rate + " " + strings.Repeat(s.env.glyphs.Rule, 3) + ">"
	}
	if line != "" {
		line = "<" + line
	}
	tail := " " + strings.Repeat(s.env.glyphs.Rule, 3)
	if line == "" {
		tail = " <" + strings.Repeat(s.env.glyphs.Rule, 3)
	}
	return line + rate + tail
}

// link is the sync link in a few words.
func (s *status) link() string {
	name := s.env.shown(s.pulse.health.Device)
	if name == "" {
		name = s.env.shown(s.settings.Interface)
	}
	state := s.env.shown(s.pulse.health.Link)
	if state == "RUNNING" {
		state = ""
	}
	speed := ""
	if i, ok := s.host.find(s.pulse.health.Device); ok {
		speed = text.SpeedWord(i.SpeedMbps)
	}
	return text.Join(", ", name, state, speed)
}

func centred(words string, width int) string {
	left := max(width-ansi.StringWidth(words), 0) / 2
	return pad(strings.Repeat(" ", left)+words, width)
}

// facts are what would survive, what was lost, and who the peer is.
func (s *status) facts() []string {
	h := s.pulse.health
	var lines []string
	for _, r := range []text.Row{
		{Label: "survive", Text: text.Survive(h)},
		{Label: "losses", Text: text.Losses(h)},
		{Label: "peer", Text: text.PeerRow(s.env.table, s.settings)},
	} {
		if r.Text != "" {
			lines = append(lines, s.labelled(r)...)
		}
	}
	return lines
}

func (s *status) labelled(r text.Row) []string {
	return hang(s.env.fitting(r.Text), fmt.Sprintf(" %-9s", r.Label), s.width)
}

// plots are both directions as far as the window is wide, each of so many rows, with the
// scale of each beneath. They have lines of their own: the renderer would send the cells
// between a digit and a column on the same line too. Their frame keeps the length.
func (s *status) plots(rows int) []string {
	room := s.width - 13
	if len(s.pulse.trace.sent) == 0 && s.pulse.health.Counters.Time.IsZero() {
		return nil
	}
	var lines []string
	first := s.pulse.trace.window(room, s.env.glyphs.ASCII) // a line that takes ASCII only may be slow
	draw := func(name string, values []float64) float64 {
		values = values[first:]
		top := scale(values)
		for _, line := range plot(values, top, rows, s.env.glyphs.Plot) {
			lines = append(lines, fmt.Sprintf(" %-9s|%s|", name, pad(line, room)))
			name = ""
		}
		return top
	}
	sent, received := draw("sent", s.pulse.trace.sent), draw("received", s.pulse.trace.recv)
	legend := fmt.Sprintf("one column = 5 s, full height = %.0f/s (sent), %.0f/s (received)", sent, received)
	return append(lines, hang(legend, " ", s.width)...)
}

// events are the newest ones that have room.
func (s *status) events(room int) []string {
	var lines []string
	if s.pulse.log == nil {
		return nil
	}
	for _, e := range s.pulse.log.Events {
		if len(lines) >= min(room, mostEvents) {
			break
		}
		lines = append(lines, s.env.fit(" "+s.env.fitting(text.NearEvent(e, s.pulse.now())), s.width))
	}
	return lines
}

// counts are the numbers that say how well it goes, in columns.
func (s *status) counts() []string {
	if s.pulse.health.Counters.Time.IsZero() {
		return nil
	}
	const width = 26
	columns := max(1, min(3, s.width/width))
	var lines []string
	for i, c := range text.Counts(s.pulse.health, s.settings) {
		cell := fmt.Sprintf(" %-17s%7s", c.Name, c.Value)
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
	for _, r := range text.About(s.pulse.health, s.settings) {
		if r.Label != "survive" { // which the facts have
			lines = append(lines, s.labelled(r)...)
		}
	}
	return lines
}
