package failover

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

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/step"
)

func TestFailoverSteps(t *testing.T) {
	kernel, cache := place{internal: true, asks: true}, place{external: true, internal: true, asks: true}
	for _, tt := range []struct {
		name  string
		role  Role
		place place
		want  []step.ID
	}{
		{"kernel", RolePrimary, kernel, []step.ID{stepResyncKernel, stepSendBulk}},
		{"kernel", RoleBackup, kernel, []step.ID{stepRequestResync, stepLetGo}},
		{"kernel", RoleFault, kernel, nil},
		{"external cache", RolePrimary, cache, []step.ID{stepCommit, stepFlushCaches, stepResyncKernel, stepSendBulk}},
		{"external cache", RoleBackup, cache, []step.ID{stepPurge, stepRequestResync}},
		{"external cache", RoleFault, cache, []step.ID{stepPurge}},
		{"ALARM", RolePrimary, place{external: true, internal: true}, []step.ID{stepCommit, stepFlushCaches, stepResyncKernel}},
		{"ALARM", RoleBackup, place{external: true, internal: true}, []step.ID{stepPurge}},
		{"no cache", RolePrimary, place{asks: true}, []step.ID{stepSendBulk}},
		{"no cache", RoleBackup, place{asks: true}, []step.ID{stepRequestResync}},
		{"unknown role", "leader", cache, nil},
	} {
		var got []step.ID
		for _, s := range actions(tt.role, tt.place) {
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
	most                               int                      // entries of the kernel; zero for no limit
	expectations                       int                      // of the peer; zero when they are not synchronised
	heard                              int                      // of the peer's messages, until it is asked
	deaf                               map[control.Request]bool // what is asked in vain
	asked                              []control.Request
	silent                             chan struct{} // the first reading after a request waits for it; nil for none
	states                             int           // of the peer
	lost                               int           // how many requests for the peer's states are lost
	down                               int           // how many are made before the link carries anything
	bypass                             bool          // no internal cache: internal is how many of the kernel's entries a bulk sends
	direct                             bool          // no external cache: external is how many the kernel was written
}

func (d *daemonModel) answer(r control.Request) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if wait := d.silent; wait != nil && len(d.asked) > 0 && r == control.RequestCache {
		d.silent = nil
		d.mu.Unlock()
		<-wait
		d.mu.Lock()
	}
	switch r {
	case control.RequestCache:
		if d.bypass {
			return []byte("internal bypass:\n\nexternal inject:\nconnections created:\t\t0\tfailed:\t0\nconnections updated:\t\t0\tfailed:\t0\nconnections destroyed:\t\t0\tfailed:\t0\n")
		}
		if d.direct {
			return fmt.Appendf(nil, "cache:internal	active objects:		%12d\n\nexternal inject:\nconnections created:\t\t%d\tfailed:\t0\nconnections updated:\t\t0\tfailed:\t0\nconnections destroyed:\t\t0\tfailed:\t0\n", d.internal, d.external)
		}
		return fmt.Appendf(nil, "cache:internal	active objects:		%12d\n\ncache:external	active objects:		%12d\n", d.internal, d.external)
	case control.RequestExpectations:
		if d.expectations == 0 {
			return nil
		}
		return fmt.Appendf(nil, "cache internal:\ncurrent active connections:\t%12d\n\ncache external:\ncurrent active connections:\t%12d\n", 7, d.expectations)
	case control.RequestRuntime:
		return fmt.Appendf(nil, "\tresync with kernel table:\t%12d\n", d.resync)
	case control.RequestLink:
		return fmt.Appendf(nil, "UDP traffic device=sync0 status=RUNNING role=ACTIVE:\n %d Bytes sent %d Bytes recv\n %d Pckts sent %d Pckts recv\n 0 Error send 0 Error recv\n", d.bytes, 16*d.heard, d.sent, d.heard)
	}
	d.asked = append(d.asked, r)
	if d.deaf[r] {
		return nil
	}
	switch r {
	case control.RequestCommitExternal:
		d.kernel += d.external
		if d.most > 0 {
			d.kernel = min(d.kernel, d.most)
		}
	case control.RequestFlushCaches:
		d.internal, d.external = 0, 0
	case control.RequestFlushInternal:
		d.internal = 0
	case control.RequestResyncMaster:
		d.resync++
		d.internal = d.kernel
	case control.RequestSendBulk:
		d.sent++
		d.bytes += 100 * d.internal
	case control.RequestResync:
		if d.down--; d.down >= 0 {
			break
		}
		if d.states == 0 {
			d.heard = 0 // as one that has just been started
			break
		}
		d.heard++
		d.external = max(d.external, 1) // news
		if d.lost--; d.lost < 0 {
			d.external, d.heard = d.states, d.heard+3*d.states
		}
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
	conntracktest.ServeControl(t, filepath.Join(dir, "ctl"), d.answer)
	return &Failover{Client: control.NewClient(filepath.Join(dir, "ctl")), RuntimeDir: dir, Kernel: d.entries, KernelMax: func() int { return d.most }, Patience: 50 * time.Millisecond}
}

func TestFailoverJudgesByEffect(t *testing.T) {
	good := []control.Request{control.RequestCommitExternal, control.RequestFlushCaches, control.RequestResyncMaster, control.RequestSendBulk}
	done := map[step.ID]step.Status{stepCommit: step.Done, stepFlushCaches: step.Done, stepResyncKernel: step.Done, stepSendBulk: step.Done}
	with := func(changes map[step.ID]step.Status) map[step.ID]step.Status {
		m := map[step.ID]step.Status{}
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
		deaf  []control.Request
		asked []control.Request
		want  map[step.ID]step.Status
	}{
		{"all works", nil, good, done},
		{"what is not in the kernel is not flushed", []control.Request{control.RequestCommitExternal},
			[]control.Request{control.RequestCommitExternal, control.RequestResyncMaster, control.RequestSendBulk},
			with(map[step.ID]step.Status{stepCommit: step.Failed, stepFlushCaches: step.Skipped})},
		{"a refused flush", []control.Request{control.RequestFlushCaches}, good, with(map[step.ID]step.Status{stepFlushCaches: step.Failed})},
		{"an ignored resync", []control.Request{control.RequestResyncMaster}, good, with(map[step.ID]step.Status{stepResyncKernel: step.Failed})},
		{"an ignored bulk", []control.Request{control.RequestSendBulk}, good, with(map[step.ID]step.Status{stepSendBulk: step.Failed})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &daemonModel{internal: 3, external: 200, kernel: 5, deaf: map[control.Request]bool{}}
			for _, r := range tt.deaf {
				d.deaf[r] = true
			}
			seen := map[step.ID]int{}
			outcome := serveModel(t, d).Run(t.Context(), RolePrimary, func(s step.Step) { seen[s.ID]++ })
			got := map[step.ID]step.Status{}
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

// Without an internal cache what a bulk has to send is not known: a heartbeat proves
// nothing, and as much as the kernel's whole table takes does.
func TestBulkWithoutInternalCache(t *testing.T) {
	for _, tt := range []struct {
		sends, kernel int
		status        step.Status
		detail        string
	}{
		{5, 5, step.Done, "the kernel's table of 5 entries in 1 message, 500 bytes"},
		{0, 5, step.Unknown, "conntrackd sent 1 message, 0 bytes of the kernel's table of 5 entries; "},
		{0, 0, step.Done, "no state to send"},
	} {
		outcome := serveModel(t, &daemonModel{bypass: true, internal: tt.sends, kernel: tt.kernel}).Run(t.Context(), RolePrimary, nil)
		if len(outcome.Steps) != 1 || outcome.Steps[0].Status != tt.status || !strings.HasPrefix(outcome.Steps[0].Detail, tt.detail) {
			t.Errorf("%+v: %+v", tt, outcome)
		}
	}
}

// A daemon too busy to answer one reading has not failed.
func TestFailoverAsksABusyDaemonAgain(t *testing.T) {
	t.Parallel()
	d := &daemonModel{external: 200, silent: make(chan struct{})}
	wait := d.silent
	defer close(wait)
	f := serveModel(t, d)
	f.Client.Timeout, f.Patience = time.Second, time.Minute
	outcome := f.Run(t.Context(), RolePrimary, nil)
	if outcome.Err != nil || outcome.Failed() || outcome.Unseen() {
		t.Errorf("%+v", outcome)
	}
}

// News of the peer, such as its report, is no answer to a request that was lost.
func TestFailoverTellsNewsFromAnAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		heard, held, states, lost, asked int
	}{
		"a daemon that has just started":        {0, 0, 200, 2, 4},
		"one that runs for long":                {100, 0, 200, 0, 1},
		"that runs for long, the first is lost": {100, 0, 200, 1, 2},
		"a peer with few states":                {100, 0, 2, 0, 6},
		"all are here, one has ended":           {100, 5000, 4999, 0, 1},
		"all are here, two began":               {100, 5000, 5002, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &daemonModel{heard: tt.heard, external: tt.held, states: tt.states, lost: tt.lost}
			f := serveModel(t, d)
			f.Patience = time.Second
			last := f.Run(t.Context(), RoleBackup, nil).Steps[1]
			if want := fmt.Sprintf("the external cache had %d states and has %d", tt.held, tt.states); last.Status != step.Done || !strings.Contains(last.Detail, want) {
				t.Errorf("%s: %s", last.Status, last.Detail)
			}
			if asked := len(d.asked) - 1; asked != tt.asked {
				t.Errorf("asked %d times, want %d", asked, tt.asked)
			}
		})
	}
}

// A link that carries nothing yet, as one that has just come up, is waited for.
func TestFailoverWaitsForTheLink(t *testing.T) {
	t.Parallel()
	d := &daemonModel{states: 200, down: 14} // more looks than a link that was heard before is given
	f := serveModel(t, d)
	f.Patience = 400 * time.Millisecond
	last := f.Run(t.Context(), RoleBackup, nil).Steps[1]
	if last.Status != step.Done || !strings.Contains(last.Detail, "the external cache had 0 states and has 200") {
		t.Errorf("%s: %s", last.Status, last.Detail)
	}
}

// The counters of a daemon that was restarted meanwhile tell nothing.
func TestFailoverDoesNotCountOverARestart(t *testing.T) {
	outcome := serveModel(t, &daemonModel{heard: 10}).Run(t.Context(), RoleBackup, nil)
	last := outcome.Steps[len(outcome.Steps)-1]
	if last.ID != stepRequestResync || last.Status != step.Unknown || !strings.Contains(last.Detail, "was restarted meanwhile") {
		t.Errorf("%s %s: %s", last.ID, last.Status, last.Detail)
	}
}

// The peer's expectations are committed with its states, and what is not seen of
// them is not called done.
func TestCommitOfExpectations(t *testing.T) {
	for _, tt := range []struct {
		peer, kernel int
		err          error
		status       step.Status
		detail       string
	}{
		{0, 0, errors.New("not to be asked"), step.Done, "had 5 entries and has 205"},
		{3, 3, nil, step.Done, "has 205; 3 expectations of the peer"},
		{3, 1, nil, step.Unknown, "the kernel has 1 of 3 expectations of the peer"},
		{3, 0, os.ErrNotExist, step.Unknown, "those in the kernel cannot be counted"},
	} {
		d := &daemonModel{external: 200, kernel: 5, expectations: tt.peer}
		f := serveModel(t, d)
		f.KernelExpectations = func() (int, error) { return tt.kernel, tt.err }
		outcome := f.Run(t.Context(), RolePrimary, nil)
		if first := outcome.Steps[0]; first.ID != stepCommit || first.Status != tt.status || !strings.Contains(first.Detail, tt.detail) {
			t.Errorf("%+v: %s %s: %s", tt, first.ID, first.Status, first.Detail)
		}
		if outcome.Failed() {
			t.Errorf("%+v: failed", tt)
		}
	}
}

// An interrupt shortens the waiting, and leaves no request out.
func TestFailoverIsFinishedWhenInterrupted(t *testing.T) {
	d := &daemonModel{external: 200}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	each := func(s step.Step) {
		if !hostfile.Writing() {
			t.Errorf("a signal may end the process at once in the step %s", s.ID)
		}
	}
	if outcome := serveModel(t, d).Run(ctx, RolePrimary, each); outcome.Err != nil || len(d.asked) != 4 || hostfile.Writing() {
		t.Errorf("asked %v, err %v", d.asked, outcome.Err)
	}
}

// Of two calls the later one counts, though it comes to the lock first.
func TestFailoverOrder(t *testing.T) {
	d := &daemonModel{external: 200}
	f := serveModel(t, d)
	began := Clock()
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
	if outcome := f.Run(t.Context(), RoleBackup, nil); outcome.SupersededBy != "" || !slices.Contains(d.asked[asked:], control.RequestResetTimers) {
		t.Errorf("a newer call was not carried out: %+v", outcome)
	}
	// So does a faulty node's, though without a daemon it has nothing to do.
	f.Started = Clock()
	nobody := Failover{Client: control.NewClient(filepath.Join(t.TempDir(), "ctl")), RuntimeDir: f.RuntimeDir}
	if outcome := nobody.Run(t.Context(), RoleFault, nil); !outcome.Stopped || outcome.Failed() {
		t.Errorf("a faulty node without a daemon: %+v", outcome)
	}
	if outcome := f.Run(t.Context(), RolePrimary, nil); outcome.SupersededBy != RoleFault {
		t.Errorf("a call before the fault was carried out: %+v", outcome)
	}
	f.Started = 0
	// A note from before the last boot, or one that cannot be read, is none.
	for _, note := range []string{fmt.Sprintf("backup %d\n", Clock()+time.Hour), "\x00\x01", ""} {
		if err := os.WriteFile(filepath.Join(f.RuntimeDir, "failover.lock"), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		if outcome := f.Run(t.Context(), RolePrimary, nil); outcome.SupersededBy != "" {
			t.Errorf("note %q stopped a failover", note)
		}
	}
}
