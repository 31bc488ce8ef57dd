package apply

import (
	"context"
	"testing"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
)

// looked is a service that notes whether a signal would wait for what asks it.
type looked struct {
	service.Service
	state, restart []bool
}

func (l *looked) State(ctx context.Context) (service.State, error) {
	l.state = append(l.state, hostfile.Writing())
	return l.Service.State(ctx)
}

func (l *looked) Restart(ctx context.Context) error {
	l.restart = append(l.restart, hostfile.Writing())
	return l.Service.Restart(ctx)
}

// A save that only looks may be cut short, and one that changes may not.
func TestApplyMayBeCutShortWhileItLooks(t *testing.T) {
	a, _ := pairtest.New(t)
	l := &looked{Service: a.Service}
	applier := applierOf(a)
	applier.Service = l
	if o := applyOn(t.Context(), a, applier, candidateOf(a, a.Settings)); o.Err != nil {
		t.Fatal(o.Err)
	}
	if len(l.state) < 2 || l.state[0] || !l.state[len(l.state)-1] || len(l.restart) != 1 || !l.restart[0] || hostfile.Writing() {
		t.Errorf("a signal waits in looks: %v, in the restart: %v, afterwards: %v", l.state, l.restart, hostfile.Writing())
	}
}
