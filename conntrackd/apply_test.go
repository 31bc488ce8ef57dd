package conntrackd

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
)

func statuses(o Outcome) string {
	var words []string
	for _, s := range o.Steps {
		words = append(words, fmt.Sprintf("%s=%s", s.ID, s.Status))
	}
	return strings.Join(words, " ")
}

func TestApplyBothNodes(t *testing.T) {
	a, b := newPair(t)
	first := mustApply(a, a.settings)
	want := "lock=done backup=skipped write=done enable=skipped restart=done bound=done resync=done stays-up=done heard-peer=skipped heard-by-peer=skipped filled=skipped"
	if got := statuses(first); got != want {
		t.Errorf("steps of the first node:\n got %s\nwant %s", got, want)
	}
	if !first.Changed || first.RolledBack || first.Verdict == VerdictTwoWay {
		t.Errorf("outcome of the first node: %+v", first)
	}

	second := applierOf(b)
	second.FirstNode = false
	outcome := applyOn(t.Context(), b, second, candidateOf(b, b.settings))
	if outcome.Err != nil || outcome.Verdict != VerdictTwoWay {
		t.Fatalf("the second node's verdict is %s, %v; want two-way", outcome.Verdict, outcome.Err)
	}
	for _, n := range []*testNode{a, b} {
		health := observeVerdict(n, VerdictTwoWay)
		got := socketsOf(n, n.settings)
		if !got.Bound || got.SendBuffer != 2*n.settings.SendBuffer || got.ReceiveBuffer != 2*n.settings.ReceiveBuffer {
			t.Errorf("sockets %+v are not what %+v asks for", got, n.settings)
		}
		if health.Device != "sync0" || health.Link != "RUNNING" || health.Next != "" {
			t.Errorf("health %+v", health)
		}
	}
}

func TestApplyIPv6(t *testing.T) {
	a, b := newPair(t)
	a.settings.Current, a.settings.Peer = netip.MustParsePrefix("fd77::1/64"), netip.MustParsePrefix("fd77::2/64")
	b.settings.Current, b.settings.Peer = a.settings.Peer, a.settings.Current
	for _, n := range []*testNode{a, b} {
		n.addAddress(n.settings.Current)
		if outcome := mustApply(n, n.settings); outcome.RolledBack {
			t.Fatalf("outcome %+v", outcome)
		}
		if got := socketsOf(n, n.settings); got.Address != netip.AddrPortFrom(n.settings.Current.Addr(), 3780).String() {
			t.Errorf("sockets %+v", got)
		}
	}
	// Without an ear: that of these tests hears IPv4 only.
	o := &Observer{Service: a.service, Client: NewClient(filepath.Join(a.dir, "ctl")), Settings: a.settings}
	a.do(func() error {
		if h := o.Watch(t.Context(), 10*time.Second, nil); h.Verdict != VerdictTwoWay {
			t.Errorf("verdict %s, %s", h.Verdict, h.Cause)
		}
		return nil
	})
}

// The file that a fresh host gets passes the daemon's own eyes, starts, and is
// left alone by the next save of the same settings.
func TestApplyNewCandidate(t *testing.T) {
	a, _ := newPair(t)
	host := Host{ConntrackMax: 65536, LockFile: filepath.Join(a.dir, "lock"), SocketPath: filepath.Join(a.dir, "ctl")}
	for _, changed := range []bool{true, false} {
		var c *Candidate
		a.do(func() (err error) {
			if c, err = NewCandidate(a.config(), a.settings, host); err != nil {
				return err
			}
			problems, err := Lint(t.Context(), c)
			if err != nil || len(problems) > 0 {
				return fmt.Errorf("lint: %q, %w", problems, err)
			}
			return DryStart(t.Context(), c)
		})
		outcome := applyOn(t.Context(), a, applierOf(a), c)
		if outcome.Err != nil || outcome.Changed != changed {
			t.Errorf("changed %t, want %t: %v", outcome.Changed, changed, outcome.Err)
		}
	}
	if got := socketsOf(a, a.settings); !got.Bound {
		t.Errorf("sockets %+v", got)
	}
}

func TestApplyOfWhatIsInForceDoesNothing(t *testing.T) {
	a, _ := newPair(t)
	mustApply(a, a.settings)
	before, fileBefore := a.state(), stat(t, a.config())
	for range 2 {
		outcome := mustApply(a, a.settings)
		if outcome.Changed {
			t.Errorf("the same save again changed something: %s", statuses(outcome))
		}
	}
	if after := a.state(); after.MainPID != before.MainPID {
		t.Errorf("process %d became %d", before.MainPID, after.MainPID)
	}
	if after := stat(t, a.config()); after.Ino != fileBefore.Ino || after.Ctim != fileBefore.Ctim {
		t.Error("the file was touched")
	}

	// A daemon that does not run the file yet has to be restarted all the same.
	content, err := os.ReadFile(a.config())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if err := os.WriteFile(a.config(), content, 0o644); err != nil {
		t.Fatal(err)
	}
	if outcome := mustApply(a, a.settings); !outcome.Changed || a.state().MainPID == before.MainPID {
		t.Errorf("a daemon older than its file was left running: %s", statuses(outcome))
	}
}

// A save that fails puts the old file and the old daemon back.
func TestApplyRollsBack(t *testing.T) {
	a, _ := newPair(t)
	old := mustApply(a, a.settings)
	if old.Err != nil {
		t.Fatal(old.Err)
	}
	oldFile, err := os.ReadFile(a.config())
	if err != nil {
		t.Fatal(err)
	}
	wrong := a.settings
	wrong.Current = netip.MustParsePrefix("10.77.0.9/24")
	elsewhere := candidateOf(a, a.settings)
	elsewhere.New = bytes.Replace(elsewhere.New, []byte("Port 3780"), []byte("Port 3790"), 1)
	syntax := candidateOf(a, a.settings)
	syntax.New = append(syntax.New, "Banana\n"...)
	tests := []struct {
		name      string
		candidate *Candidate
		failed    StepID
		words     string
	}{
		{"address that is not here", candidateOf(a, wrong), StepRestart, "Cannot assign requested address"},
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
			now, err := os.ReadFile(a.config())
			if err != nil || !bytes.Equal(now, oldFile) {
				t.Errorf("the old file is not back: %v", err)
			}
			if got := socketsOf(a, a.settings); !got.Bound {
				t.Errorf("the old daemon does not listen: %+v", got)
			}
		})
	}
}

func TestApplyRollsBackToNothing(t *testing.T) {
	a, _ := newPair(t)
	a.do(func() error { // a holder that does not share the port
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a.settings.Current.Addr(), a.settings.Port)))
		t.Cleanup(func() { c.Close() })
		return err
	})
	outcome := applyOn(t.Context(), a, applierOf(a), candidateOf(a, a.settings))
	if outcome.Err == nil || !strings.Contains(outcome.Err.Error(), "Address already in use") || !outcome.RolledBack {
		t.Errorf("outcome %v, rolled back %t", outcome.Err, outcome.RolledBack)
	}
	if _, err := os.Stat(a.config()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new file is still there: %v", err)
	}
	if a.state().Active {
		t.Error("a daemon runs")
	}
}

func TestApplyDaemonThatDiesAfterItsStart(t *testing.T) {
	a, _ := newPair(t)
	a.service.Binary = filepath.Join(a.dir, "start")
	script := "#!/bin/sh\nconntrackd \"$@\" || exit\n(sleep 2; conntrackd -C \"$3\" -k) >/dev/null 2>&1 &\n"
	if err := os.WriteFile(a.service.Binary, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	applier := applierOf(a)
	applier.Settle = 0 // as in the program
	outcome := applyOn(t.Context(), a, applier, candidateOf(a, a.settings))
	if !errors.Is(outcome.Err, ErrDaemon) || !outcome.RolledBack {
		t.Errorf("outcome %v, rolled back %t", outcome.Err, outcome.RolledBack)
	}
	if got := statuses(outcome); !strings.Contains(got, "stays-up=failed") {
		t.Errorf("steps %s", got)
	}
}

func TestApplyDisableKeepsTheFile(t *testing.T) {
	a, _ := newPair(t)
	mustApply(a, a.settings)
	off := a.settings
	off.Enabled = false
	outcome := mustApply(a, off)
	if !outcome.Changed || outcome.Verdict != VerdictStopped || a.state().Active {
		t.Errorf("outcome %+v", outcome)
	}
	if _, err := os.Stat(a.config()); err != nil {
		t.Error(err)
	}
	if again := mustApply(a, off); again.Changed {
		t.Errorf("disabling again changed something: %s", statuses(again))
	}
	mustApply(a, a.settings)
	if got := socketsOf(a, a.settings); !got.Bound {
		t.Errorf("after enabling again: %+v", got)
	}
}

func TestApplyOneWriterAtATime(t *testing.T) {
	a, _ := newPair(t)
	applier, c := applierOf(a), candidateOf(a, a.settings)
	var second Outcome
	a.do(func() error {
		outcome := applier.Apply(t.Context(), c, func(s Step) {
			if s.ID == StepWrite && s.Status == StepRunning {
				second = applierOf(a).Apply(t.Context(), c, nil)
			}
		})
		return outcome.Err
	})
	var busy *BusyError
	if !errors.As(second.Err, &busy) || busy.PID != os.Getpid() || second.Changed {
		t.Errorf("the second writer got %v", second.Err)
	}
}

func TestApplyRefusesWhatWasChangedUnderneath(t *testing.T) {
	a, _ := newPair(t)
	mustApply(a, a.settings)
	pid := a.state().MainPID
	other := a.settings
	other.Port = 3999
	c := candidateOf(a, other)
	theirs := append(bytes.Clone(c.Old), "# by hand\n"...)
	if err := os.WriteFile(a.config(), theirs, 0o644); err != nil {
		t.Fatal(err)
	}
	outcome := applyOn(t.Context(), a, applierOf(a), c)
	var changed *ChangedError
	if !errors.As(outcome.Err, &changed) || !bytes.Equal(changed.Now, theirs) || outcome.Changed || outcome.RolledBack {
		t.Errorf("outcome %+v", outcome)
	}
	if now, _ := os.ReadFile(a.config()); !bytes.Equal(now, theirs) {
		t.Error("their change is lost")
	}
	if a.state().MainPID != pid {
		t.Error("the daemon was restarted")
	}
}

func TestApplyCancelled(t *testing.T) {
	a, _ := newPair(t)
	for _, at := range []StepID{StepLock, StepBackup, StepWrite} {
		ctx, cancel := context.WithCancel(t.Context())
		a.do(func() error {
			outcome := applierOf(a).Apply(ctx, candidateOf(a, a.settings), func(s Step) {
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
		if _, err := os.Stat(a.config()); !errors.Is(err, os.ErrNotExist) || a.state().Active {
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
	a.do(func() error {
		return applier.Apply(ctx, candidateOf(a, a.settings), func(s Step) {
			if s.ID == StepRestart {
				cancel()
			}
		}).Err
	})
	if got := socketsOf(a, a.settings); !got.Bound {
		t.Errorf("a save cancelled during the restart: %+v", got)
	}
	if took := time.Since(start); took > applier.Patience/2 {
		t.Errorf("after the cancel the wait for the peer went on: %v", took)
	}
}

// A write that fails leaves file and daemon alone.
func TestApplyWriteFails(t *testing.T) {
	a, _ := newPair(t)
	mustApply(a, a.settings)
	pid := a.state().MainPID
	other := a.settings
	other.SendBuffer = 262144
	applier := applierOf(a)
	applier.replace = func(string, []byte, []byte) error { return syscall.EIO }
	outcome := applyOn(t.Context(), a, applier, candidateOf(a, other))
	if !errors.Is(outcome.Err, syscall.EIO) || outcome.Changed || a.state().MainPID != pid {
		t.Errorf("outcome %+v", outcome)
	}
	if entries, err := OpenHistory(applier.StateDir).Entries(); err != nil || len(entries) != 1 {
		t.Errorf("a save that wrote nothing is in the history: %v, %v", entries, err)
	}
}

func TestApplyWithoutService(t *testing.T) {
	dir := t.TempDir()
	for _, service := range []Service{nil, Unmanaged{}} {
		c := &Candidate{Path: filepath.Join(dir, "conntrackd.conf"), Settings: testSettings(), New: []byte("Sync {}\n")}
		a := &Applier{Service: service, StateDir: dir, RuntimeDir: filepath.Join(dir, "run")}
		outcome := a.Apply(t.Context(), c, nil)
		if got := statuses(outcome); outcome.Err != nil || got != "lock=done backup=skipped write=done" {
			t.Errorf("%v: %v: %s", service, outcome.Err, got)
		}
		c.Old = c.New
		if again := a.Apply(t.Context(), c, nil); again.Err != nil || again.Changed {
			t.Errorf("%v, again: %+v", service, again)
		}
		if err := os.Remove(c.Path); err != nil {
			t.Fatal(err)
		}
	}
}
