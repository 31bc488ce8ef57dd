package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"unicode/utf8"

	"connsync/lab/vt102"
)

// The size of a cell, and the margin around the screen, in pixels.
const (
	cellWidth, cellHeight = 8, 17
	margin                = 10
)

// palette are the colours of a picture: those of the terminal itself, and its first 16.
type palette struct {
	paper, ink string
	colours    [16]string
}

// paletteOf is that of a terminal which says what its background is; blank for a dark one.
func paletteOf(background string) palette {
	if background == "" {
		return palette{"#16191d", "#d6dade", [16]string{
			"#2b3036", "#e06c6c", "#8ccf7e", "#e5c76b", "#67b0e8", "#c47fd5", "#6cbfbf", "#d6dade",
			"#7f8891", "#ef8b8b", "#a6e0a0", "#f0da8c", "#90c8f5", "#d9a3e6", "#8fd9d9", "#ffffff",
		}}
	}
	return palette{"#ffffff", "#1c1f23", [16]string{ // those of xterm
		"#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5",
		"#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff",
	}}
}

// colour is one of the 256: the 16, a cube of six levels each, and 24 greys.
func (p palette) colour(n int) string {
	level := func(n int) int { return min(n, 1)*55 + 40*n }
	switch {
	case n < 16:
		return p.colours[max(n, 0)]
	case n < 232:
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6))
	}
	return fmt.Sprintf("#%02[1]x%02[1]x%02[1]x", 8+10*(n-232))
}

// picture is a screen as SVG: one line of text for each of the screen's, in which a run
// that looks different is a tspan. Every run is as wide as its cells in any font.
func (p palette) picture(title string, columns int, lines [][]vt102.Run) []byte {
	var b bytes.Buffer
	width, height := columns*cellWidth+2*margin, len(lines)*cellHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", escaped(title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="6" fill="%s"/>`+"\n", width, height, p.paper)
	fmt.Fprintf(&b, `<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13.3" fill="%s" xml:space="preserve">`+"\n", p.ink)
	for y, runs := range lines {
		base := margin + y*cellHeight + 13
		for _, r := range runs {
			if r.Filled() {
				fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", margin+r.Column*cellWidth, base-13, cells(r)*cellWidth, cellHeight, p.behind(r))
			}
		}
		if len(runs) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<text y="%d">`, base)
		for _, r := range runs {
			fmt.Fprintf(&b, `<tspan x="%d" textLength="%d"%s>%s</tspan>`, margin+r.Column*cellWidth, cells(r)*cellWidth, p.looks(r), escaped(r.Text))
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

func cells(r vt102.Run) int { return utf8.RuneCountInString(r.Text) }

func (p palette) colourOf(r vt102.Run) string {
	if r.Colour < 0 {
		return p.ink
	}
	return p.colour(r.Colour)
}

// behind is the colour of what a filled run stands on.
func (p palette) behind(r vt102.Run) string {
	if r.Reverse {
		return p.colourOf(r)
	}
	return p.colour(r.Behind)
}

func (p palette) looks(r vt102.Run) string {
	s := ""
	if r.Bold {
		s += ` font-weight="bold"`
	}
	switch {
	case r.Reverse:
		s += fmt.Sprintf(` fill="%s"`, p.paper)
	case r.Colour >= 0:
		s += fmt.Sprintf(` fill="%s"`, p.colourOf(r))
	}
	return s
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}
