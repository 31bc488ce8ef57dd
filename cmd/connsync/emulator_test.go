package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/lab/emulator"
	"connsync/lab/tty"
	"connsync/lab/vt102"
)

var update = flag.Bool("update", false, "write the golden screens again")

// The main job at the end of a serial line of 9600 baud that knows no size, in
// terminals that people use: each screen on the way is, character by character,
// the one that is kept in testdata/emulator, and so is what is left behind.
func TestMainJobInEmulators(t *testing.T) {
	t.Parallel()
	for _, name := range emulator.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			program := build(t)
			pair, err := lab.NewPair(ctx, lab.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer pair.Close()
			if out, err := pair.B.Run(ctx, program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
				"--current-ip", pair.B.Sync.String(), "--peer-ip", pair.A.Sync.String()); err != nil {
				t.Fatalf("apply on B: %v\n%s", err, out)
			}
			// The review shows where the program is.
			const installed = "/var/lib/connsync-bin/connsync"
			if out, err := pair.A.Run(ctx, "install", "-D", program, installed); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			d := newWorkplace(t, ctx, name, exec.Command(installed), pair.A)
			mainJob(d, pair.A.Sync.String(), pair.B.Sync.String())
			d.leaves()
		})
	}
}

// mainJob sets every value, with a mistake on the way, saves, looks at the
// status and quits. Keys are typed blind where a person would.
func mainJob(d *workplace, current, peer string) {
	d.t.Helper()
	d.shows("form", "ctrl+c quit", true)
	d.types(space + tab + enter)
	d.shows("picker", "4 interfaces", false)
	d.types(lab.SyncInterface + enter + tab + "10.0.9.102/24" + tab)
	d.shows("error", "! Peer IP:", true)
	d.types(shiftTab + ctrlU + peer + down + down + ctrlU + "256K" + tab + tab)
	d.shows("filled", "is heard on UDP port", true)
	d.types(enter)
	d.shows("checks", "Enter goes on to the review.", false)
	d.ponders(enter)
	d.shows("review", "> [ Apply ]", true)
	d.ponders(enter)
	d.shows("apply", "Saved, and in force. In sync both ways.", true)
	d.ponders(enter)
	d.shows("status", "In sync both ways.", false)
	d.types("q")
	d.shows("saved", "is heard on UDP port", true)
	d.types(ctrlC)
}

// workplace is a person's place at an emulator.
type workplace struct {
	t     *testing.T
	e     emulator.Emulator
	seat  *tty.Seat
	ready chan struct{} // closed when there is a seat
}

func newWorkplace(t *testing.T, ctx context.Context, name string, cmd *exec.Cmd, node *lab.Member) *workplace {
	t.Helper()
	d := &workplace{t: t, ready: make(chan struct{})}
	var err error
	d.e, err = emulator.Open(ctx, name, func(p []byte) error {
		select {
		case <-d.ready:
			return d.seat.Type(string(p))
		default:
			return nil // before the program is there
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	line := tty.Line{Environ: []string{"TERM=vt100", "LC_ALL=C.UTF-8"}, Rate: 960, Speed: unix.B9600, Tap: d.e}
	if d.seat, err = tty.Open(cmd, line, node.Enter); err != nil {
		t.Fatal(err)
	}
	close(d.ready)
	t.Cleanup(func() {
		d.seat.Close()
		if err := d.e.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *workplace) types(keys string) {
	d.t.Helper()
	if err := d.e.Type(keys); err != nil {
		d.t.Fatal(err)
	}
}

// ponders types after what a person takes to read a screen that came by itself.
func (d *workplace) ponders(keys string) {
	d.t.Helper()
	time.Sleep(time.Second)
	d.types(keys)
}

// shows waits until the emulator shows a golden screen, and with cursor has its
// cursor where that says. has is what the screen holds when it is whole.
func (d *workplace) shows(screen, has string, cursor bool) {
	d.t.Helper()
	file := filepath.Join("testdata", "emulator", screen+".golden")
	if *update {
		if err := d.seat.See(2*patience, has); err != nil {
			d.t.Fatal(err)
		}
		d.seat.Quiet(1500*time.Millisecond, 10*time.Second)
		x, y := d.seat.Cursor()
		if err := os.WriteFile(file, []byte(screenText(d.seat.Shows(), x, y, cursor)), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	for limit := time.Now().Add(2 * patience); ; time.Sleep(100 * time.Millisecond) {
		text, x, y, err := d.e.Shows()
		if err != nil {
			d.t.Fatal(err)
		}
		got := screenText(text, x, y, cursor)
		if got == string(want) {
			return
		}
		if time.Now().After(limit) {
			d.t.Fatalf("%s (-want +got):\n%s", screen, cmp.Diff(string(want), got))
		}
	}
}

// volatile is what differs from run to run: the daemon's counters and rates,
// with the blanks before them, and seconds.
var volatile = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?m)^ (sent|received) +\|.*\|$`), " $1 |#|"},
	{regexp.MustCompile(`(?m)^ (sent|received)[ .\d]+$`), " $1 #"},
	{regexp.MustCompile(`(?m)^( (?:states here|written to kernel|resend queue)) +\d+(  .*?) +\d+(  .*?) +\d+$`), "$1 #$2 #$3 #"},
	{regexp.MustCompile(`(?m) +\d+\.\d s$`), ""}, // of a step, where it took any
	{regexp.MustCompile(` +[\d.]+k?/s`), " #/s"},
	{regexp.MustCompile(`\b(\d{4}-\d\d-\d\d )?\d\d:\d\d(:\d\d)?\b`), "#"}, // with the date after midnight
	{regexp.MustCompile(`( both ways) for \d+ min\b`), "$1"},              // on a slow host
	{regexp.MustCompile(`(save by root on )pts/\d+( .*:).*`), "${1}pts/#$2 #"},
	{regexp.MustCompile(`\(\d+ more (below|above)\)`), "(# more $1)"},
	// The verdict is an event when it has lasted, and moves what is under it.
	{regexp.MustCompile(`(?s)\n #  [^\n]*(save by|conntrackd|in sync).*?\n ---`), "\n # events\n ---"},
}

// screenText is a screen to be compared.
func screenText(text string, x, y int, cursor bool) string {
	for _, c := range volatile {
		text = c.what.ReplaceAllString(text, c.with)
	}
	if cursor {
		text += fmt.Sprintf("cursor %d,%d\n", x, y)
	}
	return text
}

// leaves waits for the end, and looks at what the program has left: the
// terminal's attributes, the screen, and a stream that a VT100 knows.
func (d *workplace) leaves() {
	d.t.Helper()
	state, err := d.seat.Wait(patience)
	if err != nil {
		d.t.Fatal(err)
	}
	if status := state.ExitCode(); status != exitDone {
		d.t.Errorf("exit status %d, want 0", status)
	}
	d.shows("left", "ctrl+c quit", true)
	after, err := d.seat.Attributes()
	if err != nil {
		d.t.Fatal(err)
	}
	if diff := cmp.Diff(d.seat.AttributesBefore(), after); diff != "" {
		d.t.Errorf("the terminal has changed:\n%s", diff)
	}
	if err := vt102.Foreign(d.seat.Stream()); err != nil {
		d.t.Error(err)
	}
}
