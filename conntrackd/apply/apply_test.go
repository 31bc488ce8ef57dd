package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/hostfile/hostfiletest"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
	"connsync/conntrackd/trial"
)

func statuses(o Outcome) string {
	var words []string
	for _, s := range o.Steps {
		words = append(words, fmt.Sprintf("%s=%s", s.ID, s.Status))
	}
	return strings.Join(words, " ")
}

func TestApplyBothNodes(t *testing.T) {
	a, b := pairtest.New(t)
	first := mustApply(a, a.Settings)
	want := "lock=done backup=skipped write=done enable=skipped restart=done bound=done resync=done stays-up=done heard-peer=skipped heard-by-peer=skipped filled=skipped"
	if got := statuses(first); got != want {
		t.Errorf("steps of the first node:\n got %s\nwant %s", got, want)
	}
	if !first.Changed || first.RolledBack || first.Verdict == health.VerdictTwoWay {
		t.Errorf("outcome of the first node: %+v", first)
	}

	second := applierOf(b)
	second.FirstNode = false
	outcome := applyOn(t.Context(), b, second, candidateOf(b, b.Settings))
	if outcome.Err != nil || outcome.Verdict != health.VerdictTwoWay {
		t.Fatalf("the second node's verdict is %s, %v; want two-way", outcome.Verdict, outcome.Err)
	}
	for _, n := range []*pairtest.Node{a, b} {
		seen := observeVerdict(n, health.VerdictTwoWay)
		got := SocketsOf(n, n.Settings)
		if !got.Bound || got.SendBuffer != 2*n.Settings.SendBuffer || got.ReceiveBuffer != 2*n.Settings.ReceiveBuffer {
			t.Errorf("sockets %+v are not what %+v asks for", got, n.Settings)
		}
		if seen.Device != "sync0" || seen.Link != "RUNNING" || seen.Next != "" {
			t.Errorf("health %+v", seen)
		}
	}
}

func TestApplyIPv6(t *testing.T) {
	a, b := pairtest.New(t)
	a.Settings.Current, a.Settings.Peer = netip.MustParsePrefix("fd77::1/64"), netip.MustParsePrefix("fd77::2/64")
	b.Settings.Current, b.Settings.Peer = a.Settings.Peer, a.Settings.Current
	for _, n := range []*pairtest.Node{a, b} {
		n.AddAddress(n.Settings.Current)
		if outcome := mustApply(n, n.Settings); outcome.RolledBack {
			t.Fatalf("outcome %+v", outcome)
		}
		if got := SocketsOf(n, n.Settings); got.Address != netip.AddrPortFrom(n.Settings.Current.Addr(), 3780).String() {
			t.Errorf("sockets %+v", got)
		}
	}
	// Nothing listens on the link: the listener of these tests hears IPv4 only.
	o := &health.Observer{Service: a.Service, Client: control.NewClient(filepath.Join(a.Dir, "ctl")), Settings: a.Settings}
	a.Do(func() error {
		if h := o.Watch(t.Context(), time.Minute, nil); h.Verdict != health.VerdictTwoWay {
			t.Errorf("verdict %s, %s", h.Verdict, h.Cause)
		}
		return nil
	})
}

// The file that a fresh host gets passes the daemon's own eyes, starts, and is
// left alone by the next save of the same settings.
func TestApplyNewCandidate(t *testing.T) {
	a, _ := pairtest.New(t)
	host := conntrackd.Host{ConntrackMax: 65536, LockFile: filepath.Join(a.Dir, "lock"), SocketPath: filepath.Join(a.Dir, "ctl")}
	for _, changed := range []bool{true, false} {
		var c *conntrackd.Candidate
		a.Do(func() (err error) {
			if c, err = conntrackd.NewCandidate(a.ConfigPath(), a.Settings, host); err != nil {
				return err
			}
			problems, err := trial.Lint(t.Context(), c)
			if err != nil || len(problems) > 0 {
				return fmt.Errorf("lint: %q, %w", problems, err)
			}
			return trial.DryStart(t.Context(), c)
		})
		outcome := applyOn(t.Context(), a, applierOf(a), c)
		if outcome.Err != nil || outcome.Changed != changed {
			t.Errorf("changed %t, want %t: %v", outcome.Changed, changed, outcome.Err)
		}
	}
	if got := SocketsOf(a, a.Settings); !got.Bound {
		t.Errorf("sockets %+v", got)
	}
}

func TestApplyOfWhatIsInForceDoesNothing(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	before, fileBefore := a.State(), hostfiletest.Stat(t, a.ConfigPath())
	for range 2 {
		outcome := mustApply(a, a.Settings)
		if outcome.Changed {
			t.Errorf("the same save again changed something: %s", statuses(outcome))
		}
	}
	if after := a.State(); after.MainPID != before.MainPID {
		t.Errorf("process %d became %d", before.MainPID, after.MainPID)
	}
	if after := hostfiletest.Stat(t, a.ConfigPath()); after.Ino != fileBefore.Ino || after.Ctim != fileBefore.Ctim {
		t.Error("the file was touched")
	}

	// A daemon that does not run the file yet has to be restarted all the same.
	content, err := os.ReadFile(a.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	a.WriteConfig(string(content) + "# by hand\n")
	c := candidateOf(a, a.Settings)
	c.New = c.Old
	if outcome := applyOn(t.Context(), a, applierOf(a), c); outcome.Err != nil || !outcome.Changed || a.State().MainPID == before.MainPID {
		t.Errorf("a daemon older than its file was left running: %s", statuses(outcome))
	}
}

// A save that fails puts the old file and the old daemon back.
func TestApplyRollsBack(t *testing.T) {
	a, _ := pairtest.New(t)
	old := mustApply(a, a.Settings)
	if old.Err != nil {
		t.Fatal(old.Err)
	}
	oldFile, err := os.ReadFile(a.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	away := candidateOf(a, a.Settings)
	away.New = bytes.ReplaceAll(away.New, []byte(a.Settings.Current.Addr().String()), []byte("10.77.0.9"))
	elsewhere := candidateOf(a, a.Settings)
	elsewhere.New = bytes.Replace(elsewhere.New, []byte("Port 3780"), []byte("Port 3790"), 1)
	syntax := candidateOf(a, a.Settings)
	syntax.New = append(syntax.New, "Banana\n"...)
	tests := []struct {
		name      string
		candidate *conntrackd.Candidate
		failed    step.ID
		words     string
	}{
		{"address that is not here", away, StepRestart, "Cannot assign requested address"},
		{"syntax error", syntax, StepRestart, "symbol 'Banana': syntax error"},
		{"listens elsewhere", elsewhere, StepBound, "10.77.0.1:3790, not on 10.77.0.1:3780"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outcome := applyOn(t.Context(), a, applierOf(a), tt.candidate)
			if outcome.Err == nil || !strings.Contains(outcome.Err.Error(), tt.words) {
				t.Errorf("error %v, want the daemon's words %q", outcome.Err, tt.words)
			}
			if !outcome.RolledBack || outcome.Changed {
				t.Errorf("rolled back %t, changed %t: %s", outcome.RolledBack, outcome.Changed, statuses(outcome))
			}
			if got := statuses(outcome); !strings.Contains(got, string(tt.failed)+"=failed rollback=done verify-rollback=done") {
				t.Errorf("steps %s", got)
			}
			now, err := os.ReadFile(a.ConfigPath())
			if err != nil || !bytes.Equal(now, oldFile) {
				t.Errorf("the old file is not back: %v", err)
			}
			if got := SocketsOf(a, a.Settings); !got.Bound {
				t.Errorf("the old daemon does not listen: %+v", got)
			}
		})
	}
}

func TestApplyRollsBackToNothing(t *testing.T) {
	a, _ := pairtest.New(t)
	a.Do(func() error { // a holder that does not share the port
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a.Settings.Current.Addr(), a.Settings.Port)))
		t.Cleanup(func() { c.Close() })
		return err
	})
	applier, beside := applierOf(a), ""
	did := func(what string) func(context.Context) error {
		return func(context.Context) error { beside += what; return nil }
	}
	applier.Aside = &Aside{Title: "Add the firewall rules", Do: did("done "), Undo: did("undone ")}
	outcome := applyOn(t.Context(), a, applier, candidateOf(a, a.Settings))
	if got := statuses(outcome); beside != "done undone " || !strings.Contains(got, "firewall=done") || !strings.Contains(got, "rollback-firewall=done") {
		t.Errorf("beside the save: %q, steps %s", beside, got)
	}
	if outcome.Err == nil || !strings.Contains(outcome.Err.Error(), "Address already in use") || !outcome.RolledBack {
		t.Errorf("outcome %v, rolled back %t", outcome.Err, outcome.RolledBack)
	}
	if _, err := os.Stat(a.ConfigPath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new file is still there: %v", err)
	}
	if a.State().Active {
		t.Error("a daemon runs")
	}
}

func TestApplyDaemonThatDiesAfterItsStart(t *testing.T) {
	a, _ := pairtest.New(t)
	a.Service.Binary = filepath.Join(a.Dir, "start")
	script := "#!/bin/sh\nconntrackd \"$@\" || exit\n(sleep 2; conntrackd -C \"$3\" -k) >/dev/null 2>&1 &\n"
	if err := os.WriteFile(a.Service.Binary, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	applier := applierOf(a)
	applier.Settle = time.Minute // a busy host may be late with the end
	outcome := applyOn(t.Context(), a, applier, candidateOf(a, a.Settings))
	if !errors.Is(outcome.Err, errDaemon) || !outcome.RolledBack {
		t.Errorf("outcome %v, rolled back %t", outcome.Err, outcome.RolledBack)
	}
	if got := statuses(outcome); !strings.Contains(got, "stays-up=failed") {
		t.Errorf("steps %s", got)
	}
}

func TestApplyDisableKeepsTheFile(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	off := a.Settings
	off.Enabled = false
	outcome := mustApply(a, off)
	if !outcome.Changed || outcome.Verdict != health.VerdictStopped || a.State().Active {
		t.Errorf("outcome %+v", outcome)
	}
	if _, err := os.Stat(a.ConfigPath()); err != nil {
		t.Error(err)
	}
	if again := mustApply(a, off); again.Changed {
		t.Errorf("disabling again changed something: %s", statuses(again))
	}
	mustApply(a, a.Settings)
	if got := SocketsOf(a, a.Settings); !got.Bound {
		t.Errorf("after enabling again: %+v", got)
	}
}

func TestApplyOneWriterAtATime(t *testing.T) {
	a, _ := pairtest.New(t)
	applier, c := applierOf(a), candidateOf(a, a.Settings)
	var second Outcome
	a.Do(func() error {
		outcome := applier.Apply(t.Context(), c, func(s step.Step) {
			if s.ID == StepWrite && s.Status == step.Running {
				second = applierOf(a).Apply(t.Context(), c, nil)
			}
		})
		return outcome.Err
	})
	var busy *hostfile.BusyError
	if !errors.As(second.Err, &busy) || busy.PID != os.Getpid() || second.Changed {
		t.Errorf("the second writer got %v", second.Err)
	}
}

func TestApplyRefusesWhatWasChangedUnderneath(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	pid := a.State().MainPID
	other := a.Settings
	other.Port = 3999
	c := candidateOf(a, other)
	theirs := append(bytes.Clone(c.Old), "# by hand\n"...)
	if err := os.WriteFile(a.ConfigPath(), theirs, 0o644); err != nil {
		t.Fatal(err)
	}
	outcome := applyOn(t.Context(), a, applierOf(a), c)
	var changed *hostfile.ChangedError
	if !errors.As(outcome.Err, &changed) || !bytes.Equal(changed.Now, theirs) || outcome.Changed || outcome.RolledBack {
		t.Errorf("outcome %+v", outcome)
	}
	if now, _ := os.ReadFile(a.ConfigPath()); !bytes.Equal(now, theirs) {
		t.Error("their change is lost")
	}
	if a.State().MainPID != pid {
		t.Error("the daemon was restarted")
	}
}

func TestApplyCancelled(t *testing.T) {
	a, _ := pairtest.New(t)
	for _, at := range []step.ID{step.Lock, StepBackup, StepWrite} {
		ctx, cancel := context.WithCancel(t.Context())
		a.Do(func() error {
			outcome := applierOf(a).Apply(ctx, candidateOf(a, a.Settings), func(s step.Step) {
				if s.ID == at {
					cancel()
				}
			})
			if at == StepWrite && outcome.Err == nil { // seen as it began or not at all
				t.Errorf("cancelled at %s: no error", at)
			}
			return nil
		})
		cancel()
		if _, err := os.Stat(a.ConfigPath()); !errors.Is(err, os.ErrNotExist) || a.State().Active {
			t.Fatalf("cancelled at %s, and there is a trace: %v", at, err)
		}
	}

	// After the write it goes on to the end.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	applier := applierOf(a)
	applier.FirstNode = false
	applier.Patience = time.Minute
	start := time.Now()
	a.Do(func() error {
		return applier.Apply(ctx, candidateOf(a, a.Settings), func(s step.Step) {
			if s.ID == StepRestart {
				cancel()
			}
		}).Err
	})
	if got := SocketsOf(a, a.Settings); !got.Bound {
		t.Errorf("a save cancelled during the restart: %+v", got)
	}
	if took := time.Since(start); took > applier.Patience/2 {
		t.Errorf("after the cancel the wait for the peer went on: %v", took)
	}
}

// A write that fails leaves file and daemon alone.
func TestApplyWriteFails(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	pid := a.State().MainPID
	other := a.Settings
	other.SendBuffer = 262144
	applier := applierOf(a)
	applier.replace = func(*hostfile.Access, string, []byte, []byte) error { return syscall.EIO }
	outcome := applyOn(t.Context(), a, applier, candidateOf(a, other))
	if !errors.Is(outcome.Err, syscall.EIO) || outcome.Changed || a.State().MainPID != pid {
		t.Errorf("outcome %+v", outcome)
	}
	if entries, err := OpenHistory(applier.StateDir).Entries(); err != nil || len(entries) != 1 {
		t.Errorf("a save that wrote nothing is in the history: %v, %v", entries, err)
	}
}

func TestApplyWithoutService(t *testing.T) {
	dir := t.TempDir()
	for _, none := range []service.Service{nil, service.Unmanaged{}} {
		c := &conntrackd.Candidate{Path: filepath.Join(dir, "conntrackd.conf"), Settings: conntracktest.Settings(), New: []byte("Sync {}\n")}
		a := &Applier{Service: none, StateDir: dir, RuntimeDir: filepath.Join(dir, "run")}
		outcome := a.Apply(t.Context(), c, nil)
		if got := statuses(outcome); outcome.Err != nil || got != "lock=done backup=skipped write=done" {
			t.Errorf("%v: %v: %s", none, outcome.Err, got)
		}
		c.Old = c.New
		if again := a.Apply(t.Context(), c, nil); again.Err != nil || again.Changed {
			t.Errorf("%v, again: %+v", none, again)
		}
		if err := os.Remove(c.Path); err != nil {
			t.Fatal(err)
		}
	}
}
