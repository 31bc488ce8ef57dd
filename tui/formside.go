package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"connsync/tui/text"
)

const (
	// formColumn is how wide the form is at least with the link beside it, and
	// advancedColumn the page whose notes are longer.
	formColumn, advancedColumn = 74, 96
	// sideColumn is what the link needs beside it.
	sideColumn = 24
	// columnGap is what is free between the two; the last cell is free too.
	columnGap = 2
)

// columns are how wide the form and what stands beside it are in a window of that width;
// side is 0 where the form stands alone, which is below 100 cells.
func (p *formPage) columns(width int) (form, side int) {
	least := formColumn
	if p.advanced {
		least = advancedColumn
	}
	if width < least+columnGap+sideColumn {
		return width, 0
	}
	form = max(least, min(width/2, advancedColumn))
	return form, width - form - columnGap - 1
}

// beside puts the link, and on a fast line the help of the focused field, to the right of
// the form.
func (f *form) beside(lines []string) []string {
	l, g := f.layout, f.env.glyphs
	side := f.sideLines(l.side, l.height)
	gap := strings.Repeat(" ", columnGap)
	if f.env.theme.Bar {
		gap = f.env.theme.Dim.Render(g.Line) + gap[1:]
	}
	for i := range max(len(side), len(lines)) {
		if i == len(lines) {
			lines = append(lines, "")
		}
		if i < len(side) && side[i] != "" || f.env.theme.Bar {
			lines[i] = pad(ansi.Truncate(lines[i], l.width, ""), l.width) + gap
		}
		if i < len(side) {
			lines[i] += side[i]
		}
	}
	return lines
}

// sideLines are as many as there is room for, each of at most width cells.
func (f *form) sideLines(width, height int) []string {
	e := f.env
	lines := f.linkColumn(width)
	if e.theme.Bar {
		if lines == nil && e.effects.Linker != nil {
			lines = append([]string{e.theme.Title.Render(linkTitle)}, e.styled("", wrap(linkToCome, width))...)
		}
		if f.focus < len(f.fields) {
			fd := f.fields[f.focus]
			lines = append(lines, "", e.theme.Title.Render(fd.Label))
			for _, about := range append(f.about(fd), "", defaultOf(fd), exampleOf(fd)) {
				lines = append(lines, wrap(about, width)...)
			}
		}
		for len(lines) < height {
			lines = append(lines, "")
		}
	}
	return lines[:min(len(lines), height)]
}

// linkToCome is said where nothing is known of the link yet.
const linkToCome = "Checked once interface, addresses and port are valid and no key is pressed."

// linkColumn is the link as it is now, one end after the other; nil where nothing is
// known.
func (f *form) linkColumn(width int) []string {
	l := &f.link
	if l.answer == nil {
		return nil
	}
	e, s := f.env, l.about.settings
	now := text.LinkNowOf(*l.answer, s.Peer.Addr().Unmap().Is6())
	lines := []string{e.theme.Title.Render(linkTitle)}
	lines = append(lines, hang(s.Current.Addr().String()+" on "+e.shown(s.Interface)+", "+now.State, "this node ", width)...)
	lines = append(lines, hang(s.Peer.Addr().String()+" "+now.Peer, "peer      ", width)...)
	lines = append(lines, wrap(f.linkCounts(now), width)...)
	return append(lines, e.styled(now.Word, wrap(e.shown(now.Sentence), width))...)
}
