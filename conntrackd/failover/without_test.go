package failover

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
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
