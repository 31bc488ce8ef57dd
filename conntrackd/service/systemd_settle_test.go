package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A unit in a state that passes by itself does not yet say how the daemon
// ended; Restart waits for the state after it.
func TestSystemdRestartTellsTheLastState(t *testing.T) {
	up := props()
	stopping := props("ActiveState", "deactivating", "SubState", "stop-sigterm")
	status := []any{"Result", "exit-code", "MainPID", uint32(0), "ExecMainCode", int32(1), "ExecMainStatus", int32(124)}
	died := func(active, sub string) map[string]any {
		return props(append([]any{"ActiveState", active, "SubState", sub}, status...)...)
	}
	failed := died("failed", "failed")
	starting := props("ActiveState", "activating", "SubState", "start", "MainPID", uint32(42), "NRestarts", uint32(1))
	again := props("MainPID", uint32(42), "NRestarts", uint32(1))
	times := func(n int, state map[string]any) []map[string]any { return slices.Repeat([]map[string]any{state}, n) }
	for _, test := range []struct {
		name   string
		states [][]map[string]any // after the one before the job
		result string
		reason error
		text   string
	}{
		{"dies slowly", [][]map[string]any{times(3, up), times(20, stopping), times(1, failed)}, "done",
			ErrUnstable, "stay up: failed (Result: exit-code, status=124)"},
		{"dies slowly and is to be restarted", [][]map[string]any{times(3, up), times(20, stopping), times(1, died("activating", "auto-restart")), times(9, again)}, "done",
			ErrUnstable, "stay up: activating (auto-restart) (Result: exit-code, status=124)"},
		{"the wait for a restart is not seen", [][]map[string]any{times(3, up), times(2, died("deactivating", "stop-sigterm")), times(9, starting), times(1, again)}, "done",
			ErrUnstable, "stay up: deactivating (stop-sigterm) (Result: exit-code, status=124)"},
		{"nothing is seen of the end", [][]map[string]any{times(3, up), times(1, again)}, "done",
			ErrUnstable, "stay up: process 41 ended and was started again as process 42"},
		{"never gets there", [][]map[string]any{times(3, up), times(1, stopping)}, "done",
			ErrUnstable, "stay up: deactivating (stop-sigterm), still so after 5s"},
		{"fails slowly to start", [][]map[string]any{times(20, stopping), times(1, failed)}, "failed",
			ErrFailed, "did not start: failed (Result: exit-code, status=124)"},
		{"fails to start again", [][]map[string]any{times(20, starting), times(1, failed)}, "failed",
			ErrFailed, "did not start: failed (Result: exit-code, status=124)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := &fakeSystemd{states: slices.Concat(append([][]map[string]any{{up}}, test.states...)...)}
				checkServiceError(t, newFake(fake, test.result).Restart(t.Context()), test.reason, test.text)
			})
		})
	}
}

func TestSystemdWaitForTheLastStateEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping := props("ActiveState", "deactivating", "SubState", "stop-sigterm")
		s := newFake(&fakeSystemd{states: []map[string]any{props(), stopping}}, "done")
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := s.Restart(ctx)
		checkServiceError(t, err, ErrUnstable, "deactivating (stop-sigterm): context deadline exceeded")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 700*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestSystemdStateSaysThatItChanges(t *testing.T) {
	for _, test := range []struct {
		active, sub string
		want        bool
	}{
		{"active", "running", false}, {"reloading", "reload", false}, {"inactive", "dead", false}, {"failed", "failed", false},
		{"activating", "auto-restart", false}, {"activating", "auto-restart-queued", false},
		{"activating", "start-pre", true}, {"deactivating", "stop-sigterm", true}, {"deactivating", "final-sigkill", true},
	} {
		s, err := newFake(&fakeSystemd{states: []map[string]any{props("ActiveState", test.active, "SubState", test.sub)}}).State(t.Context())
		if err != nil || s.Changing != test.want {
			t.Errorf("%s (%s): %+v, %v", test.active, test.sub, s, err)
		}
	}
}
