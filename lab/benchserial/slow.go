package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab/tty"
)

const (
	slowRate = 960 // bytes a second, which is 9600 baud

	heldKeys  = 150 // Tab held down: 15 a second for 10 seconds
	heldEvery = time.Second / 15

	typedKeys  = 30
	typedEvery = time.Second / 5
)

// held is where a key is held down: on a form that takes it over and over.
type held struct {
	open  opener
	key   string
	ready string // is shown by itself before; blank where nothing is
	shows string // by a screen that is right after heldKeys; blank where nobody says
}

// slowLines are the lines that a program is slow on: one that says its speed,
// as a serial line does, and one that does not, as behind a console server.
func slowLines(t terminal) map[int]tty.Line {
	line := t.line
	line.Rate = slowRate
	known := line
	known.Speed = unix.B9600
	return map[int]tty.Line{heldKnown: known, heldUnknown: line}
}

// holds is how long after the last of heldKeys the screen was right, in
// milliseconds.
func (h held) holds(line tty.Line) (int, error) {
	seat, err := h.open(line)
	if err != nil {
		return 0, err
	}
	defer seat.Close()
	w := &watch{seat: seat}
	time.Sleep(time.Second)
	w.see(h.ready)
	w.settle()
	beat := time.NewTicker(heldEvery)
	defer beat.Stop()
	for range heldKeys {
		<-beat.C
		w.keys(h.key)
	}
	last := time.Now()
	w.seat.Quiet(2*time.Second, time.Minute)
	lag := max(0, seat.Latest().Sub(last))
	if h.shows != "" {
		w.see(h.shows)
		right := seat.Shows()
		w.keys("\x0c") // drawn again, it has to look the same
		w.seat.Quiet(2*time.Second, time.Minute)
		if again := seat.Shows(); w.err == nil && again != right {
			w.err = fmt.Errorf("after Tab was held the screen shows\n%s\nand drawn again\n%s", right, again)
		}
	}
	return int(lag.Milliseconds()), w.err
}

// echoes is the longest time from a key to its echo, in milliseconds, and how
// many keys were lost.
func echoes(seat *tty.Seat) (worst, lost int, err error) {
	w := &watch{seat: seat}
	var typed strings.Builder
	beat := time.NewTicker(typedEvery)
	defer beat.Stop()
	for i := range typedKeys {
		<-beat.C
		c := string(rune('0' + i%10))
		typed.WriteString(c)
		x, y := seat.Cursor()
		began := time.Now()
		w.keys(c)
		for limit := began.Add(typedEvery - 20*time.Millisecond); time.Now().Before(limit); time.Sleep(time.Millisecond) {
			if nx, ny := seat.Cursor(); ny == y && nx > x {
				break
			}
		}
		worst = max(worst, int(time.Since(began).Milliseconds()))
	}
	w.settle()
	for n := typedKeys; n > 0; n-- {
		if strings.Contains(seat.Shows(), typed.String()[:n]) {
			return worst, typedKeys - n, w.err
		}
	}
	return worst, typedKeys, w.err
}

// slow measures connsync on slow lines.
func (s *stand) slow(t terminal) result {
	r := result{values: map[int]int{}}
	open := func(l tty.Line) (*tty.Seat, error) { return tty.Open(exec.Command(s.connsync), l, s.pair.A.Enter) }
	h := held{open: open, key: "\t", ready: linkHeard, shows: "> [ Save Changes ]"} // 150 of 11 places
	for metric, line := range slowLines(t) {
		if r.values[metric], r.err = h.holds(line); r.err != nil {
			return r
		}
		worst, lost, err := echoesOf(open, line)
		for try := 1; err == nil && worst > metrics()[echo].target && try < tries; try++ {
			var again, more int
			again, more, err = echoesOf(open, line)
			worst, lost = min(worst, again), lost+more
		}
		if r.err = err; err != nil {
			return r
		}
		r.values[echo] = max(r.values[echo], worst)
		r.values[lostKeys] += lost
	}
	return r
}

// tries is how often the longest of the echoes is looked at: on a busy machine
// one that is late may be the machine's doing, three times it is ours.
const tries = 3

// echoesOf types into a field of the form.
func echoesOf(open opener, line tty.Line) (worst, lost int, err error) {
	seat, err := open(line)
	if err != nil {
		return 0, 0, err
	}
	defer seat.Close()
	w := &watch{seat: seat}
	w.see("[ Quit ]")
	w.cost("\t\t\t\x15", "[cursor 25,5]") // Peer IP, blank
	if w.err != nil {
		return 0, 0, w.err
	}
	return echoes(seat)
}

// slow measures the peer while its key for the next field is held.
func (p peer) slow(t terminal) result {
	r := result{values: map[int]int{}}
	for metric, line := range slowLines(t) {
		if r.values[metric], r.err = (held{open: p.open, key: p.next(t)}).holds(line); r.err != nil {
			return r
		}
	}
	return r
}
