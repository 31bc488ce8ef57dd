package conntrackd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFailoverSteps(t *testing.T) {
	kernel, cache := place{internal: true, asks: true}, place{external: true, internal: true, asks: true}
	for _, tt := range []struct {
		name  string
		role  Role
		place place
		want  []StepID
	}{
		{"kernel", RolePrimary, kernel, []StepID{StepResyncKernel, StepSendBulk}},
		{"kernel", RoleBackup, kernel, []StepID{StepRequestResync}},
		{"kernel", RoleFault, kernel, nil},
		{"external cache", RolePrimary, cache, []StepID{StepCommit, StepFlushCaches, StepResyncKernel, StepSendBulk}},
		{"external cache", RoleBackup, cache, []StepID{StepPurge, StepRequestResync}},
		{"external cache", RoleFault, cache, []StepID{StepPurge}},
		{"ALARM", RolePrimary, place{external: true, internal: true}, []StepID{StepCommit, StepFlushCaches, StepResyncKernel}},
		{"ALARM", RoleBackup, place{external: true, internal: true}, []StepID{StepPurge}},
		{"no cache", RolePrimary, place{asks: true}, []StepID{StepSendBulk}},
		{"no cache", RoleBackup, place{asks: true}, []StepID{StepRequestResync}},
		{"unknown role", "leader", cache, nil},
	} {
		var got []StepID
		for _, s := range failoverSteps(tt.role, tt.place) {
			got = append(got, s.id)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", tt.name, tt.role, diff)
		}
	}
}

// daemonModel answers as conntrackd with an external cache does, as far as a
// failover sees it.
type daemonModel struct {
	mu                                 sync.Mutex
	internal, external, kernel, resync int
	sent, bytes                        int
	heard                              int              // of the peer's messages, until it is asked
	deaf                               map[request]bool // what is asked in vain
	asked                              []request
}

func (d *daemonModel) answer(r request) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r {
	case requestCache:
		return fmt.Appendf(nil, "cache:internal	active objects:		%12d\n\ncache:external	active objects:		%12d\n", d.internal, d.external)
	case requestRuntime:
		return fmt.Appendf(nil, "\tresync with kernel table:\t%12d\n", d.resync)
	case requestLink:
		return fmt.Appendf(nil, "UDP traffic device=sync0 status=RUNNING role=ACTIVE:\n %d Bytes sent %d Bytes recv\n %d Pckts sent %d Pckts recv\n 0 Error send 0 Error recv\n", d.bytes, 16*d.heard, d.sent, d.heard)
	}
	d.asked = append(d.asked, r)
	if d.deaf[r] {
		return nil
	}
	switch r {
	case requestCommitExternal:
		d.kernel += d.external
	case requestFlushCaches:
		d.internal, d.external = 0, 0
	case requestResyncMaster:
		d.resync++
		d.internal = d.kernel
	case requestSendBulk:
		d.sent++
		d.bytes += 100 * d.internal
	case requestResync:
		d.heard = 0 // as one that has just been started
	}
	return nil
}

func (d *daemonModel) entries() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kernel, nil
}

func serveModel(t *testing.T, d *daemonModel) *Failover {
	t.Helper()
	dir := t.TempDir()
	listen(t, filepath.Join(dir, "ctl"), d.answer)
	return &Failover{Client: NewClient(filepath.Join(dir, "ctl")), RuntimeDir: dir, Kernel: d.entries, Patience: 50 * time.Millisecond}
}

func TestFailoverJudgesByEffect(t *testing.T) {
	good := []request{requestCommitExternal, requestFlushCaches, requestResyncMaster, requestSendBulk}
	done := map[StepID]StepStatus{StepCommit: StepDone, StepFlushCaches: StepDone, StepResyncKernel: StepDone, StepSendBulk: StepDone}
	with := func(changes map[StepID]StepStatus) map[StepID]StepStatus {
		m := map[StepID]StepStatus{}
		for id, status := range done {
			m[id] = status
			if other, ok := changes[id]; ok {
				m[id] = other
			}
		}
		return m
	}
	for _, tt := range []struct {
		name  string
		deaf  []request
		asked []request
		want  map[StepID]StepStatus
	}{
		{"all works", nil, good, done},
		{"what is not in the kernel is not flushed", []request{requestCommitExternal},
			[]request{requestCommitExternal, requestResyncMaster, requestSendBulk},
			with(map[StepID]StepStatus{StepCommit: StepFailed, StepFlushCaches: StepSkipped})},
		{"a refused flush", []request{requestFlushCaches}, good, with(map[StepID]StepStatus{StepFlushCaches: StepFailed})},
		{"an ignored resync", []request{requestResyncMaster}, good, with(map[StepID]StepStatus{StepResyncKernel: StepFailed})},
		{"an ignored bulk", []request{requestSendBulk}, good, with(map[StepID]StepStatus{StepSendBulk: StepFailed})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &daemonModel{internal: 3, external: 200, kernel: 5, deaf: map[request]bool{}}
			for _, r := range tt.deaf {
				d.deaf[r] = true
			}
			seen := map[StepID]int{}
			outcome := serveModel(t, d).Run(t.Context(), RolePrimary, func(s Step) { seen[s.ID]++ })
			got := map[StepID]StepStatus{}
			for _, s := range outcome.Steps {
				got[s.ID] = s.Status
				if seen[s.ID] != 2 {
					t.Errorf("%s was reported %d times, want at its beginning and its end", s.ID, seen[s.ID])
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.asked, d.asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if outcome.Failed() != (len(tt.deaf) > 0) || outcome.Err != nil || outcome.Unlocked != nil {
				t.Errorf("failed %v, err %v, unlocked %v", outcome.Failed(), outcome.Err, outcome.Unlocked)
			}
		})
	}
}

// The counters of a daemon that was restarted meanwhile tell nothing.
func TestFailoverDoesNotCountOverARestart(t *testing.T) {
	outcome := serveModel(t, &daemonModel{heard: 10}).Run(t.Context(), RoleBackup, nil)
	last := outcome.Steps[len(outcome.Steps)-1]
	if last.ID != StepRequestResync || last.Status != StepUnknown || !strings.Contains(last.Detail, "was restarted meanwhile") {
		t.Errorf("%s %s: %s", last.ID, last.Status, last.Detail)
	}
}

// An interrupt shortens the waiting, and leaves no request out.
func TestFailoverIsFinishedWhenInterrupted(t *testing.T) {
	d := &daemonModel{external: 200}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if outcome := serveModel(t, d).Run(ctx, RolePrimary, nil); outcome.Err != nil || len(d.asked) != 4 {
		t.Errorf("asked %v, err %v", d.asked, outcome.Err)
	}
}

// Of two calls the later one counts, though it comes to the lock first.
func TestFailoverOrder(t *testing.T) {
	d := &daemonModel{external: 200}
	f := serveModel(t, d)
	began := FailoverClock()
	f.Started = began - time.Second
	if outcome := f.Run(t.Context(), RolePrimary, nil); outcome.SupersededBy != "" || outcome.Failed() {
		t.Fatalf("the first call: %+v", outcome)
	}
	asked := len(d.asked)
	f.Started = began - 2*time.Second
	if outcome := f.Run(t.Context(), RoleBackup, nil); outcome.SupersededBy != RolePrimary || len(d.asked) != asked {
		t.Errorf("an older call was carried out: %+v, asked %v", outcome, d.asked[asked:])
	}
	f.Started = 0
	if outcome := f.Run(t.Context(), RoleBackup, nil); outcome.SupersededBy != "" || !slices.Contains(d.asked[asked:], requestResetTimers) {
		t.Errorf("a newer call was not carried out: %+v", outcome)
	}
	// So does a faulty node's, though without a daemon it has nothing to do.
	f.Started = FailoverClock()
	nobody := Failover{Client: NewClient(filepath.Join(t.TempDir(), "ctl")), RuntimeDir: f.RuntimeDir}
	if outcome := nobody.Run(t.Context(), RoleFault, nil); !outcome.Stopped || outcome.Failed() {
		t.Errorf("a faulty node without a daemon: %+v", outcome)
	}
	if outcome := f.Run(t.Context(), RolePrimary, nil); outcome.SupersededBy != RoleFault {
		t.Errorf("a call before the fault was carried out: %+v", outcome)
	}
	f.Started = 0
	// A note from before the last boot, or one that cannot be read, is none.
	for _, note := range []string{fmt.Sprintf("backup %d\n", FailoverClock()+time.Hour), "\x00\x01", ""} {
		if err := os.WriteFile(filepath.Join(f.RuntimeDir, "failover.lock"), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		if outcome := f.Run(t.Context(), RolePrimary, nil); outcome.SupersededBy != "" {
			t.Errorf("note %q stopped a failover", note)
		}
	}
}

func TestFailoverGoesOnWithoutLock(t *testing.T) {
	d := &daemonModel{external: 200}
	f := serveModel(t, d)
	f.RuntimeDir = filepath.Join(f.RuntimeDir, "ctl", "below a socket")
	outcome := f.Run(t.Context(), RolePrimary, nil)
	if outcome.Unlocked == nil || outcome.Failed() || d.kernel != 200 {
		t.Errorf("%+v, kernel %d", outcome, d.kernel)
	}
}

func TestFailoverWithoutDaemon(t *testing.T) {
	dir := t.TempDir()
	nobody := Failover{Client: NewClient(filepath.Join(dir, "ctl")), Await: 50 * time.Millisecond}
	if outcome := nobody.Run(t.Context(), RolePrimary, nil); !errors.Is(outcome.Err, ErrNotListening) || !outcome.Failed() {
		t.Errorf("no daemon: %+v", outcome)
	}
	began := time.Now()
	nobody.Await = time.Minute
	if outcome := nobody.Run(t.Context(), RoleFault, nil); !outcome.Stopped || outcome.Failed() || time.Since(began) > 10*time.Second {
		t.Errorf("a faulty node waits %v for a daemon: %+v", time.Since(began), outcome)
	}
	late := &daemonModel{external: 200}
	time.AfterFunc(100*time.Millisecond, func() { listen(t, nobody.Client.Path, late.answer) })
	nobody.Kernel = late.entries
	if outcome := nobody.Run(t.Context(), RolePrimary, nil); outcome.Failed() || late.kernel != 200 {
		t.Errorf("a daemon that starts meanwhile: %+v", outcome)
	}
	path := filepath.Join(t.TempDir(), "ctl")
	cache, err := os.ReadFile("testdata/control/cache-stats")
	if err != nil {
		t.Fatal(err)
	}
	listen(t, path, func(r request) []byte {
		if r == requestCache {
			return cache
		}
		return nil
	})
	stats := Failover{Client: NewClient(path)}
	if outcome := stats.Run(t.Context(), RolePrimary, nil); !errors.Is(outcome.Err, ErrStatsMode) || len(outcome.Steps) > 0 {
		t.Errorf("a daemon for statistics: %+v", outcome)
	}
}
