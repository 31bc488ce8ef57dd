package apply

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/service"
)

// changingService is a service that is in one state for some looks and then in
// another; nobody asks anything else of it.
type changingService struct {
	service.Service
	states []service.State
}

func changing(looks int, first, then service.State) *changingService {
	return &changingService{states: append(slices.Repeat([]service.State{first}, looks), then)}
}

func (s *changingService) Name() string { return "conntrackd.service" }

func (s *changingService) State(context.Context) (service.State, error) {
	state := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	return state, nil
}

func (s *changingService) Log(context.Context, time.Time) ([]string, error) { return nil, nil }

var (
	stopping = service.State{Present: true, Changing: true, Detail: "deactivating (stop-sigterm)"}
	failed   = service.State{Present: true, Detail: "failed (Result: exit-code, status=124)"}
)

// What a save says of a daemon that ended is how it ended.
func TestApplyWaitsForTheEndOfTheDaemon(t *testing.T) {
	const ended = "failed (Result: exit-code, status=124)"
	first := service.State{Active: true, MainPID: 41}
	sync := conntracktest.Settings()
	for name, call := range map[string]func(*transaction, context.Context) error{
		"staying up": func(t *transaction, ctx context.Context) error {
			return t.staysUp(ctx, first, time.Now().Add(time.Second))
		},
		"listening": func(t *transaction, ctx context.Context) error {
			_, _, err := t.awaitBound(ctx, sync, nil)
			return err
		},
		"rolled back": func(t *transaction, ctx context.Context) error {
			t.before = first
			_, err := t.verify(ctx, time.Now())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "conntrackd.conf")
			synctest.Test(t, func(t *testing.T) {
				unit := changing(320, stopping, failed)
				if name != "listening" {
					unit = changing(20, stopping, failed)
				}
				tx := newTransaction(&Applier{Service: unit}, &conntrackd.Candidate{Path: path}, nil)
				if err := call(tx, t.Context()); err == nil || !strings.Contains(err.Error(), ended) {
					t.Errorf("%v; want %s", err, ended)
				}
			})
		})
	}
}

// A save that is rolled back leaves a service running that was on its way up.
func TestApplyWaitsForTheServiceBeforeIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conntrackd.conf")
	synctest.Test(t, func(t *testing.T) {
		starting := service.State{Present: true, Changing: true, Starting: true}
		running := service.State{Present: true, Active: true, MainPID: 41}
		tx := newTransaction(&Applier{Service: changing(5, starting, running)}, &conntrackd.Candidate{Path: path}, nil)
		if err := tx.lookBefore(t.Context()); err != nil || !tx.before.Active {
			t.Errorf("%v, before %+v", err, tx.before)
		}
	})
}
