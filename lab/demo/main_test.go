package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// built are the programs under test.
type built struct{ demo, connsync string }

// programDir holds what the tests build; it goes with the test process.
var programDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "connsync-demo") })

var build = sync.OnceValues(func() (built, error) {
	dir, err := programDir()
	if err != nil {
		return built{}, err
	}
	b := built{filepath.Join(dir, "demo"), filepath.Join(dir, "connsync")}
	for _, args := range [][]string{{b.demo, "."}, {b.connsync, "../../cmd/connsync"}} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", args[0], args[1])
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return built{}, &buildError{string(out), err}
		}
	}
	return b, nil
})

type buildError struct {
	output string
	err    error
}

func (e *buildError) Error() string { return e.err.Error() + ": " + e.output }

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := programDir(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

func programs(t *testing.T) built {
	t.Helper()
	b, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// terminal is a demonstration on a pseudo-terminal.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File
	mu  sync.Mutex
	out bytes.Buffer
}

func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	cmd.Env = append(cmd.Environ(), "TERM=vt100") // not what the tests are run from
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, cmd: cmd, tty: tty}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			term.mu.Lock()
			term.out.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { cmd.Process.Kill(); tty.Close(); <-read })
	return term
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.out.String()
}

func (term *terminal) waitFor(text string) {
	term.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(term.text(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			term.t.Fatalf("waited 20 s for %q in:\n%s", text, term.text())
		}
	}
}

func (term *terminal) typeKeys(keys string) {
	term.t.Helper()
	if _, err := io.WriteString(term.tty, keys); err != nil {
		term.t.Fatal(err)
	}
}

// status waits for the end and returns the exit status.
func (term *terminal) status() int {
	term.t.Helper()
	ended := make(chan struct{})
	go func() { term.cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(40 * time.Second):
		term.t.Fatalf("the demonstration does not end:\n%s", term.text())
	}
	return term.cmd.ProcessState.ExitCode()
}

func TestWithoutTerminal(t *testing.T) {
	p := programs(t)
	var out bytes.Buffer
	cmd := exec.Command(p.demo, "-connsync", p.connsync)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, &out)
	}
	for _, want := range []string{
		"fw-b# connsync apply --enable --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --first-node",
		"fw-a# connsync check ", "fw-a# connsync apply --dry-run ", "IPv4_Destination_Address 10.0.0.102",
		"fw-a# connsync status", "fw-b# connsync status",
		"ESTABLISHED src=10.1.0.10 dst=10.2.0.10", "10 of 10 connections go on through fw-b",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the output", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// The configurator opens on the terminal; whoever leaves it without saving is
// told that nothing can be proven.
func TestOnTerminal(t *testing.T) {
	p := programs(t)
	term := onTerminal(t, exec.Command(p.demo, "-connsync", p.connsync))
	term.waitFor("Press Enter")
	term.typeKeys("\r")
	term.waitFor("[ Save Changes ]")
	term.typeKeys("\x03")
	if status := term.status(); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	term.waitFor("nothing was saved on fw-a")
}

func TestInterrupt(t *testing.T) {
	p := programs(t)
	for name, interrupt := range map[string]func(*terminal){
		"ctrl+c": func(term *terminal) { term.typeKeys("\x03") },
		"SIGHUP": func(term *terminal) { term.cmd.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			term := onTerminal(t, exec.Command(p.demo, "-connsync", p.connsync))
			term.waitFor("Press Enter")
			interrupt(term)
			if status := term.status(); status != 130 {
				t.Errorf("exit status %d, want 130", status)
			}
			term.waitFor("interrupted; nothing is left behind")
		})
	}
}

func TestFailureSaysWhy(t *testing.T) {
	p := programs(t)
	for _, test := range []struct{ program, want string }{
		{"/bin/false", "demo: fw-b: connsync apply --enable --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --first-node: exit status 1"},
		{"/nowhere/connsync", "demo: the program to show is not built: stat /nowhere/connsync: no such file or directory"},
		{"/bin/true", "the states did not reach fw-b"},
	} {
		var out bytes.Buffer
		cmd := exec.Command(p.demo, "-connsync", test.program)
		cmd.Stderr = &out
		cmd.Run()
		if status := cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(out.String(), test.want) {
			t.Errorf("%s: exit status %d, %q; want 1 and %q", test.program, status, out.String(), test.want)
		}
	}
}
