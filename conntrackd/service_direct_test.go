package conntrackd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDirectLifeCycle(t *testing.T) {
	a, b := newPair(t)
	a.writeConfig(testConfig(a.settings, a.dir))
	b.writeConfig(testConfig(b.settings, b.dir))
	if s := a.state(); s.Active || s.Enabled || !s.Present || s.MainPID != 0 || !s.Since.IsZero() {
		t.Errorf("before the start: %+v", s)
	}
	a.do(func() error { return a.service.Stop(t.Context()) }) // stopping a stopped one
	before := time.Now()
	for _, n := range []*testNode{a, b} {
		if err := n.restart(); err != nil {
			t.Fatal(err)
		}
	}
	first := a.state()
	if !first.Active || !first.Enabled || first.MainPID == 0 || !strings.Contains(first.Detail, "nothing starts it at boot") {
		t.Errorf("after the start: %+v", first)
	}
	if first.Since.Before(before.Add(-20*time.Millisecond)) || first.Since.After(time.Now()) {
		t.Errorf("started at %v, after %v", first.Since, before)
	}
	if err := a.restart(); err != nil {
		t.Fatal(err)
	}
	other := b.state()
	if second := a.state(); second.MainPID == first.MainPID || second.MainPID == other.MainPID {
		t.Errorf("process %d after the restart, was %d, the other node's is %d", second.MainPID, first.MainPID, other.MainPID)
	}
	a.do(func() error { return a.service.Stop(t.Context()) })
	if a.state().Active || !b.state().Active {
		t.Error("stopping one node has to stop that node and no other")
	}
	if left := listing(t, a.dir); strings.Join(left, " ") != "conntrackd.conf log" {
		t.Errorf("a daemon that was stopped left %v", left)
	}
}

// A namespace of its own is not enough to be another host: the files are
// shared, and the lock file of a live daemon is nobody else's to remove.
func TestDirectLeavesAnotherNamespacesLockAlone(t *testing.T) {
	a, b := newPair(t)
	a.writeConfig(testConfig(a.settings, a.dir))
	if err := a.restart(); err != nil {
		t.Fatal(err)
	}
	pid := a.state().MainPID
	b.writeConfig(testConfig(b.settings, a.dir)) // a's lock file and socket
	if err := b.restart(); err == nil || !strings.Contains(err.Error(), "belongs to another conntrackd") {
		t.Errorf("start beside a live lock file: %v", err)
	}
	if a.state().MainPID != pid {
		t.Error("the other daemon is gone")
	}
	if _, err := os.Stat(filepath.Join(a.dir, "lock")); err != nil {
		t.Error(err)
	}
	if b.state().Killed {
		t.Error("a lock file that belongs to a live daemon counts as left by a killed one")
	}
	b.do(func() error { return b.service.Stop(t.Context()) })
	if _, err := os.Stat(filepath.Join(a.dir, "lock")); err != nil || !a.state().Active {
		t.Error("stopping one node stopped the other's daemon")
	}
}

func TestDirectAfterAKill(t *testing.T) {
	a, _ := newPair(t)
	a.writeConfig(testConfig(a.settings, a.dir))
	if err := a.restart(); err != nil {
		t.Fatal(err)
	}
	pid := a.state().MainPID
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); a.state().Active; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a killed daemon, perhaps a zombie, counts as active")
		}
	}
	if _, err := os.Stat(filepath.Join(a.dir, "lock")); err != nil {
		t.Fatalf("there is no stale lock file, the test shows nothing: %v", err)
	}
	if s := a.state(); !s.Killed || !strings.Contains(s.Detail, filepath.Join(a.dir, "lock")) {
		t.Errorf("after a kill: %+v", s)
	}
	if err := a.restart(); err != nil {
		t.Fatalf("start after a kill: %v", err)
	}
	if s := a.state(); s.Killed {
		t.Errorf("started again: %+v", s)
	}
	var got Sockets
	a.do(func() (err error) {
		got, err = ReadSockets(a.state().MainPID, a.settings)
		return err
	})
	if !got.Bound {
		t.Errorf("sockets %+v", got)
	}
	if err := unix.Kill(a.state().MainPID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.do(func() error { return a.service.Stop(t.Context()) })
	if s := a.state(); s.Active || s.Killed {
		t.Errorf("stopped after a kill: %+v", s)
	}
}

// A stopped process does not see SIGTERM.
func TestDirectStopsAStoppedProcess(t *testing.T) {
	a, _ := newPair(t)
	a.writeConfig(testConfig(a.settings, a.dir))
	if err := a.restart(); err != nil {
		t.Fatal(err)
	}
	running, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	pid := a.state().MainPID
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	a.do(func() error {
		start := time.Now()
		if err := a.service.Stop(ctx); err == nil {
			t.Error("a cancelled stop of a hanging daemon says that it is done")
		}
		if took := time.Since(start); took > directStopTimeout/2 {
			t.Errorf("it returned %v after its context", took)
		}
		return nil
	})
	for _, p := range running {
		if p.pid != pid {
			continue
		}
		if gone, err := killProcess(t.Context(), p); !gone || err != nil {
			t.Errorf("kill: gone %t, %v", gone, err)
		}
	}
	if a.state().Active {
		t.Error("it still runs")
	}
}

func TestDirectStartFailures(t *testing.T) {
	a, _ := newPair(t)
	good := testConfig(a.settings, a.dir)
	withoutLog := swap(good, "  LogFile "+filepath.Join(a.dir, "log")+"\n", "")
	tests := []struct {
		name, config, want string
	}{
		{"no file", "", "can't open config file"},
		{"syntax", swap(withoutLog, "Checksum", "Banana"), "symbol 'Banana': syntax error"},
		{"address", swap(withoutLog, "10.77.0.1\n", "10.77.0.9\n"), "Cannot assign requested address"},
		{"crash", swap(withoutLog, "HashSize 4096", "HashSize 2147483647"), "segmentation fault"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config == "" {
				_ = os.Remove(a.config())
			} else {
				a.writeConfig(tt.config)
			}
			began := time.Now()
			err := a.restart()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			lines, logErr := a.service.Log(t.Context(), began)
			if logErr != nil || tt.name != "crash" && !strings.Contains(strings.Join(lines, "\n"), tt.want) {
				t.Errorf("log %q, %v", lines, logErr)
			}
			if late, _ := a.service.Log(t.Context(), time.Now()); len(late) > 0 {
				t.Errorf("log from now on: %q", late)
			}
			a.writeConfig(good)
			if err := a.restart(); err != nil {
				t.Errorf("with a good file again: %v", err)
			}
			a.do(func() error { return a.service.Stop(t.Context()) })
		})
	}
}
