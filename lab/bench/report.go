package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// row is one line of the report.
type row struct {
	section, name string
	ours          string
	beside        string // what it is compared with
	theirs        string
	ratio         float64 // of ours to theirs
	most          float64 // the target: the highest ratio; 0 where there is none
	why           string  // it could not be measured; then the rest is blank
}

// bad says that the row is no success.
func (r row) bad() bool { return r.why != "" || r.missed() }

func (r row) missed() bool { return r.most > 0 && r.ratio > r.most }

// verdict is the last column.
func (r row) verdict() string {
	switch {
	case r.why != "":
		return "not measured: " + strings.Join(strings.Fields(r.why), " ")
	case r.most == 0:
		return ""
	case r.missed():
		return fmt.Sprintf("at most %.4g: MISSED", r.most)
	}
	return fmt.Sprintf("at most %.4g", r.most)
}

func (r row) String() string {
	if r.why != "" {
		return fmt.Sprintf("%-11s %-44s %s", r.section, r.name, r.verdict())
	}
	return fmt.Sprintf("%-11s %-44s %10s  %10s %-34s x %-8s %s", r.section, r.name, r.ours, r.theirs, r.beside, number(r.ratio), r.verdict())
}

// number is a ratio with as many digits as mean something.
func number(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2g", x)
}

// timed adds a row of two times; most is its target, 0 for none.
func (b *bench) timed(name string, ours time.Duration, beside string, theirs time.Duration, most float64) {
	b.rows = append(b.rows, row{name: name, ours: span(ours), beside: beside, theirs: span(theirs), ratio: float64(ours) / float64(theirs), most: most})
}

// span is a time with three digits.
func span(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d.Nanoseconds())/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d.Microseconds())/1e3)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

// sized adds a row of two sizes in bytes.
func (b *bench) sized(name string, ours int64, beside string, theirs int64, most float64) {
	mega := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
	b.rows = append(b.rows, row{name: name, ours: mega(ours), beside: beside, theirs: mega(theirs), ratio: float64(ours) / float64(theirs), most: most})
}

// The table stands between these lines of the page.
const (
	beginMark = "<!-- make bench writes from here -->\n"
	endMark   = "<!-- to here; make bench -->\n"
)

// write puts the report into the page and the picture.
func write(o options, rows []row, took time.Duration) error {
	var t bytes.Buffer
	fmt.Fprintf(&t, "Measured on %s in %v: %s.\n\n", time.Now().UTC().Format(time.DateOnly), took.Round(time.Second), machine())
	t.WriteString("| | measured | connsync | beside | theirs | ratio | target for the ratio |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		ratio := number(r.ratio)
		if r.why != "" {
			ratio = ""
		}
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %s | %s | %s |\n", r.section, r.name, r.ours, r.beside, r.theirs, ratio, strings.ReplaceAll(r.verdict(), "|", "/"))
	}
	old, err := os.ReadFile(o.document)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(old, []byte(beginMark))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table", o.document)
	}
	if err := os.WriteFile(o.document, bytes.Join([][]byte{before, []byte(beginMark), t.Bytes(), []byte(endMark), after}, nil), 0o644); err != nil {
		return err
	}
	return os.WriteFile(o.picture, drawn(rows), 0o644)
}

// machine says what was measured on.
func machine() string {
	text := fmt.Sprintf("%d processors", runtime.NumCPU())
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		text += ", Linux " + unix.ByteSliceToString(u.Release[:]) + ", " + unix.ByteSliceToString(u.Machine[:])
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		text += ", load average " + strings.Fields(string(load))[0] + " at the end"
	}
	return text
}

// The picture: a bar for each ratio, on a logarithmic axis from a thousandth to a
// thousand, with a mark where its target is.
const (
	labelWidth, axisWidth, barHeight, top = 420, 360, 16, 34
	decades                               = 3
)

func drawn(rows []row) []byte {
	var b bytes.Buffer
	height := top + barHeight*len(rows) + 12
	width := labelWidth + axisWidth + 80
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	b.WriteString("<title>connsync beside what does the same: ratios, lower is better</title>\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n"+`<g font-family="DejaVu Sans, Helvetica, sans-serif" font-size="11" fill="#22272e">`+"\n", width, height)
	for e := -decades; e <= decades; e++ {
		x := at(math.Pow(10, float64(e)))
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#d0d5da"/><text x="%d" y="%d" text-anchor="middle">%g</text>`+"\n", x, top-8, x, height-8, x, top-14, math.Pow(10, float64(e)))
	}
	for i, r := range rows {
		y := top + i*barHeight
		name := r.name
		if r.why == "" {
			name += " / " + r.beside
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, y+11, escaped(name))
		if r.why != "" {
			fmt.Fprintf(&b, `<text x="%d" y="%d">not measured</text>`+"\n", labelWidth+4, y+11)
			continue
		}
		colour := "#5b8db8"
		switch {
		case r.missed():
			colour = "#c8553d"
		case r.most > 0:
			colour = "#5a9a5a"
		}
		from, to := min(at(1), at(r.ratio)), max(at(1), at(r.ratio))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`, from, y+2, max(to-from, 2), barHeight-5, colour)
		if r.most > 0 {
			fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#000000" stroke-width="2"/>`, at(r.most), y, at(r.most), y+barHeight-1)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", labelWidth+axisWidth+12, y+11, number(r.ratio))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// at is where a ratio stands on the axis.
func at(ratio float64) int {
	e := min(max(math.Log10(ratio), -decades), decades)
	return labelWidth + int(math.Round((e+decades)/(2*decades)*axisWidth))
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}
