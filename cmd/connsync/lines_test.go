package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/lab"
)

// The main job in line mode: one node is configured through pipes, as the
// first of the pair, the other on a dumb terminal, and then both daemons sync.
func TestPairIsConfiguredLineByLine(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	program := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	// The peer is not there when the first node is set up.
	if out, err := pair.B.Run(ctx, "ip", "link", "set", lab.SyncInterface, "down"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	a := startPiped(t, exec.Command(program, "--plain"), pair.A.Start)
	a.asks("Enable Sync (e or d) [Disable]:", "enable")
	a.says("WARNING: default route here, it carries production traffic")
	a.asks("Interface Name (number or name)", lab.SyncInterface)
	a.asks("Current IP ["+pair.A.Sync.String()+"]:", "")
	a.asks("Peer IP:", "10.0.9.102/24")
	a.says("10.0.9.102 is not in 10.0.0.0/24, the subnet of Current IP")
	a.asks("Peer IP:", pair.B.Sync.String())
	a.asks("Port [3780]:", "")
	a.asks("Send Buffer Size [65536]:", "256K")
	a.asks("Receive Buffer Size [256K]:", "")
	a.asks("Advanced settings? [no]:", "y")
	a.asks("Spare Links:", "")
	a.asks("External Cache (on or off) [Off]:", "")
	a.asks("Transport (udp, multicast) [udp]:", "")
	a.asks("Multicast Group:", "")
	a.asks("Mode (ftfw, notrack, alarm) [ftfw]:", "")
	a.asks("Resend Queue [default]:", "")
	a.asks("Purge Timeout [default]:", "15")
	a.asks("Commit Timeout [default]:", ".")
	a.says("A save is blocked by")
	a.asks("Type yes to confirm, or Enter for no:", "yes")
	a.asks("Apply? [y/N", "y")
	a.says("first node of the pair: the path to the peer was not proven.")
	a.says("Saved, and in force.")
	a.asks("Next (s status, c change, q quit, ? all):", "q")
	a.ends(patience, exitDone)

	if out, err := pair.B.Run(ctx, "ip", "link", "set", lab.SyncInterface, "up"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b := startOnTerminal(t, exec.Command(program), "dumb", pair.B.Enter)
	go b.read()
	b.says("Line mode")
	b.asks("Enable Sync (e or d) [Disable]:", "e")
	b.asks("Interface Name (number or name)", numberOf(b, lab.SyncInterface))
	b.asks("Current IP ["+pair.B.Sync.String()+"]:", "")
	b.asks("Peer IP", pair.A.Sync.String())
	b.asks("Port [3780]:", "")
	b.asks("Send Buffer Size [65536]:", "256K")
	b.asks("Receive Buffer Size [256K]:", ".")
	b.asks("Apply? [y/N", "d")
	b.says("IPv4_Destination_Address " + pair.A.Sync.Addr().String())
	b.asks("Apply? [y/N", "y")
	b.says("Saved, and in force. In sync both ways.")
	b.says("connsync apply --interface " + lab.SyncInterface)
	b.asks("Next (s status, c change, q quit, ? all):", "m")
	b.says("states here")
	b.asks("Next (s status, c change, q quit, ? all):", "q")
	b.ends(patience, exitDone)

	for _, m := range []*lab.Member{pair.A, pair.B} {
		out, err := m.Run(ctx, program, "status", "--json")
		if err != nil {
			t.Errorf("status on %s: %v\n%s", m.Name(), err, out)
			continue
		}
		var s reported
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("status on %s: %v\n%s", m.Name(), err, out)
		}
		if s.SendBuffer != 2*256<<10 || s.ReceiveBuffer != 2*256<<10 || !s.Bound {
			t.Errorf("status on %s: bound %v, buffers %d and %d, want both 524288", m.Name(), s.Bound, s.SendBuffer, s.ReceiveBuffer)
		}
	}

	// What is in force stays, and the end of the input is no failure then.
	again := startPiped(t, exec.Command(program, "--plain"), pair.A.Start)
	answers := []string{"enable", lab.SyncInterface, pair.A.Sync.String(), pair.B.Sync.String(), "."}
	if _, err := io.WriteString(again.in, strings.Join(answers, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	again.in.Close()
	again.ends(patience, exitDone)
	again.says("Nothing to do: these settings are already in force.")
}

// exists reports whether there is a file; what cannot be looked at counts.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// lineCommand is the program on this host, with a file of its own.
func lineCommand(t *testing.T, args ...string) (cmd *exec.Cmd, config string) {
	t.Helper()
	dir := t.TempDir()
	config = filepath.Join(dir, "conntrackd.conf")
	args = append([]string{"--config", config, "--service", "none", "--state-dir", filepath.Join(dir, "state")}, args...)
	return exec.Command(build(t), args...), config
}

// Each way to end at a question leaves no trace, and the terminal as it was.
func TestLineModeEndsWithoutATrace(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		end    func(*lineSession) error
		says   string
		status int
	}{
		{"end of input", func(s *lineSession) error { _, err := io.WriteString(s.in, "\x04"); return err }, "The input ended. Nothing was saved.", exitRefused},
		{"ctrl+c", func(s *lineSession) error { _, err := io.WriteString(s.in, "\x03"); return err }, "Ended. Nothing was saved.", exitRefused},
		{"ctrl+c in a paste", func(s *lineSession) error { _, err := io.WriteString(s.in, "\x1b[200~10.0.0.9\x03"); return err }, "Ended. Nothing was saved.", exitRefused},
		{"SIGTERM", func(s *lineSession) error { return s.cmd.Process.Signal(syscall.SIGTERM) }, "Ended. Nothing was saved.", exitRefused},
		{"SIGHUP", func(s *lineSession) error { return s.cmd.Process.Signal(syscall.SIGHUP) }, "Ended. Nothing was saved.", exitRefused},
		{"closed line", func(s *lineSession) error { return s.tty.Close() }, "", exitRefused},
	} {
		for _, term := range []string{"dumb", "", "unknown"} {
			t.Run(tc.name+"/"+term, func(t *testing.T) {
				t.Parallel()
				cmd, config := lineCommand(t)
				s := startOnTerminal(t, cmd, term, here)
				// Without the echo of ^C and ^D, which is not the program's.
				quiet := s.termios()
				quiet.Lflag &^= unix.ECHO
				s.control(func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, &quiet) })
				go s.read()
				s.until("asks", func(text string) bool { return strings.HasSuffix(text, "Enable Sync (e or d): ") })
				if err := tc.end(s); err != nil {
					t.Fatal(err)
				}
				s.ends(2*time.Second, tc.status)
				if exists(config) {
					t.Error("there is a file")
				}
				if tc.says == "" {
					return
				}
				s.says(tc.says)
				if diff := cmp.Diff(quiet, s.termios()); diff != "" {
					t.Errorf("the terminal has changed:\n%s", diff)
				}
			})
		}
	}
}

// A setup that is left by ctrl+c is left for later, which is no failure.
func TestLineSetupIsLeftForLaterByCtrlC(t *testing.T) {
	t.Parallel()
	cmd, config := lineCommand(t, "setup")
	s := startOnTerminal(t, cmd, "dumb", here)
	go s.read()
	s.until("asks", func(text string) bool { return strings.HasSuffix(text, "[LLB]: ") })
	if _, err := io.WriteString(s.in, "\x03"); err != nil {
		t.Fatal(err)
	}
	s.ends(patience, exitDone)
	again := strings.Join(append([]string{"connsync", "setup"}, cmd.Args[1:len(cmd.Args)-1]...), " ")
	s.says("If yours can: TERM=vt100 connsync setup --config")
	s.says("Ended. Nothing is set up. To continue later, run " + again + ".")
	if exists(config) || exists(filepath.Join(filepath.Dir(config), "state", "setup")) {
		t.Error("it left something behind")
	}
}

// A line that takes no output does not keep the program.
func TestLineModeEndsOnABlockedLine(t *testing.T) {
	t.Parallel()
	cmd, config := lineCommand(t)
	s := startOnTerminal(t, cmd, "dumb", here)
	stopped := make(chan struct{})
	go func() { // each question is answered by some 300 bytes, which nobody reads
		defer close(stopped)
		for range 2000 {
			if _, err := io.WriteString(s.in, "?\n"); err != nil {
				return
			}
		}
	}()
	time.Sleep(time.Second)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(2 * time.Second):
		t.Error("it did not end within two seconds")
	}
	s.tty.Close()
	<-stopped
	if exists(config) {
		t.Error("there is a file")
	}
}

// ctrl+c while a save goes on ends the wait for the peer, not the save.
func TestLineModeFinishesTheSaveThatHasBegun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	program := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	s := startOnTerminal(t, exec.Command(program, "--plain"), "vt100", pair.A.Enter)
	go s.read()
	answers := []string{"e", lab.SyncInterface, pair.A.Sync.String(), pair.B.Sync.String(), "."}
	if _, err := io.WriteString(s.in, strings.Join(answers, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	s.asks("Apply? [y/N", "y")
	s.says("Waiting for the peer.")
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	s.ends(patience, exitDone)
	s.says("Saved, and in force.")
	if out, err := pair.A.Run(ctx, program, "show"); err != nil || !strings.Contains(out, lab.SyncInterface) {
		t.Errorf("show: %v\n%s", err, out)
	}
	if out, err := pair.A.Run(ctx, "pidof", "conntrackd"); err != nil {
		t.Errorf("no conntrackd runs: %v\n%s", err, out)
	}

	// The other node, with all answers piped at once, as docs/console.md has it.
	all := startPiped(t, exec.Command(program, "--plain"), pair.B.Start)
	answers = []string{"enable", lab.SyncInterface, pair.B.Sync.String(), pair.A.Sync.String(), ".", "y", "q"}
	if _, err := io.WriteString(all.in, strings.Join(answers, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	all.in.Close()
	all.ends(patience, exitDone)
	all.says("Saved, and in force. In sync both ways.")
}
