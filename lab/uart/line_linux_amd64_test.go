package uart

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/lab/uart/wire"
	"connsync/lab/vt102"
)

const (
	addressA = "10.0.0.101/24"
	addressB = "10.0.0.102/24"
	// bytesOfMove are the most that a move to another field costs, its help
	// included.
	bytesOfMove = 120
)

// The program at the end of a real serial line, in one machine: the whole main
// job on a terminal that says its size, kernel messages and keys held down on the
// way, and then every way in which a line can end under it.
func TestSerialLine(t *testing.T) {
	m := bootMachine(t, 100, 30)
	run := func(t *testing.T, node string, args ...string) string {
		t.Helper()
		out, err := m.Run(node, args...)
		if err != nil {
			t.Fatalf("%s on %s: %v", strings.Join(args, " "), node, err)
		}
		return out
	}
	run(t, NodeB, Program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
		"--current-ip", addressB, "--peer-ip", addressA, "--send-buffer", "256K", "--receive-buffer", "256K")

	done := t.Run("the main job", func(t *testing.T) {
		began := m.Sent()
		m.Answer(true)
		o := sit(t, m)
		o.looksAs(100, 30)
		o.getsOverKernelMessage()
		o.fillsForm()
		o.holdsTab()
		o.saves()
		o.sees("In sync both ways")
		run(t, NodeB, Program, "status") // fails unless in sync both ways
		run(t, NodeA, "conntrack", "-I", "-p", "udp", "-s", "10.9.0.1", "-d", "10.9.0.2", "--sport", "1000", "--dport", "2000", "-t", "600")
		for limit := time.Now().Add(patience); !strings.Contains(run(t, NodeB, "conntrack", "-L", "-p", "udp"), "10.9.0.2"); {
			if time.Now().After(limit) {
				t.Fatal("a connection of A never came to B's kernel")
			}
		}
		if who := run(t, NodeA, Program, "history"); !strings.Contains(who, "ttyS0") {
			t.Errorf("the history does not say that the save came from ttyS0:\n%s", who)
		}
		o.presses(ctrlC)
		o.leaves(0)
		o.rests() // the line is slower than the program
		foreign := vt102.Foreign(m.Stream()[began:])
		// A machine that its host lets wait holds the end of a sequence back.
		for limit := time.Now().Add(patience); foreign != nil && time.Now().Before(limit); time.Sleep(100 * time.Millisecond) {
			foreign = vt102.Foreign(m.Stream()[began:])
		}
		if foreign != nil {
			t.Errorf("on the line: %v", foreign)
		}
	})
	if !done {
		return // the rest needs what was saved
	}
	before := run(t, NodeA, "cat", lab.ConfigPath)

	t.Run("last words", func(t *testing.T) {
		want := strings.ReplaceAll(run(t, NodeA, Program, "help", "apply"), "\n", "\r\n")
		o := &operator{t: t, Machine: m}
		began := m.Sent()
		o.opens(Program, "help", "apply")
		o.leaves(0) // and its session with it
		for limit := time.Now().Add(patience); len(m.Stream()[began:]) < len(want) && time.Now().Before(limit); {
			time.Sleep(100 * time.Millisecond) // a machine that its host lets wait sends when it may
		}
		o.rests() // nothing comes behind
		if diff := cmp.Diff(want, string(m.Stream()[began:])); diff != "" {
			t.Errorf("on the line (-said +came):\n%s", diff)
		}
	})

	t.Run("a mute terminal, and a hang-up", func(t *testing.T) {
		m.Answer(false)
		m.Resize(80, 24)
		o := sit(t, m)
		if line, err := m.Line(); err != nil || line.Width != 0 || line.Height != 0 {
			t.Errorf("the line's size is %dx%d, %v; nobody has said it", line.Width, line.Height, err)
		}
		if rows := strings.Split(m.Shows(), "\n"); rows[1] != " "+strings.Repeat("-", 78) || !strings.Contains(rows[23], "ctrl+c quit") {
			t.Errorf("this is no screen of 80x24:\n%s", m.Shows())
		}
		o.check(m.HangUp())
		o.leaves(1)
		if diff := cmp.Diff(before, run(t, NodeA, "cat", lab.ConfigPath)); diff != "" {
			t.Errorf("the file has changed:\n%s", diff)
		}
	})

	t.Run("a hang-up during a save", func(t *testing.T) {
		o := sit(t, m)
		o.presses("\t", "\t", "\t", "\t", "\t", ctrlU)
		o.types("128K")
		o.presses("\t", "\t")
		o.sees("> [ Save Changes ]")
		o.presses(enter)
		o.sees("Enter goes on to the review.")
		o.agrees("> [ Apply ]")
		o.agrees("Write " + lab.ConfigPath)
		o.check(m.HangUp())
		o.leaves(1)
		if now := run(t, NodeA, "cat", lab.ConfigPath); !strings.Contains(now, "SndSocketBuffer 131072") {
			t.Errorf("the save has not ended whole:\n%s", now)
		}
		if out, _ := m.Run(NodeA, Program, "status", "--json"); !strings.Contains(out, `"send_buffer_in_force": 262144`) {
			t.Errorf("the daemon does not run with the file:\n%s", out)
		}
		if left := run(t, NodeA, Program, "history"); strings.Contains(left, "interrupted") {
			t.Errorf("the history:\n%s", left)
		}
	})

	t.Run("a line that takes nothing, and a SIGTERM", func(t *testing.T) {
		o := sit(t, m)
		m.Stop()
		o.presses(ctrlL, "\t")
		for line := (wire.Line{}); line.Queued == 0; {
			var err error
			line, err = m.Line()
			o.check(err)
		}
		o.check(m.Signal(syscall.SIGTERM))
		o.leaves(0)
		m.Go()
	})
}

// looksAs sees that the form has the size that the terminal said, which the
// kernel knows by now, and is what it is on a pseudo-terminal.
func (o *operator) looksAs(width, height int) {
	o.t.Helper()
	line, err := o.Line()
	o.check(err)
	if line.Width != width || line.Height != height {
		o.t.Errorf("the line's size is %dx%d, want %dx%d", line.Width, line.Height, width, height)
	}
	if speed := line.Attributes.Cflag & unix.CBAUD; speed != unix.B9600 {
		o.t.Errorf("the line's speed is %#o, want that of 9600 baud", speed)
	}
	if diff := cmp.Diff(onPty(o.t, o.connsync, width, height), o.Shows()); diff != "" {
		o.t.Errorf("the first screen (-pty +uart):\n%s", diff)
	}
}

// getsOverKernelMessage lets the kernel write across the screen, and puts it
// right.
func (o *operator) getsOverKernelMessage() {
	o.t.Helper()
	before := o.Shows()
	o.check(o.Say("eth9: NETDEV WATCHDOG: transmit queue 0 timed out"))
	o.sees("NETDEV WATCHDOG")
	o.presses(ctrlL)
	o.seesAgain(before)
}

// fillsForm sets every value, with a mistake on the way.
func (o *operator) fillsForm() {
	o.t.Helper()
	o.presses(" ")
	o.sees("(*) Enable")
	o.presses("\t", enter)
	o.sees("Choose the sync interface", lab.SyncInterface, "default route")
	o.types(lab.SyncInterface)
	o.presses(enter)
	o.sees("Interface Name      * "+lab.SyncInterface, "> Current IP          * "+addressA)
	o.presses("\t")
	o.types("10.0.9.102/24")
	o.presses("\t")
	o.sees("! Peer IP: 10.0.9.102 is not in 10.0.0.0/24, the subnet of Current IP")
	o.presses(shiftTab, ctrlU)
	o.sees("-! Peer IP:")
	o.types(addressB)
	o.presses("\t", "\t", ctrlU)
	o.types("256K")
	o.presses("\t")
	o.sees("Receive Buffer Size * 256K")
	o.presses("\t")
	o.sees("> [ Save Changes ]")
}

// holdsTab holds Tab, and then Shift+Tab for as many moves, at the rate at
// which a keyboard repeats, while the line takes nothing: of all the screens on
// the way none may queue in the driver, where it would be out of date when it is
// seen.
func (o *operator) holdsTab() {
	o.t.Helper()
	o.sees("The link, as it is now", "is heard on")
	o.rests()
	before, sent := o.Shows(), o.Sent()
	line, err := o.Line()
	o.check(err)
	typed := line.Received
	o.Stop()
	for _, key := range []string{"\t", shiftTab} {
		for range 30 {
			o.check(o.Type(key))
			typed += len(key)
			time.Sleep(time.Second / 15)
		}
	}
	// The machine may be slower than the keys: the program has to have them all.
	for limit := time.Now().Add(patience); line.Received < typed || line.Unread > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			o.t.Fatalf("of the keys' bytes the driver got all but %d, and the program all but %d of those", typed-line.Received, line.Unread)
		}
		line, err = o.Line()
		o.check(err)
	}
	// By the machine's clock: to read what is between driver and line discipline, and to draw.
	_, err = o.Run(NodeA, "sleep", "1")
	o.check(err)
	line, err = o.Line()
	o.check(err)
	o.Go()
	o.rests()
	o.seesAgain(before)
	o.t.Logf("the driver had %d bytes queued of 60 moves, and %d came over the line", line.Queued, o.Sent()-sent)
	// What the line still took, what waited in the driver, and what is new; the link
	// under the form goes and comes once more.
	const moves, link = 3, 220
	if line.Queued > bytesOfMove || o.Sent()-sent > moves*bytesOfMove+link {
		o.t.Errorf("want at most %d and %d", bytesOfMove, moves*bytesOfMove+link)
	}
}

// saves goes from Save Changes through checks and review to the apply.
func (o *operator) saves() {
	o.t.Helper()
	o.presses(enter)
	o.sees("Enter goes on to the review.")
	o.agrees("[2 review]", "> [ Apply ]")
	o.agrees("[3 apply]")
}
