package main

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"time"

	"connsync/lab/others"
	"connsync/lab/tty"
	"connsync/lab/vt102"
)

// program is something to measure.
type program struct {
	name    string
	measure func(ctx context.Context, t terminal) result
	slow    func(t terminal) result // what takes milliseconds, not bytes
}

func (s *stand) programs(idle time.Duration) []program {
	here := func(command []string) opener {
		return func(l tty.Line) (*tty.Seat, error) { return tty.Open(exec.Command(command[0], command[1:]...), l, nil) }
	}
	dialog := peer{open: here(others.Dialog()), menu: here(others.Menu("dialog")), down: true, idle: idle}
	whiptail := peer{open: here(others.Whiptail()), menu: here(others.Menu("whiptail")), idle: idle}
	nmtui := peer{idle: idle, open: func(l tty.Line) (*tty.Seat, error) {
		return tty.Open(exec.Command(others.Nmtui()[0], others.Nmtui()[1:]...), l, s.office.Enter)
	}}
	return []program{
		{"connsync", func(_ context.Context, t terminal) result { return s.measureConnsync(t, idle) }, s.slow},
		{"dialog --form", dialog.measure, dialog.slow},
		{"whiptail (one field)", whiptail.measure, whiptail.slow},
		{"nmtui", nmtui.measure, nmtui.slow},
	}
}

// watch is a seat whose first error stays.
type watch struct {
	seat *tty.Seat
	err  error
}

const patience = 15 * time.Second

func (w *watch) see(texts ...string) {
	if w.err == nil {
		w.err = w.seat.See(patience, texts...)
	}
}

func (w *watch) keys(keys string) {
	if w.err == nil {
		w.err = w.seat.Type(keys)
	}
}

// cost is what typing keys costs until nothing more comes.
func (w *watch) cost(keys string, shows ...string) int {
	before := w.seat.Sent()
	w.keys(keys)
	w.see(shows...)
	w.settle()
	return w.seat.Sent() - before
}

func (w *watch) settle() {
	w.seat.Quiet(400*time.Millisecond, patience)
}

// idles is what comes while nothing is done, scaled to a minute.
func (w *watch) idles(span time.Duration) int {
	before := w.seat.Sent()
	time.Sleep(span)
	return int(int64(w.seat.Sent()-before) * int64(time.Minute) / int64(span))
}

// ends is what comes after the keys that end the program.
func (w *watch) ends(keys string) int {
	before := w.seat.Sent()
	w.keys(keys)
	if w.err == nil {
		_, w.err = w.seat.Wait(patience)
	}
	w.settle()
	return w.seat.Sent() - before
}

type opener func(tty.Line) (*tty.Seat, error)

// peer is a program of others: what is typed into it is the same for all.
type peer struct {
	open, menu opener
	down       bool // the arrow, not Tab, leads to the next field
	idle       time.Duration
}

func (p peer) measure(_ context.Context, t terminal) result {
	r := result{values: map[int]int{}}
	seat, err := p.open(t.line)
	if err != nil {
		return result{err: err}
	}
	defer seat.Close()
	w := &watch{seat: seat}
	time.Sleep(500 * time.Millisecond)
	w.settle()
	r.values[firstFrame] = seat.Sent()
	// The middle of three, as the first one may do something besides.
	r.values[character] = middle(w.cost("1"), w.cost("2"), w.cost("3"))
	r.values[backspace] = middle(w.cost("\x7f"), w.cost("\x7f"), w.cost("\x7f"))
	r.values[focusMove] = w.cost(p.next(t))
	r.values[idleMinute] = w.idles(p.idle)
	r.values[exit] = w.ends("\x1b")
	if p.menu != nil {
		menu, err := p.menu(t.line)
		if err != nil {
			return result{err: err}
		}
		defer menu.Close()
		time.Sleep(500 * time.Millisecond)
		(&watch{seat: menu}).settle()
		r.values[pickerOpen] = menu.Sent()
	}
	r.err = w.err
	return r
}

// next is the key that leads to the next field.
func (p peer) next(t terminal) string {
	if !p.down {
		return "\t"
	}
	if term := t.line.Environ[0]; strings.Contains(term, "vt100") || strings.Contains(term, "xterm") {
		return "\x1bOB" // these send other codes once they are told to
	}
	return "\x1b[B"
}

func middle(of ...int) int {
	slices.Sort(of)
	return of[len(of)/2]
}

// measureConnsync goes through the form as a person does.
func (s *stand) measureConnsync(t terminal, idle time.Duration) result {
	r := result{values: map[int]int{}}
	seat, err := tty.Open(exec.Command(s.connsync), t.line, s.pair.A.Enter)
	if err != nil {
		return result{err: err}
	}
	defer seat.Close()
	w := &watch{seat: seat}
	w.see("Receive Buffer Size", "[ Quit ]")
	w.settle()
	r.values[firstFrame] = seat.Sent()
	r.values[firstLeast] = vt102.Least("", seat.Shows())
	w.see("in sync both ways", linkHeard) // once they are known
	w.settle()

	for range 4 { // to Port
		before := seat.Shows()
		cost := w.cost("\t")
		hint := vt102.Least(line(before, hintLine), line(seat.Shows(), hintLine))
		if cost-hint >= r.values[focusMove] {
			r.values[focusMove], r.values[focusHint] = cost-hint, hint
		}
	}
	r.values[linkGoes] = w.cost("1", "* 37801", "-"+linkTitle) // and marks the field as changed
	r.values[character] = max(w.cost("2", "37801", "[cursor 31,6]"), w.cost("3", "[cursor 32,6]"), w.cost("4", "[cursor 33,6]"))
	r.values[backspace] = max(w.cost("\x7f", "[cursor 32,6]"), w.cost("\x7f", "[cursor 31,6]"), w.cost("\x7f", "[cursor 30,6]"))
	w.cost("9")
	r.values[errorOn] = w.cost("\t", "! port")
	w.cost("\x1b[Z")
	r.values[errorOff] = w.cost("\x7f", "-! port")
	w.cost("\x12", "-* 3780") // ctrl+r undoes the change
	gone := seat.Shows()
	r.values[linkAppears] = w.cost("", linkHeard) // by itself
	r.values[linkLeast] = vt102.Least(gone, seat.Shows())
	w.cost("\x1b[A\x1b[A\x1b[A")
	r.values[pickerOpen] = w.cost("\r", "Choose the sync interface")
	w.cost("\x1b", "Connection Sync Settings")
	s.measureAdvanced(w, r.values)
	w.cost("\x1b[A\x1b[Z\x1b[Z\r", "Connection Sync: status")
	w.see("In sync both ways", "one column")
	time.Sleep(3 * time.Second)
	const seconds = 10
	before := seat.Sent()
	time.Sleep(seconds * time.Second)
	r.values[statusRefresh] = (seat.Sent() - before + seconds - 1) / seconds
	w.keys("\x1b")
	w.see("Connection Sync Settings", linkHeard)
	w.settle()
	r.values[idleMinute] = w.idles(idle)
	r.values[exit] = w.ends("\x03")
	r.err = w.err
	return r
}

// measureAdvanced goes to a choice of the advanced page, changes it, and comes back.
func (s *stand) measureAdvanced(w *watch, values map[int]int) {
	before := w.seat.Shows()
	values[advancedOpen] = w.cost("\x0f", "Transport and mode")
	values[advancedLeast] = vt102.Least(before, w.seat.Shows())
	for range 2 { // by External Cache to Mode
		before := w.seat.Shows()
		cost, hint := w.cost("\t"), 0
		for y := advancedHintLine; y < advancedHintLine+2; y++ {
			hint += vt102.Least(line(before, y), line(w.seat.Shows(), y))
		}
		if cost-hint >= values[advancedMove] {
			values[advancedMove], values[advancedHint] = cost-hint, hint
		}
	}
	w.cost("\x1b[A")
	values[advancedChoice] = w.cost(" ", "* (*) On")
	w.cost("\x12", "(*) Off") // ctrl+r undoes the change
	w.cost("\x0f", "Connection Sync Settings")
}

const (
	linkTitle = "The link, as it is now"
	linkHeard = "is heard on UDP port"
)

// advancedHintLine is the first of two of the advanced page.
const advancedHintLine = 16

// hintLine is the line of the form that says what the field is for.
const hintLine = 10

func line(screen string, y int) string {
	lines := strings.Split(screen, "\n")
	if y >= len(lines) {
		return ""
	}
	return lines[y]
}
