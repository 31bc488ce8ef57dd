package console

import (
	"strconv"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// pen writes for a terminal and knows where its cursor stands. It uses what a
// VT100 of 1978 understands and nothing else: CUP, CUU, CUD, CUF, CUB, RI, ED,
// EL, SGR, and the characters CR, LF and BS. It is a value: a copy tries out
// what something would cost.
type pen struct {
	out   []byte
	x, y  int // x is negative where nobody knows
	style string
}

// restyle changes the style of what is written next.
func (p *pen) restyle(style string) {
	switch {
	case style == p.style:
		return
	case style == "":
		p.out = append(p.out, "\x1b[m"...)
	case p.style == "":
		p.out = append(append(append(p.out, "\x1b["...), style...), 'm')
	default:
		p.out = append(append(append(p.out, "\x1b[0;"...), style...), 'm')
	}
	p.style = style
}

// write puts a cell where it belongs, whichever is cheaper first: to go there
// or to change the style.
func (p *pen) write(x, y int, c cell, row []cell) {
	styled := p.fork()
	styled.restyle(c.style)
	styled.goTo(x, y, row)
	p.goTo(x, y, row)
	p.restyle(c.style)
	if len(styled.out) < len(p.out) {
		*p = styled
	}
	p.put(c, len(row))
}

// put writes a cell of a row of that width. After the last column terminals
// differ in where the cursor is, and so they may after a wide character.
func (p *pen) put(c cell, width int) {
	p.out = append(p.out, c.text...)
	p.x++
	if p.x >= width || len(c.text) > 1 && (ansi.StringWidth(c.text) != 1 || utf8.RuneCountInString(c.text) != 1) {
		p.x = -1
	}
}

// control writes ESC [ n final; n is left out when it is 1.
func (p *pen) control(n int, final byte) {
	p.out = append(p.out, "\x1b["...)
	if n != 1 {
		p.out = strconv.AppendInt(p.out, int64(n), 10)
	}
	p.out = append(p.out, final)
}

// goTo moves the cursor the cheapest way. row is what the terminal shows in
// row y: where it is cheaper, the way leads over it by writing it again.
func (p *pen) goTo(x, y int, row []cell) {
	if p.x == x && p.y == y {
		return
	}
	best := p.absolute(x, y)
	if p.x >= 0 {
		for _, way := range []pen{p.vertical(y), p.fromMargin(y)} {
			way.horizontal(x, row)
			if len(way.out) < len(best.out) {
				best = way
			}
		}
	}
	*p = best
}

// fork is a copy whose output does not disturb the original's.
func (p *pen) fork() pen {
	q := *p
	q.out = append([]byte(nil), p.out...)
	return q
}

func (p *pen) absolute(x, y int) pen {
	q := p.fork()
	q.out = append(q.out, "\x1b["...)
	if y > 0 {
		q.out = strconv.AppendInt(q.out, int64(y+1), 10)
	}
	if x > 0 {
		q.out = strconv.AppendInt(append(q.out, ';'), int64(x+1), 10)
	}
	q.out = append(q.out, 'H')
	q.x, q.y = x, y
	return q
}

// vertical stays in its column.
func (p *pen) vertical(y int) pen {
	q := p.fork()
	switch {
	case y == q.y-1:
		q.out = append(q.out, "\x1bM"...)
	case y < q.y:
		q.control(q.y-y, 'A')
	case y > q.y:
		q.control(y-q.y, 'B')
	}
	q.y = y
	return q
}

// fromMargin goes to the first column. LF is used after CR only: a terminal
// in new line mode goes there by itself.
func (p *pen) fromMargin(y int) pen {
	q := p.fork()
	q.out = append(q.out, '\r')
	q.x = 0
	if d := y - q.y; d > 0 && d <= 4 {
		for range d {
			q.out = append(q.out, '\n')
		}
		q.y = y
		return q
	}
	return q.vertical(y)
}

func (p *pen) horizontal(x int, row []cell) {
	d := x - p.x
	switch {
	case d < 0 && d >= -4:
		for range -d {
			p.out = append(p.out, '\b')
		}
	case d < 0:
		p.control(-d, 'D')
	case d > 0 && d <= 4 && p.rewritable(row[p.x:x]):
		for _, c := range row[p.x:x] {
			p.out = append(p.out, c.text...)
		}
	case d > 0:
		p.control(d, 'C')
	}
	p.x = x
}

// rewritable says whether the cells can be written without anything else.
func (p *pen) rewritable(cells []cell) bool {
	for _, c := range cells {
		if c.style != p.style || len(c.text) != 1 {
			return false
		}
	}
	return true
}

// erase clears the rest of the row. Terminals differ in whether they do it in
// the colour in force, so that it is done in none.
func (p *pen) erase() {
	p.restyle("")
	p.out = append(p.out, "\x1b[K"...)
}
