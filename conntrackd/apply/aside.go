package apply

import (
	"context"

	"connsync/conntrackd/step"
)

// Aside is a change of this host beside the daemon's that goes with a save and is
// rolled back with it.
type Aside struct {
	Title    string
	Commands []string // what it runs and writes, in shell words
	Do       func(ctx context.Context) error
	Undo     func(ctx context.Context) error
}

// aside carries out what goes with the save.
func (t *transaction) aside(ctx context.Context) error {
	if t.a.Aside == nil {
		return nil
	}
	return t.step(StepFirewall, t.a.Aside.Title, func() (step.Status, string, error) {
		err := t.a.Aside.Do(ctx)
		t.besides = err == nil
		return step.Done, "", err
	})
}

// undoAside rolls it back.
func (t *transaction) undoAside(ctx context.Context) error {
	if !t.besides {
		return nil
	}
	return t.step(StepNoFirewall, "Roll back: "+t.a.Aside.Title, func() (step.Status, string, error) {
		err := t.a.Aside.Undo(ctx)
		t.besides = err != nil
		return step.Done, "", err
	})
}
