package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/apply"
	"connsync/lab"
	"connsync/lab/tty"
)

// ending is a way that the form comes to its end.
type ending struct {
	name string
	do   func(*tty.Seat) error
	// detached says that the line is not the program's controlling terminal, so
	// that the kernel sends no SIGHUP.
	detached bool
	panics   bool
	gone     bool // the line is, and nobody can look at it
	says     string
	status   int
}

func endings() []ending {
	signal := func(s syscall.Signal) func(*tty.Seat) error {
		return func(seat *tty.Seat) error { return seat.Process().Signal(s) }
	}
	hangUp := func(seat *tty.Seat) error { return seat.HangUp() }
	// full fills the line with screens that nobody takes.
	full := func(seat *tty.Seat) error {
		seat.Stop()
		if err := seat.Type(strings.Repeat("\x0c", 200)); err != nil {
			return err
		}
		time.Sleep(time.Second)
		return seat.Process().Signal(syscall.SIGTERM)
	}
	// stopped is what Ctrl+S does on a line with flow control by characters.
	stopped := func(seat *tty.Seat) error {
		if err := seat.Type("\x13\x0c\x0c"); err != nil {
			return err
		}
		time.Sleep(300 * time.Millisecond)
		return seat.Process().Signal(syscall.SIGTERM)
	}
	return []ending{
		{name: "SIGHUP", do: signal(syscall.SIGHUP), status: exitRefused},
		{name: "SIGTERM", do: signal(syscall.SIGTERM)},
		{name: "closed line", do: hangUp, gone: true, status: exitRefused},
		{name: "closed line that controls nothing", do: hangUp, detached: true, gone: true, status: exitRefused},
		{name: "SIGTERM on a line that is full", do: full},
		{name: "SIGTERM on a line that is stopped", do: stopped},
		{name: "panic in a command", do: func(s *tty.Seat) error { return s.Type(panicKey) },
			panics: true, says: "internal error: it broke", status: exitRefused},
	}
}

const (
	// panicKey makes [fragile] panic.
	panicKey = "!"
	// breakKey makes a goroutine panic that nobody guards, as one of a library's.
	breakKey = "@"
	// fragileEnv makes the test program the real one with a fragile model.
	fragileEnv = "CONNSYNC_TEST_FRAGILE"
	// endsWithin is how long a program may take to be gone; it is far more than
	// the two seconds of its own clock, for the sake of a busy machine.
	endsWithin = 20 * time.Second
	// cpuLimit tells waiting from spinning.
	cpuLimit = 5 * time.Second
)

// fragile is the program's model, but for a key that breaks a command.
type fragile struct{ tea.Model }

func (f fragile) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case panicKey:
			return f, tea.Batch(func() tea.Msg { panic("it broke") })
		case breakKey:
			go panic("it broke apart")
		}
	}
	m, cmd := f.Model.Update(msg)
	return fragile{m}, cmd
}

// command is the program, fragile where the ending asks for that.
func (e ending) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if !e.panics {
		return exec.Command(build(t), args...)
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{fragileEnv + "=1"}
	return cmd
}

func (e ending) line() tty.Line {
	return tty.Line{Width: 80, Height: 24, Environ: []string{"TERM=vt100", "LC_ALL=C"}, Detached: e.detached}
}

// ends does it, and looks at what is left: the process is gone, has not spun,
// and has left the terminal as it was.
func (e ending) ends(t *testing.T, seat *tty.Seat, within time.Duration) {
	t.Helper()
	if err := e.do(seat); err != nil {
		t.Fatal(err)
	}
	told := time.Now()
	state, err := seat.Wait(within)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("gone after %v", time.Since(told).Round(time.Millisecond))
	if status := state.ExitCode(); status != e.status {
		t.Errorf("%v, want exit status %d", state, e.status)
	}
	if cpu := state.UserTime() + state.SystemTime(); cpu > cpuLimit {
		t.Errorf("it took %v of a processor", cpu)
	}
	if e.gone {
		return
	}
	after, err := seat.Attributes()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(seat.AttributesBefore(), after); diff != "" {
		t.Errorf("the terminal has changed:\n%s", diff)
	}
	if err := seat.See(patience, e.says); err != nil {
		t.Error(err)
	}
}

// Every end at the form leaves no trace.
func TestFormEndsWithoutATrace(t *testing.T) {
	t.Parallel()
	for _, e := range endings() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			plain, config := lineCommand(t)
			seat, err := tty.Open(e.command(t, plain.Args[1:]...), e.line(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer seat.Close()
			if err := seat.See(patience, "Connection Sync Settings", "ctrl+c quit"); err != nil {
				t.Fatal(err)
			}
			raw, err := seat.Attributes()
			if err != nil {
				t.Fatal(err)
			}
			if cmp.Equal(seat.AttributesBefore(), raw) {
				t.Fatal("the terminal is not raw while the form is on it")
			}
			e.ends(t, seat, endsWithin)
			if exists(config) {
				t.Error("there is a file")
			}
		})
	}
}

// drawing is the process that draws: the child of the one on the line.
func drawing(seat *tty.Seat) (pid int, err error) {
	pid = seat.Process().Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for task := 0; err == nil && len(children) == 0; task++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		if task == len(tasks) {
			return 0, fmt.Errorf("process %d has no child", pid)
		}
		children, err = os.ReadFile(tasks[task])
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(children)))
}

// What no program can catch, and a panic that no code of ours is there to catch,
// leaves the terminal as it was too, and says what has happened.
func TestTerminalOutlivesTheForm(t *testing.T) {
	t.Parallel()
	kill := func(sig syscall.Signal) func(*tty.Seat) error {
		return func(seat *tty.Seat) error {
			pid, err := drawing(seat)
			if err != nil {
				return err
			}
			return syscall.Kill(pid, sig)
		}
	}
	for _, e := range []ending{
		{name: "SIGKILL", do: kill(syscall.SIGKILL), says: "connsync: ended by SIGKILL\n", status: 128 + 9},
		{name: "SIGSEGV", do: kill(syscall.SIGSEGV), status: 2},
		{name: "SIGQUIT", do: kill(syscall.SIGQUIT)},
		{name: "SIGQUIT of the one on the line", do: func(s *tty.Seat) error { return s.Process().Signal(syscall.SIGQUIT) }},
		{name: "panic of a library", do: func(s *tty.Seat) error { return s.Type(breakKey) }, panics: true, says: "panic: it broke apart", status: 2},
		{name: "SIGKILL on a line that is stopped", status: 128 + 9, do: func(s *tty.Seat) error {
			if err := s.Type(xoff + "\x0c\x0c"); err != nil {
				return err
			}
			time.Sleep(300 * time.Millisecond)
			return kill(syscall.SIGKILL)(s)
		}},
		{name: "SIGKILL of the one on the line", status: -1, do: func(s *tty.Seat) error {
			pid, err := drawing(s)
			if err != nil {
				return err
			}
			err = s.Process().Kill()
			for syscall.Kill(pid, 0) == nil {
				time.Sleep(10 * time.Millisecond)
			}
			return err
		}},
	} {
		for _, term := range []string{"vt100", "xterm"} {
			t.Run(e.name+"/"+term, func(t *testing.T) {
				t.Parallel()
				plain, _ := lineCommand(t)
				line := e.line()
				line.Environ = []string{"TERM=" + term, "LC_ALL=C"}
				seat, err := tty.Open(e.command(t, plain.Args[1:]...), line, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer seat.Close()
				if err := seat.See(patience, "Connection Sync Settings", "ctrl+c quit"); err != nil {
					t.Fatal(err)
				}
				e.ends(t, seat, endsWithin)
			})
		}
	}
}

// A form that was ended by a signal speaks of a save only where one was interrupted.
func TestEndOfTheFormTellsAnInterruptedSave(t *testing.T) {
	t.Parallel()
	const next = "; the next start completes or rolls back the save that it interrupted"
	for outcome, want := range map[apply.EntryOutcome]string{
		"": "ended by SIGTERM", apply.EntrySaved: "ended by SIGTERM", apply.EntryPending: "ended by SIGTERM" + next,
	} {
		dir := t.TempDir()
		if outcome != "" {
			record := fmt.Sprintf(`{"number": 1, "outcome": %q}`, outcome)
			if err := os.MkdirAll(filepath.Join(dir, "history"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "history", "000001.json"), []byte(record), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := endedBy(syscall.SIGTERM, dir).Error(); got != want {
			t.Errorf("%q: %q, want %q", outcome, got, want)
		}
	}
}

// The form that is stopped by its shell, and goes on, is whole again; the process
// that the shell knows stops with the one that draws.
func TestFormIsStoppedAndGoesOn(t *testing.T) {
	t.Parallel()
	plain, _ := lineCommand(t)
	// A shell with job control, which gives the form a group of its own.
	shell := exec.Command("bash", "-i", "-m", "-c", strings.Join(plain.Args, " ")+`; echo "stopped as $?"; read -r; fg >/dev/null; echo "ended as $?"`)
	seat, err := tty.Open(shell, tty.Line{Width: 80, Height: 24, Environ: []string{"TERM=vt100", "LC_ALL=C"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer seat.Close()
	if err := seat.See(patience, "Connection Sync Settings", "ctrl+c quit"); err != nil {
		t.Fatal(err)
	}
	form, err := drawing(seat)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(form, syscall.SIGTSTP); err != nil {
		t.Fatal(err)
	}
	if err := seat.See(patience, "stopped as 147"); err != nil {
		t.Fatal(err)
	}
	if err := seat.Type(enter); err != nil {
		t.Fatal(err)
	}
	within(t, patience, "the form is drawn again", func() bool {
		shows := seat.Shows()
		return !strings.Contains(shows, "stopped as") && strings.Contains(shows, "ctrl+c quit")
	})
	if err := seat.Type(ctrlC); err != nil {
		t.Fatal(err)
	}
	if err := seat.See(patience, "ended as 0"); err != nil {
		t.Error(err)
	}
}

// Whatever ends the form after a save has begun, the save ends whole: the file
// is the new one, and the daemon runs with it. SIGHUP is in TestHangUpOfTheForm.
func TestSaveOutlivesTheForm(t *testing.T) {
	t.Parallel()
	program := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pair.Close() })
	for _, m := range []*lab.Member{pair.A, pair.B} {
		if out, err := m.Run(ctx, program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", pair.Other(m).Sync.String()); err != nil {
			t.Fatalf("apply: %v\n%s", err, out)
		}
	}
	half := len(endings()) / 2
	for m, some := range map[*lab.Member][]ending{pair.A: endings()[1 : half+1], pair.B: endings()[half+1:]} {
		t.Run(m.Name(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			for i, e := range some {
				t.Run(e.name, func(t *testing.T) { saveAndEnd(ctx, t, e, m, 131072+1024*i) })
			}
		})
	}
}

// saveAndEnd saves a size of the buffers on a node and ends the form meanwhile.
func saveAndEnd(ctx context.Context, t *testing.T, e ending, m *lab.Member, buffer int) {
	seat, err := tty.Open(e.command(t), e.line(), m.Enter)
	if err != nil {
		t.Fatal(err)
	}
	defer seat.Close()
	beginSave(t, seat, buffer)
	e.ends(t, seat, patience)

	now, err := m.ReadFile(lab.ConfigPath)
	if want := fmt.Sprintf("SndSocketBuffer %d", buffer); err != nil || !strings.Contains(string(now), want) {
		t.Errorf("the file lacks %s (%v):\n%s", want, err, now)
	}
	out, _ := m.Run(ctx, build(t), "status", "--json") // whatever the peer does
	if want := fmt.Sprintf(`"send_buffer_in_force": %d`, 2*buffer); !strings.Contains(out, want) {
		t.Errorf("the daemon does not run with the file:\n%s", out)
	}
	if left, err := m.Run(ctx, build(t), "history"); err != nil || strings.Contains(left, "interrupted") {
		t.Errorf("history: %v\n%s", err, left)
	}
}

// beginSave saves another size of the buffers, and returns when the file is
// being written.
func beginSave(t *testing.T, seat *tty.Seat, buffer int) {
	t.Helper()
	for _, at := range []struct {
		sees  string
		types string
	}{
		{"(*) Enable", strings.Repeat(tab, 5) + ctrlU + fmt.Sprint(buffer) + tab + ctrlU + fmt.Sprint(buffer) + tab},
		{"> [ Save Changes ]", enter},
		{"Enter goes on to the review.", enter},
		{"> [ Apply ]", enter},
		{"Write " + lab.ConfigPath, ""},
	} {
		if err := seat.See(patience, at.sees); err != nil {
			t.Fatal(err)
		}
		if at.types == enter {
			time.Sleep(time.Second) // as a person reads what came by itself
		}
		if err := seat.Type(at.types); err != nil {
			t.Fatal(err)
		}
	}
}
