package uart

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/lab/tty"
	"connsync/lab/uart/wire"
)

const (
	// patience is how long a screen may take: the processor is emulated, beside
	// whatever else its host does, and the line carries 960 bytes a second.
	patience = 3 * time.Minute
	// What a terminal sends for its keys.
	shiftTab = "\x1b[Z"
	enter    = "\r"
	ctrlC    = "\x03"
	ctrlL    = "\x0c"
	ctrlU    = "\x15"
)

// operator is a person at the terminal of a machine's serial line.
type operator struct {
	t *testing.T
	*Machine
	found wire.Line
}

// bootMachine builds the programs and boots a machine with them.
func bootMachine(t *testing.T, width, height int) *Machine {
	t.Helper()
	dir := t.TempDir()
	programs := map[string]string{}
	for name, source := range map[string]string{"connsync": "connsync/cmd/connsync", "guest": "connsync/lab/uart/guest"} {
		programs[name] = filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-trimpath", "-o", programs[name], source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", source, err, out)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	begin := time.Now()
	m, err := Boot(ctx, Options{Guest: programs["guest"], Connsync: programs["connsync"], Rate: 960, Width: width, Height: height})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("booted in %v", time.Since(begin).Round(time.Millisecond))
	return m
}

// sit puts the form on the line, which has no size, and waits for its first
// screen.
func sit(t *testing.T, m *Machine) *operator {
	t.Helper()
	o := &operator{t: t, Machine: m}
	o.check(m.Restart())
	sent, begin := m.Sent(), time.Now()
	o.opens(Program)
	if o.found.Width != 0 || o.found.Height != 0 {
		t.Fatalf("the line's size is %dx%d before the program, want 0x0", o.found.Width, o.found.Height)
	}
	o.sees("Connection Sync Settings", "[ Save Changes ]", "ctrl+c quit")
	took := time.Since(begin)
	o.rests()
	t.Logf("first screen after %v, %d bytes", took.Round(time.Millisecond), m.Sent()-sent)
	return o
}

// opens puts a program on the line.
func (o *operator) opens(args ...string) {
	o.t.Helper()
	var err error
	o.found, err = o.Open(wire.Session{Args: args, Environ: []string{"TERM=vt100"}, Speed: unix.B9600})
	o.check(err)
}

func (o *operator) check(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) sees(texts ...string) {
	o.t.Helper()
	o.check(o.See(patience, texts...))
}

// rests waits until nothing more comes.
func (o *operator) rests() {
	o.t.Helper()
	o.check(o.Rest(500*time.Millisecond, patience))
}

// presses types; a key at a time, as a person who is in a hurry.
func (o *operator) presses(keys ...string) {
	o.t.Helper()
	for _, k := range keys {
		o.check(o.Type(k))
		time.Sleep(20 * time.Millisecond)
	}
}

func (o *operator) types(text string) {
	o.t.Helper()
	o.presses(strings.Split(text, "")...)
}

// agrees presses Enter after a moment, until texts are on the screen. A screen that came up
// by itself takes no key at first, for longer where the machine is slow; a key that comes
// too early does nothing.
func (o *operator) agrees(texts ...string) {
	o.t.Helper()
	for limit := time.Now().Add(patience); ; {
		time.Sleep(1500 * time.Millisecond)
		o.presses(enter)
		err := o.See(15*time.Second, texts...)
		if err == nil {
			return
		}
		if time.Now().After(limit) {
			o.t.Fatal(err)
		}
	}
}

// seesAgain waits for a screen that was there before.
func (o *operator) seesAgain(screen string) {
	o.t.Helper()
	for limit := time.Now().Add(patience); o.Shows() != screen; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			o.t.Fatalf("the screen (-before +now):\n%s", cmp.Diff(screen, o.Shows()))
		}
	}
}

// leaves waits until the program has ended, and looks whether the line's
// attributes are those that it found.
func (o *operator) leaves(status int) {
	o.t.Helper()
	begin := time.Now()
	how, err := o.Wait(time.Minute) // by the machine's clock
	o.check(err)
	o.t.Logf("ended after %v", time.Since(begin).Round(time.Millisecond))
	if how.Status != status {
		o.t.Errorf("it ended with %+v, want status %d", how, status)
	}
	left, err := o.Line()
	o.check(err)
	if diff := cmp.Diff(o.found.Attributes, left.Attributes); diff != "" {
		o.t.Errorf("the line's attributes (-found +left):\n%s", diff)
	}
}

// onPty is the form's first screen on a pseudo-terminal of that size, in a
// node like the machine's.
func onPty(t *testing.T, program string, width, height int) string {
	t.Helper()
	node, err := lab.NewNode(t.Context(), NodeA)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	seat, err := tty.Open(exec.Command(program), tty.Line{Width: width, Height: height, Environ: []string{"TERM=vt100"}}, node.Enter)
	if err != nil {
		t.Fatal(err)
	}
	defer seat.Close()
	if err := seat.See(patience, "ctrl+c quit"); err != nil {
		t.Fatal(err)
	}
	seat.Quiet(500*time.Millisecond, patience)
	return seat.Shows()
}
