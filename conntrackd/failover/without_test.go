package failover

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/step"
)

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
	nobody := Failover{Client: control.NewClient(filepath.Join(dir, "ctl")), Await: 50 * time.Millisecond}
	if outcome := nobody.Run(t.Context(), RolePrimary, nil); !errors.Is(outcome.Err, control.ErrNotListening) || !outcome.Failed() {
		t.Errorf("no daemon: %+v", outcome)
	}
	began := time.Now()
	nobody.Await = time.Minute
	if outcome := nobody.Run(t.Context(), RoleFault, nil); !outcome.Stopped || outcome.Failed() || time.Since(began) > 10*time.Second {
		t.Errorf("a faulty node waits %v for a daemon: %+v", time.Since(began), outcome)
	}
	late := &daemonModel{external: 200}
	time.AfterFunc(100*time.Millisecond, func() { conntracktest.ServeControl(t, nobody.Client.Path, late.answer) })
	nobody.Kernel = late.entries
	if outcome := nobody.Run(t.Context(), RolePrimary, nil); outcome.Failed() || late.kernel != 200 {
		t.Errorf("a daemon that starts meanwhile: %+v", outcome)
	}
	path := filepath.Join(t.TempDir(), "ctl")
	cache, err := os.ReadFile("../control/testdata/replies/cache-stats")
	if err != nil {
		t.Fatal(err)
	}
	conntracktest.ServeControl(t, path, func(r control.Request) []byte {
		if r == control.RequestCache {
			return cache
		}
		return nil
	})
	stats := Failover{Client: control.NewClient(path)}
	if outcome := stats.Run(t.Context(), RolePrimary, nil); !errors.Is(outcome.Err, control.ErrStatsMode) || len(outcome.Steps) > 0 {
		t.Errorf("a daemon for statistics: %+v", outcome)
	}
}

// What a full table has not taken is not flushed, however many entries it has of others.
func TestCommitIntoAFullTable(t *testing.T) {
	for name, tt := range map[string]struct {
		kernel, most int
		want         step.Status
	}{
		"room for all":     {900, 1200, step.Done},
		"room for some":    {900, 1000, step.Failed},
		"room for none":    {1000, 1000, step.Failed},
		"not known":        {1000, 0, step.Done},
		"full with all in": {900, 1100, step.Done},
	} {
		d := &daemonModel{internal: 3, external: 200, kernel: tt.kernel, most: tt.most}
		outcome := serveModel(t, d).Run(t.Context(), RolePrimary, nil)
		commit, flush := outcome.Steps[0], outcome.Steps[1]
		if want := map[bool]step.Status{true: step.Done, false: step.Skipped}[tt.want == step.Done]; commit.Status != tt.want || flush.Status != want {
			t.Errorf("%s: commit %s (%s), flush %s", name, commit.Status, commit.Detail, flush.Status)
		}
		if flushed := slices.Contains(d.asked, control.RequestFlushCaches); flushed != (tt.want == step.Done) {
			t.Errorf("%s: flushed: %t", name, flushed)
		}
	}
}
