package apply

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
)

// startedBy is a service whose command is a line of shell, as that of a unit may be, which
// ends by becoming the daemon.
type startedBy struct {
	n    *pairtest.Node
	line string
	cmd  *exec.Cmd
	done chan error
}

func (s *startedBy) Name() string                                     { return "conntrackd.service" }
func (s *startedBy) Enable(context.Context) error                     { return nil }
func (s *startedBy) Disable(context.Context) error                    { return nil }
func (s *startedBy) Commands(service.Action) []string                 { return nil }
func (s *startedBy) Log(context.Context, time.Time) ([]string, error) { return nil, nil }

func (s *startedBy) Stop(context.Context) error {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(unix.SIGTERM)
		<-s.done
	}
	s.cmd = nil
	return nil
}

func (s *startedBy) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	s.cmd, s.done = s.n.Namespace.Command("sh", "-ec", s.line), make(chan error, 1)
	s.cmd.Dir = s.n.Dir
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
	for !s.n.Client().Alive(ctx) {
		if err := service.Pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *startedBy) State(context.Context) (service.State, error) {
	state := service.State{Present: true, Detail: "inactive (dead)"}
	if s.cmd != nil {
		state.Active, state.Enabled, state.MainPID, state.Since = true, true, s.cmd.Process.Pid, time.Now()
	}
	return state, nil
}

// A save is in force where the service's daemon has the saved bytes as its file, wherever it
// finds them, and serves this network namespace.
func TestApplyProvesWhatTheDaemonReads(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"in its own mount namespace", "exec unshare -m conntrackd -C DIR/conntrackd.conf", ""},
		{"from another name", "cp conntrackd.conf copy; exec conntrackd -C DIR/copy", ""},
		{"another file", "exec conntrackd -C DIR/other", "runs with another file, DIR/other, and not with DIR/conntrackd.conf"},
		{"a file written at each start", "cp other conntrackd.conf; exec conntrackd -C DIR/conntrackd.conf", "DIR/conntrackd.conf is not as it was saved any more: something wrote it anew"},
		{"a file mounted over", "exec unshare -m sh -ec 'mount --bind other conntrackd.conf; exec conntrackd -C DIR/conntrackd.conf'", "sees another file as DIR/conntrackd.conf than connsync"},
		{"another network", "exec unshare -n sh -ec 'ip link add sync0 type veth peer name far; ip address add 10.77.0.1/24 dev sync0; ip link set sync0 up; exec conntrackd -C DIR/conntrackd.conf'",
			"is in another network namespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, _ := pairtest.New(t)
			in := func(s string) string { return strings.ReplaceAll(s, "DIR", a.Dir) }
			unit := &startedBy{n: a, line: in(test.line)}
			t.Cleanup(func() { _ = unit.Stop(context.Background()) })
			c := candidateOf(a, a.Settings)
			// It listens as the saved one does, which so proves nothing.
			if err := os.WriteFile(filepath.Join(a.Dir, "other"), append([]byte("# another\n"), c.New...), 0o600); err != nil {
				t.Fatal(err)
			}
			applier := applierOf(a)
			applier.Service = unit
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			o := applyOn(ctx, a, applier, c)
			switch {
			case test.want == "" && (o.Err != nil || o.Unseen()):
				t.Errorf("steps %s: %v", statuses(o), o.Err)
			case test.want != "" && (o.Err == nil || !strings.Contains(o.Err.Error(), in(test.want)) || stepOf(o, StepBound).Status != step.Failed):
				t.Errorf("steps %s: %v", statuses(o), o.Err)
			}
		})
	}
}

// The daemon that runs after a rollback is said to run with the old file only where it does.
func TestRollbackSaysWhatTheDaemonReads(t *testing.T) {
	a, _ := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	other := filepath.Join(a.Dir, "other")
	if err := os.WriteFile(other, []byte("# another\n"+conntracktest.Config(a.Settings, a.Dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	unit := &startedBy{n: a, line: "exec conntrackd -C " + other}
	t.Cleanup(func() { _ = unit.Stop(context.Background()) })
	if err := unit.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	settings := a.Settings
	settings.SendBuffer = 262144
	applier := applierOf(a)
	applier.Service = unit
	o := applyOn(t.Context(), a, applier, candidateOf(a, settings))
	last := o.Steps[len(o.Steps)-1]
	if o.Err == nil || !o.RolledBack || last.ID != StepVerify || !strings.Contains(last.Detail, "but not with it: conntrackd (process") || !strings.Contains(last.Detail, other) {
		t.Errorf("steps %s, %+v: %v", statuses(o), last, o.Err)
	}
	if !strings.Contains(o.Err.Error(), "runs with another file, "+other) {
		t.Errorf("the save failed for %v", o.Err)
	}
}
