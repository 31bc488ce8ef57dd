package console

// reset brings a terminal back that noise, another program or the kernel has
// left in an odd state, and clears it: the ordinary character set, no style,
// no scrolling region, no insert mode.
const reset = "\x0f\x1b[m\x1b[r\x1b[4l\x1b[H\x1b[2J"

// display is what the terminal shows, as far as what was sent tells.
type display struct {
	cells grid
	pen   pen
}

// clearDisplay returns a display of that size just after [reset].
func clearDisplay(width, height int) *display {
	return &display{cells: newGrid(width, height)}
}

// paint returns the bytes that make those rows of the display what want says.
// The bottom right cell is never written: some terminals scroll then.
func (d *display) paint(want grid, rows func(y int) bool) []byte {
	d.pen.out = nil
	for y := range want {
		if !rows(y) {
			continue
		}
		row := want[y]
		if y == len(want)-1 {
			row = append([]cell(nil), row...)
			row[len(row)-1] = blank
		}
		d.paintRow(y, row)
	}
	return d.pen.out
}

// differs says whether a row of the display is not yet what want says.
func (d *display) differs(want grid, y int) bool {
	for x := range want[y] {
		if want[y][x] != d.cells[y][x] && (y < len(want)-1 || x < len(want[y])-1) {
			return true
		}
	}
	return false
}

// paintRow tries the plain way and every place where erasing the rest of the
// row first could be cheaper, and takes the best.
func (d *display) paintRow(y int, want []cell) {
	best := d.pen.fork()
	cells := writeRow(&best, d.cells[y], want, y, -1)
	for _, at := range erasures(d.cells[y], want) {
		try := d.pen.fork()
		got := writeRow(&try, d.cells[y], want, y, at)
		if len(try.out) < len(best.out) {
			best, cells = try, got
		}
	}
	d.pen, d.cells[y] = best, cells
}

// erasures are the columns where a run of blanks begins that covers something.
func erasures(have, want []cell) []int {
	var at []int
	for x := range want {
		if want[x] != blank || x > 0 && want[x-1] == blank {
			continue
		}
		for i := x; i < len(want) && want[i] == blank; i++ {
			if have[i] != blank {
				at = append(at, x)
				break
			}
		}
	}
	return at
}

// writeRow writes what differs, from the left, and returns the row as it is
// then. From column erase on, unless that is negative, the row is cleared
// before it is written.
func writeRow(p *pen, have, want []cell, y, erase int) []cell {
	row := append([]cell(nil), have...)
	for x := range want {
		if x == erase {
			p.goTo(x, y, row)
			p.erase()
			clearCells(row[x:])
		}
		if row[x] == want[x] {
			continue
		}
		if want[x].text == "" { // came with its left half
			row[x] = want[x]
			continue
		}
		p.write(x, y, want[x], row)
		if row[x] = want[x]; x+1 < len(want) && want[x+1].text == "" {
			row[x+1] = want[x+1]
		} else if x+1 < len(row) && row[x+1].text == "" {
			row[x+1] = cell{style: "?"} // half of what was overwritten; nobody knows
		}
	}
	return row
}

// moveTo puts the cursor where the person is. A style that is not that place's ends
// with it, so that the next key does not have to end it, nor a message of the kernel
// has it.
func (d *display) moveTo(x, y int) []byte {
	d.pen.out = nil
	if d.cells[y][x].style != d.pen.style {
		d.pen.restyle("")
	}
	d.pen.goTo(x, y, d.cells[y])
	return d.pen.out
}
