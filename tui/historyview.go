package tui

import (
	"fmt"
	"strings"

	"connsync/conntrackd/apply"
	"connsync/tui/text"
)

func (h *history) resize(width, height int) {
	h.width, h.height = width, height
	h.move(0)
}

// historyAbout is how many lines beneath the list tell more of the selected save.
const historyAbout = 3

func (h *history) listHeight() int { return max(h.height-2-historyAbout, 1) }

func (h *history) view() string {
	switch {
	case !h.read:
		return " Looking."
	case h.err != nil:
		return strings.Join(hang(h.env.fitting(text.NoHistory(h.err)), " ", h.width), "\n")
	case len(h.entries) == 0:
		return " " + text.NothingSaved
	}
	height := h.listHeight()
	lines := make([]string, 0, h.height)
	for i := h.top; i < min(len(h.entries), h.top+height); i++ {
		lines = append(lines, h.env.focused(i == h.selected, h.width, h.line(h.entries[i], i == h.selected))...)
	}
	lines = window(lines, 0, min(height, len(h.entries)))
	lines = append(lines, h.env.theme.Dim.Render(more(h.top, len(h.entries), height)), "")
	about := h.about(h.entries[h.selected])
	return strings.Join(append(lines, window(about, 0, historyAbout)...), "\n")
}

// line is one save; its columns are as wide on every line.
func (h *history) line(e apply.Entry, selected bool) string {
	line := h.env.mark(selected) + fmt.Sprintf("%4d  %s  ", e.Number, text.EntryTime(e.Time))
	outcome := text.EntryOutcome(e)
	line += h.env.role(entryWord(e)).Render(outcome)
	if beside := text.Join(", ", text.EntryBy(e), text.EntryWhat(e)); h.width >= 60 {
		line = pad(line, 38) + h.env.shown(beside)
	}
	return strings.TrimRight(h.env.fit(line, h.width), " ")
}

// about is what does not fit on the line of a save.
func (h *history) about(e apply.Entry) []string {
	lines := hang(h.env.shown(text.Join(", ", text.EntryBy(e), text.EntryWhat(e))), "   ", h.width)
	if detail := h.env.shown(e.Detail); detail != "" {
		lines = append(lines, hang(detail, "   ", h.width)...)
	}
	return lines
}

// entryWord is the word for how a save ended, for its colour.
func entryWord(e apply.Entry) string {
	switch {
	case e.InForce():
		return text.OK
	case e.Outcome == apply.EntryFailed, e.Outcome == apply.EntryUnreadable, e.Outcome == apply.EntryPending:
		return text.Fail
	}
	return text.Warn
}

// cursor stands on the selected save.
func (h *history) cursor() (x, y int, ok bool) {
	return 2, h.selected - h.top, len(h.entries) > 0
}

func (s *entryView) resize(width, height int) {
	s.width, s.height = width, height
	s.layOut()
}

func (s *entryView) layOut() {
	s.text = nil
	for _, line := range text.EntryLines(s.entry) {
		s.text = append(s.text, hang(strings.TrimSpace(s.env.shown(line)), " ", s.width)...)
	}
	switch {
	case !s.read:
		s.text = append(s.text, "", " Looking.")
	case s.err != nil:
		s.text = append(append(s.text, ""), hang(s.env.fitting(text.NoEntry(s.err)), " ", s.width)...)
	default:
		said := text.EntrySummary(s.env.table, s.entry, s.change.Before, s.change.After)
		s.text = append(append(s.text, ""), hang(s.env.fitting(said), " ", s.width)...)
		if s.change.Diff == "" {
			s.text = append(s.text, " "+text.FileStayed)
			break
		}
		s.text = append(append(s.text, ""), s.env.diffLines(s.change.Diff, s.width)...)
	}
	s.scroll(0)
}

func (s *entryView) textHeight() int { return max(s.height-2, 1) }

func (s *entryView) labels() ([]string, int) {
	switch {
	case !s.undoable():
		return []string{"Back"}, 0
	case s.onUndo:
		return []string{"Roll Back", "Back"}, 0
	}
	return []string{"Roll Back", "Back"}, 1
}

func (s *entryView) view() string {
	height := s.textHeight()
	lines := window(s.text, s.top, height)
	lines = append(lines, s.env.theme.Dim.Render(more(s.top, len(s.text), height)))
	labels, focus := s.labels()
	row, _ := s.env.buttonRow(labels, focus, s.width)
	return strings.Join(append(lines, row), "\n")
}

// cursor stands on the button with the focus.
func (s *entryView) cursor() (x, y int, ok bool) {
	labels, focus := s.labels()
	_, x = s.env.buttonRow(labels, focus, s.width)
	return x, s.textHeight() + 1, true
}
