package refresh

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
)

// With the external cache nothing needs a refresh, and conntrackd is still waited for: the
// refresh ends with it and not before.
func TestNeededWithExternalCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := conntracktest.Swap(conntracktest.Config(conntracktest.Settings(), dir), "DisableExternalCache on", "DisableExternalCache off")
	k := Keeper{Config: filepath.Join(dir, "conntrackd.conf")}
	if err := os.WriteFile(k.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	expect := func(wantRuns bool, wantIdle string) {
		t.Helper()
		if _, runs, idle := k.needed(t.Context()); runs != wantRuns || idle != wantIdle {
			t.Errorf("runs %v, idle %q; want %v, %q", runs, idle, wantRuns, wantIdle)
		}
	}
	expect(false, "nothing to refresh: conntrackd does not run")
	conntracktest.ServeControl(t, filepath.Join(dir, "ctl"), func(control.Request) []byte { return []byte("x") })
	expect(true, "nothing to refresh: the peer keeps the states in its external cache")
}

// What runs beside the refresh runs once, and has ended when the refresh has.
func TestBesideEndsWithTheRefresh(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun, ended := make(chan struct{}), false
	k := Keeper{Config: filepath.Join(dir, "none"), RuntimeDir: dir, Beside: func(ctx context.Context) {
		close(begun)
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond)
		ended = true
	}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error)
	go func() { result <- k.Run(ctx) }()
	<-begun
	cancel()
	if err := <-result; err != nil || !ended {
		t.Errorf("ended %v, %v", ended, err)
	}
	// The one that is refused starts nothing.
	held, err := lock(t.Context(), dir)
	// A program that another test starts has the lock too, until its execve.
	for limit := time.Now().Add(time.Minute); err != nil && time.Now().Before(limit); {
		held, err = lock(t.Context(), dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	other := Keeper{Config: k.Config, RuntimeDir: dir, Beside: func(context.Context) { t.Error("a second one ran") }}
	if err := other.Run(t.Context()); err == nil {
		t.Error("there were two refreshes")
	}
}

func TestCommandArguments(t *testing.T) {
	plain := Command{Config: "/c", RuntimeDir: "/r", Every: "auto"}
	all := Command{Config: "/c", RuntimeDir: "/r", StateDir: "/s", RunBy: "direct", Every: "10s", WhileRunning: true}
	for _, test := range []struct {
		command Command
		want    []string
	}{
		{plain, []string{"refresh", "--every", "auto", "--config", "/c", "--runtime-dir", "/r"}},
		{all, []string{"refresh", "--every", "10s", "--config", "/c", "--runtime-dir", "/r", "--state-dir", "/s", "--service", "direct", "--while-running"}},
	} {
		if diff := cmp.Diff(test.want, test.command.Arguments()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
