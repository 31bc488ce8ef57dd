package console

import (
	"sync"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

const (
	// gather is how long the painter waits for what belongs to a change
	// before it draws it. The first frame waits only where the line is slow.
	gather = 8 * time.Millisecond
	// While keys come as fast as this, only the row that they act on is drawn
	// at once...
	repeating = 250 * time.Millisecond
	// ...and the others when they pause, or have not been drawn for a while.
	pause    = 120 * time.Millisecond
	overdue  = time.Second
	pageRows = 7 // as many rows that change are another page, not a change
)

// askBackground asks a terminal for its background colour (OSC 11). It answers after the
// first frame, if at all.
const askBackground = "\x1b]11;?\x07"

// frame is what the program wants to be seen.
type frame struct {
	text          string
	width, height int
	x, y          int
	cursor        bool
}

// painter draws the newest frame when the line is free, and nothing that is
// out of date by then. It takes frames while the line takes no bytes: the
// program never waits for its terminal. show, typed and redraw are safe for
// concurrent use.
type painter struct {
	line *Line
	lost func()         // called when the line takes no more
	pace func(sent int) // waits until the line has taken what was sent; may be nil
	wake chan struct{}
	stop chan struct{}
	done chan struct{}
	// first is called when a frame has been sent for the first time; may be nil.
	first   func()
	writing atomic.Bool // what is drawn, which may be more than the line's queue takes

	mu          sync.Mutex
	next        *frame
	renew       bool // the terminal no longer shows what was sent
	key, before time.Time

	// Of the goroutine that draws.
	display *display
	entered bool // the alternate screen, where there is one
	hidden  bool
	full    time.Time // when everything was drawn last
}

func newPainter(l *Line, lost func()) *painter {
	return &painter{
		line: l, lost: lost, pace: l.pacer(), wake: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}), renew: true,
	}
}

// show takes a frame in place of the one before.
func (p *painter) show(v tea.View, width, height int) {
	f := &frame{text: v.Content, width: width, height: height}
	if v.Cursor != nil {
		f.x, f.y, f.cursor = v.Cursor.X, v.Cursor.Y, true
	}
	p.mu.Lock()
	p.next = f
	p.mu.Unlock()
	p.rouse()
}

// typed notes that a key came.
func (p *painter) typed() {
	p.mu.Lock()
	p.before, p.key = p.key, time.Now()
	p.mu.Unlock()
}

// redraw draws everything again: something else has written on the terminal.
func (p *painter) redraw() {
	p.mu.Lock()
	p.renew = true
	p.mu.Unlock()
	p.rouse()
}

func (p *painter) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run draws until the painter is closed. What is put off for later is drawn
// then. Once it is closed no new frame is begun, which a slow line would be sending
// while the program ends.
func (p *painter) run() {
	defer close(p.done)
	later := time.NewTimer(0)
	defer later.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
			if p.display != nil || p.line.uart {
				time.Sleep(gather)
			}
		case <-later.C:
		}
		if p.stopped() {
			return
		}
		if wait := p.draw(); wait > 0 {
			later.Reset(wait)
		}
	}
}

func (p *painter) stopped() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// draw brings the terminal up to date. Where something is left for later it
// returns when.
func (p *painter) draw() (wait time.Duration) {
	p.mu.Lock()
	f, renew, key, before := p.next, p.renew, p.key, p.before
	p.renew = renew && f == nil
	p.mu.Unlock()
	if f == nil || f.width <= 0 || f.height <= 0 {
		return 0
	}
	var out []byte
	if d := p.display; renew || d == nil || len(d.cells) != f.height || len(d.cells[0]) != f.width {
		p.display = clearDisplay(f.width, f.height)
		if p.line.kind == Rich && !p.entered {
			p.entered = true
			out = append(out, "\x1b[?1049h"...)
			if p.line.Profile() != colorprofile.ASCII {
				out = append(out, askBackground...)
			}
		}
		out = append(out, reset...)
	}
	want := parse(f.text, f.width, f.height, p.line.ASCII())
	now := time.Now()
	rows := func(int) bool { return true }
	if wait = p.patience(want, now, key, before); wait > 0 {
		at := p.display.pen.y
		rows = func(y int) bool { return y == at || y == f.y }
	} else {
		p.full = now
	}
	out = append(out, p.display.paint(want, rows)...)
	out = append(out, p.place(f)...)
	p.send(out)
	if p.first != nil {
		p.first()
		p.first = nil
	}
	return wait
}

// patience is how long the rows away from the cursor can wait: as long as keys
// come fast, what stands there is out of date before it is read, and on a slow
// line it would hold up what is typed.
func (p *painter) patience(want grid, now, key, before time.Time) time.Duration {
	if key.Sub(before) > repeating || now.Sub(key) >= pause || now.Sub(p.full) >= overdue {
		return 0
	}
	changed := 0
	for y := range want {
		if p.display.differs(want, y) {
			changed++
		}
	}
	if changed >= pageRows {
		return 0
	}
	return min(pause-now.Sub(key), overdue-now.Sub(p.full))
}

// place moves the cursor to where the frame has it. A frame without one hides
// it where the terminal is known to do that, and elsewhere leaves it.
func (p *painter) place(f *frame) []byte {
	var out []byte
	hides := p.line.kind == Rich
	switch {
	case f.cursor && f.y < f.height && f.x < f.width:
		out = append(out, p.display.moveTo(f.x, f.y)...)
		if p.hidden {
			p.hidden = false
			out = append(out, "\x1b[?25h"...)
		}
	case hides && !p.hidden:
		p.hidden = true
		out = append(out, "\x1b[?25l"...)
	}
	return out
}

func (p *painter) send(out []byte) {
	if len(out) == 0 {
		return
	}
	p.writing.Store(true)
	_, err := p.line.out.Write(out)
	p.writing.Store(false)
	if err != nil {
		p.lost()
		return
	}
	if p.pace != nil {
		p.pace(len(out))
	}
}

// close ends the drawing and leaves the terminal to the next program: below
// the last screen, or on the screen that was there before. A line that takes
// nothing for that long has its queue thrown away.
func (p *painter) close(limit time.Duration) {
	close(p.stop)
	drawn := func() bool {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	}
	if !sending(limit, drawn, p.writing.Load, func() int { return unsent(p.line.out) }) {
		discard(p.line.out)
		select {
		case <-p.done:
		case <-time.After(limit):
			return // it ends with the process
		}
		return
	}
	if !writable(p.line.out, int(limit.Milliseconds())) {
		discard(p.line.out)
		return
	}
	var out []byte
	if d := p.display; d != nil && p.line.kind != Rich {
		out = append(d.moveTo(0, len(d.cells)-1), "\r\n"...)
	}
	if p.hidden {
		out = append(out, "\x1b[?25h"...)
	}
	if p.entered {
		out = append(out, "\x1b[?1049l"...)
	}
	_, _ = p.line.out.Write(out) // a lost line is reported by Run
}
