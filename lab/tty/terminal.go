package tty

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"connsync/lab/vt102"
)

// Terminal is what a person has at the far end of a line: a screen, which
// shows what comes over it, and a keyboard. Its methods are safe for
// concurrent use.
type Terminal struct {
	line   io.ReadWriter
	rate   int
	screen *vt102.Screen

	mu            sync.Mutex
	width, height int
	answers       bool
	background    string
	stream        []byte
	latest        time.Time
	stopped       bool
	resume        *sync.Cond
}

// NewTerminal puts a terminal at the end of a line, which takes rate bytes a
// second; 0 is any number. It reads until the line ends.
func NewTerminal(line io.ReadWriter, width, height, rate int) *Terminal {
	t := &Terminal{
		line: line, rate: rate, screen: vt102.New(width, height),
		width: width, height: height, latest: time.Now(),
	}
	t.resume = sync.NewCond(&t.mu)
	go t.read()
	return t
}

// read is the line: it takes bytes at its rate.
func (t *Terminal) read() {
	buf := make([]byte, 4096)
	if t.rate > 0 {
		buf = buf[:max(1, t.rate/100)]
	}
	for free := time.Now(); ; {
		n, err := t.line.Read(buf)
		if t.rate > 0 {
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(n) * time.Second / time.Duration(t.rate))
			time.Sleep(time.Until(free))
		}
		_, _ = t.screen.Write(buf[:n])
		t.take(buf[:n])
		if err != nil {
			return
		}
	}
}

// take notes what has come, answers a question in it, and returns when the
// line goes on.
func (t *Terminal) take(came []byte) {
	const position, background = "\x1b[6n", "\x1b]11;?\x07"
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stream = append(t.stream, came...)
	t.latest = time.Now()
	asked := func(question string) bool { // it may have begun in what came before
		return strings.Contains(string(t.stream[max(0, len(t.stream)-len(came)-len(question)+1):]), question)
	}
	if t.answers && asked(position) {
		_ = t.Type(fmt.Sprintf("\x1b[%d;%dR", t.height, t.width))
	}
	if t.background != "" && asked(background) {
		_ = t.Type("\x1b]11;" + t.background + "\x07")
	}
	for t.stopped {
		t.resume.Wait()
	}
}

// Answer sets whether the terminal answers the question where its cursor is,
// as one does whose cursor was sent as far as it goes.
func (t *Terminal) Answer(answers bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers = answers
}

// Colour is what the terminal says that its background is, where it is asked.
func (t *Terminal) Colour(background string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.background = background
}

// Stop makes the line take nothing more, as after Ctrl+S or with a cable that
// was pulled on a line with flow control; Go lets it go on.
func (t *Terminal) Stop() { t.set(true) }

// Go ends a Stop.
func (t *Terminal) Go() { t.set(false) }

func (t *Terminal) set(stopped bool) {
	t.mu.Lock()
	t.stopped = stopped
	t.mu.Unlock()
	t.resume.Broadcast()
}

// Type sends keys, as one burst.
func (t *Terminal) Type(keys string) error {
	_, err := io.WriteString(t.line, keys)
	return err
}

// Shows is the screen as text, a line each.
func (t *Terminal) Shows() string { return t.screen.String() }

// Cursor is where the cursor is, both from 0.
func (t *Terminal) Cursor() (x, y int) { return t.screen.Cursor() }

// See waits until the screen holds every one of texts; of one that begins with
// "-" it must not hold the rest. Where the cursor is stands behind the screen
// as "[cursor x,y]".
func (t *Terminal) See(within time.Duration, texts ...string) error {
	for limit := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		x, y := t.Cursor()
		missing := missing(t.Shows()+fmt.Sprintf("[cursor %d,%d]", x, y), texts)
		if missing == "" {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("after %v the screen does not show %q:\n%s", within, missing, t.Shows())
		}
	}
}

func missing(screen string, texts []string) string {
	for _, text := range texts {
		rest, not := strings.CutPrefix(text, "-")
		if not && len(rest) > 0 && strings.Contains(screen, rest) || !not && !strings.Contains(screen, text) {
			return text
		}
	}
	return ""
}

// Sent is how many bytes have come over the line.
func (t *Terminal) Sent() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.stream)
}

// Stream is what has come over the line.
func (t *Terminal) Stream() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]byte(nil), t.stream...)
}

// Quiet waits until nothing has come for that long, counted from the call on,
// but not longer than limit. Where the host wakes the caller late, it may wake the
// program late too: that time is not counted.
func (t *Terminal) Quiet(span, limit time.Duration) {
	const poll = 5 * time.Millisecond
	begin := time.Now()
	for still, last := begin, begin; last.Sub(begin) < limit; {
		time.Sleep(poll)
		now := time.Now()
		if latest := t.Latest(); latest.After(still) {
			still = latest
		}
		if late := now.Sub(last) - poll; late > span/2 {
			still = now
		}
		if now.Sub(still) >= span {
			return
		}
		last = now
	}
}

// Latest is when the last byte came.
func (t *Terminal) Latest() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest
}

// Restart is switching the terminal off and on: its screen is blank.
func (t *Terminal) Restart() error {
	_, err := io.WriteString(t.screen, "\x1bc")
	return err
}

// Resize changes the size. What was on the screen stays as far as it fits.
func (t *Terminal) Resize(width, height int) {
	t.screen.Resize(width, height)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.width, t.height = width, height
}

// Close ends the emulation. The line is its owner's.
func (t *Terminal) Close() error { return t.screen.Close() }

// Runs is the screen as it looks; see [vt102.Screen.Runs].
func (t *Terminal) Runs() [][]vt102.Run { return t.screen.Runs() }
