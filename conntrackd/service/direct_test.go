package service_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile/hostfiletest"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
)

// A command to paste names the file also where its path has blanks.
func TestDirectCommands(t *testing.T) {
	d := &service.Direct{Config: "/a b/c.conf"}
	want := []string{"conntrackd -C '/a b/c.conf' -k", "conntrackd -d -C '/a b/c.conf'"}
	if diff := cmp.Diff(want, d.Commands(service.ActionRestart)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDirectLifeCycle(t *testing.T) {
	a, b := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	b.WriteConfig(conntracktest.Config(b.Settings, b.Dir))
	if s := a.State(); s.Active || s.Enabled || !s.Present || s.MainPID != 0 || !s.Since.IsZero() {
		t.Errorf("before the start: %+v", s)
	}
	a.Do(func() error { return a.Service.Stop(t.Context()) }) // stopping a stopped one
	before := time.Now()
	for _, n := range []*pairtest.Node{a, b} {
		if err := n.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	first := a.State()
	if !first.Active || !first.Enabled || first.MainPID == 0 || !strings.Contains(first.Detail, "not started at boot") {
		t.Errorf("after the start: %+v", first)
	}
	if first.Since.Before(before.Add(-20*time.Millisecond)) || first.Since.After(time.Now()) {
		t.Errorf("started at %v, after %v", first.Since, before)
	}
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	other := b.State()
	if second := a.State(); second.MainPID == first.MainPID || second.MainPID == other.MainPID {
		t.Errorf("process %d after the restart, was %d, the other node's is %d", second.MainPID, first.MainPID, other.MainPID)
	}
	a.Do(func() error { return a.Service.Stop(t.Context()) })
	if a.State().Active || !b.State().Active {
		t.Error("stopping one node has to stop that node and no other")
	}
	if left := hostfiletest.Listing(t, a.Dir); strings.Join(left, " ") != "conntrackd.conf log" {
		t.Errorf("a daemon that was stopped left %v", left)
	}
}

// Without a daemon in this network namespace, the one of another that reads the file is told.
func TestDirectTellsADaemonOfAnotherNamespace(t *testing.T) {
	a, b := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	b.WriteConfig(conntracktest.Config(b.Settings, b.Dir))
	if err := errors.Join(a.Restart(), b.Restart()); err != nil {
		t.Fatal(err)
	}
	seen := func(from *pairtest.Node, config string) string {
		t.Helper()
		words := ""
		from.Do(func() error {
			s := &service.Direct{Config: config}
			state, err := s.State(t.Context())
			if err != nil {
				return err
			}
			if err := service.Misplaced(t.Context(), s, state, config); err != nil {
				words = err.Error()
			}
			if other := service.Elsewhere(s, state, config); (other != nil) != (words != "") {
				t.Errorf("status says %v, and a save %q", other, words)
			}
			return nil
		})
		return words
	}
	want := fmt.Sprintf("conntrackd (process %d) is in another network namespace", a.State().MainPID)
	if got := seen(b, a.ConfigPath()); !strings.HasPrefix(got, want) || !strings.Contains(got, "; run connsync there (nsenter --net=/proc/") {
		t.Errorf("from the other namespace: %q, want %q", got, want)
	}
	for _, n := range []*pairtest.Node{a, b} {
		if got := seen(n, n.ConfigPath()); got != "" {
			t.Errorf("from its own namespace: %q", got)
		}
	}
	a.Do(func() error { return a.Service.Stop(t.Context()) })
	if got := seen(b, a.ConfigPath()); got != "" {
		t.Errorf("where none runs: %q", got)
	}
}

// A namespace of its own is not enough to be another host: the files are
// shared, and the lock file of a live daemon is nobody else's to remove.
func TestDirectLeavesAnotherNamespacesLockAlone(t *testing.T) {
	a, b := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	pid := a.State().MainPID
	b.WriteConfig(conntracktest.Config(b.Settings, a.Dir)) // a's lock file and socket
	for from, flags := range map[string]int{"a network namespace": 0, "one with a mount namespace, as ip netns exec makes it": unix.CLONE_NEWNS} {
		b.Do(func() error {
			if err := unix.Unshare(flags); err != nil { // the thread ends with this
				return err
			}
			if s, err := b.Service.State(t.Context()); err != nil || s.Killed {
				t.Errorf("%s: a lock file that belongs to a live daemon counts as left by a killed one: %+v, %v", from, s, err)
			}
			if err := b.Service.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "belongs to another conntrackd") {
				t.Errorf("%s: start beside a live lock file: %v", from, err)
			}
			return nil
		})
		if a.State().MainPID != pid {
			t.Error("the other daemon is gone")
		}
		if _, err := os.Stat(filepath.Join(a.Dir, "lock")); err != nil {
			t.Error(err)
		}
	}
	b.Do(func() error { return b.Service.Stop(t.Context()) })
	if _, err := os.Stat(filepath.Join(a.Dir, "lock")); err != nil || !a.State().Active {
		t.Error("stopping one node stopped the other's daemon")
	}
}

// A conntrackd of another mount namespace whose file nobody can read, as a trial start has it,
// is not the owner of a lock file that was made when it started.
func TestDirectLeavesNoLockToADaemonThatIsNotRead(t *testing.T) {
	a, b := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	b.WriteConfig(conntracktest.Config(b.Settings, b.Dir))
	file, err := os.Open(b.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	other := exec.Command("unshare", "--mount", "conntrackd", "-C", "/proc/self/fd/3")
	other.ExtraFiles = []*os.File{file}
	b.Do(func() error { return other.Start() })
	defer func() { other.Process.Kill(); other.Wait() }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", other.Process.Pid)); err == nil && string(name) == "conntrackd\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other conntrackd has not started")
		}
	}
	lock := filepath.Join(a.Dir, "lock")
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s := a.State(); !s.Killed {
		t.Errorf("with a lock file that is left: %+v", s)
	}
	if err := a.Restart(); err != nil {
		t.Errorf("start: %v", err)
	}
}

func TestDirectAfterAKill(t *testing.T) {
	a, _ := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	pid := a.State().MainPID
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); a.State().Active; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a killed daemon, perhaps a zombie, counts as active")
		}
	}
	if _, err := os.Stat(filepath.Join(a.Dir, "lock")); err != nil {
		t.Fatalf("there is no stale lock file, the test shows nothing: %v", err)
	}
	if s := a.State(); !s.Killed || !strings.Contains(s.Detail, filepath.Join(a.Dir, "lock")) {
		t.Errorf("after a kill: %+v", s)
	}
	if err := a.Restart(); err != nil {
		t.Fatalf("start after a kill: %v", err)
	}
	if s := a.State(); s.Killed {
		t.Errorf("started again: %+v", s)
	}
	var got health.Sockets
	a.Do(func() (err error) {
		got, err = health.ReadSockets(a.State().MainPID, a.Settings)
		return err
	})
	if !got.Bound {
		t.Errorf("sockets %+v", got)
	}
	if err := unix.Kill(a.State().MainPID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.Do(func() error { return a.Service.Stop(t.Context()) })
	if s := a.State(); s.Active || s.Killed {
		t.Errorf("stopped after a kill: %+v", s)
	}
}

// A daemon that runs without its socket does not count as started, also where the time
// was up before it could be asked.
func TestDirectWithoutTheSocket(t *testing.T) {
	a, _ := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	a.Service.SocketPath = filepath.Join(a.Dir, "none")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a.Do(func() error {
		if err := a.Service.Serves(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("it says %v", err)
		}
		return nil
	})
}

// A stopped process does not see SIGTERM.
func TestDirectStopsAStoppedProcess(t *testing.T) {
	a, _ := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	running, err := service.Processes("")
	if err != nil {
		t.Fatal(err)
	}
	pid := a.State().MainPID
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	a.Do(func() error {
		start := time.Now()
		if err := a.Service.Stop(ctx); err == nil {
			t.Error("a cancelled stop of a hanging daemon says that it is done")
		}
		if took := time.Since(start); took > service.DirectStopTimeout/2 {
			t.Errorf("it returned %v after its context", took)
		}
		return nil
	})
	for _, p := range running {
		if p.PID() != pid {
			continue
		}
		if gone, err := service.KillProcess(t.Context(), p); !gone || err != nil {
			t.Errorf("kill: gone %t, %v", gone, err)
		}
	}
	if a.State().Active {
		t.Error("it still runs")
	}
}

// A child that dumps to a client which does not read outlives its daemon, with the
// daemon's command line and its sockets: it is no daemon that came back.
func TestDirectStopEndsADumpToo(t *testing.T) {
	a, _ := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	const many = 5000 // more than the socket holds
	if err := a.Fill(10, many); err != nil {
		t.Fatal(err)
	}
	if err := a.Client().ResyncKernel(t.Context()); err != nil { // for events that found no room
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		cache, err := a.Client().Cache(t.Context())
		if err == nil && cache.Internal >= many {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatalf("the daemon has %d of %d states (%v)", cache.Internal, many, err)
		}
	}
	daemon := a.State().MainPID
	children := func() string {
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", daemon))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(list))
	}
	client, err := net.Dial("unix", filepath.Join(a.Dir, "ctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// DUMP_INTERNAL, include/conntrackd.h
	if _, err := client.Write(binary.NativeEndian.AppendUint32(nil, 16)); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); children() == ""; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the daemon forks no child for a dump")
		}
	}
	child := children()
	descriptors := func() int {
		open, _ := os.ReadDir("/proc/" + child + "/fd") // of one that has ended it has none
		return len(open)
	}
	if descriptors() == 0 {
		t.Fatalf("%q is no child with descriptors", child)
	}
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	if n := descriptors(); n > 0 {
		t.Errorf("the child %s is still there, with %d descriptors", child, n)
	}
}

func TestDirectStartFailures(t *testing.T) {
	a, _ := pairtest.New(t)
	good := conntracktest.Config(a.Settings, a.Dir)
	withoutLog := conntracktest.Swap(good, "  LogFile "+filepath.Join(a.Dir, "log")+"\n", "")
	tests := []struct {
		name, config, want string
	}{
		{"no file", "", "can't open config file"},
		{"syntax", conntracktest.Swap(withoutLog, "Checksum", "Banana"), "symbol 'Banana': syntax error"},
		{"address", conntracktest.Swap(withoutLog, "10.77.0.1\n", "10.77.0.9\n"), "Cannot assign requested address"},
		{"crash", conntracktest.Swap(withoutLog, "HashSize 4096", "HashSize 2147483647"), "segmentation fault"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config == "" {
				_ = os.Remove(a.ConfigPath())
			} else {
				a.WriteConfig(tt.config)
			}
			began := time.Now()
			err := a.Restart()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			lines, logErr := a.Service.Log(t.Context(), began)
			if logErr != nil || tt.name != "crash" && !strings.Contains(strings.Join(lines, "\n"), tt.want) {
				t.Errorf("log %q, %v", lines, logErr)
			}
			if late, _ := a.Service.Log(t.Context(), time.Now()); len(late) > 0 {
				t.Errorf("log from now on: %q", late)
			}
			a.WriteConfig(good)
			if err := a.Restart(); err != nil {
				t.Errorf("with a good file again: %v", err)
			}
			a.Do(func() error { return a.Service.Stop(t.Context()) })
		})
	}
}
