package apply

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
)

var errNotBack = errors.New("keepalived.service ended with conntrackd.service and was not started again: the unit is masked")

// leaving does what it is asked, and leaves something else ended.
type leaving struct{ service.Service }

func (s leaving) Restart(ctx context.Context) error {
	return errors.Join(s.Service.Restart(ctx), &service.NotBackError{Err: errNotBack})
}

func (s leaving) Stop(context.Context) error { return &service.NotBackError{Err: errNotBack} }

func (s leaving) Commands(service.Action) []string { return nil }

// wantLeft expects the failure to be told once, as that of none of the other steps.
func wantLeft(t *testing.T, steps []step.Step) {
	t.Helper()
	var failures []string
	for _, s := range steps {
		if s.Status == step.Failed {
			failures = append(failures, string(s.ID)+": "+s.Detail)
		}
	}
	if len(failures) != 1 || failures[0] != "dependents: "+errNotBack.Error() {
		t.Errorf("failed steps: %q", failures)
	}
}

// A unit that ended with conntrackd and does not start again undoes no save and no rollback.
func TestWhatDoesNotComeBackUndoesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conntrackd.conf")
	for name, call := range map[string]func(*transaction) error{
		"stopped": func(tx *transaction) error {
			tx.before = service.State{Killed: true}
			return tx.stopped(t.Context())
		},
		"rolled back": func(tx *transaction) error {
			tx.touched = true
			if err := tx.rollBack(t.Context(), errInterrupted); !tx.rolledBack || strings.Contains(err.Error(), "rollback") {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			unit := leaving{changing(0, service.State{}, service.State{Present: true})}
			tx := newTransaction(&Applier{Service: unit}, &conntrackd.Candidate{Path: path}, nil)
			if err := call(tx); err != nil {
				t.Error(err)
			}
			wantLeft(t, tx.steps)
		})
	}
}

// The save is in force, and a restart exchanges the states all the same.
func TestSaveStandsWhereADependentDoesNotComeBack(t *testing.T) {
	a, _ := pairtest.New(t)
	unit := &startedBy{n: a, line: "exec conntrackd -C " + a.ConfigPath()}
	t.Cleanup(func() { _ = unit.Stop(context.Background()) })
	applier := applierOf(a)
	applier.Service = leaving{unit}
	o := applyOn(t.Context(), a, applier, candidateOf(a, a.Settings))
	if o.Err != nil || o.RolledBack || !o.Changed || stepOf(o, StepBound).Status != step.Done {
		t.Fatalf("steps %s: %v", statuses(o), o.Err)
	}
	if s := stepOf(o, StepDependents); s.Status != step.Failed || s.Detail != errNotBack.Error() || stepOf(o, StepRestart).Status != step.Done {
		t.Errorf("steps %s: %q", statuses(o), s.Detail)
	}
	var r Restarted
	var err error
	a.Do(func() error {
		r, err = RestartAndResync(t.Context(), applier.Service, a.Client())
		return nil
	})
	if err == nil || err.Error() != errNotBack.Error() || r.PID == 0 {
		t.Errorf("%+v: %v", r, err)
	}
}
