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

// A job that is done without a start says which condition of the unit kept it from one.
func TestSystemdRestartTellsTheUnmetCondition(t *testing.T) {
	tried := uint64(1_700_000_000_000_000)
	command := func(status int32) [][]any {
		return [][]any{{"/bin/false", []string{"/bin/false", "x"}, false, tried, tried, tried, tried, uint32(9), int32(1), status}}
	}
	for name, test := range map[string]struct {
		properties []any
		result     string
		reason     error
		text       string
	}{
		"a condition": {[]any{"ConditionResult", false, "ConditionTimestamp", tried, "Conditions", [][]any{
			{"ConditionPathExists", false, true, "/run/off", int32(1)}, {"ConditionPathExists", true, true, "/etc/nope", int32(-1)}, {"ConditionHost", false, false, "fw", int32(0)}}},
			"done", ErrFailed, "did not start: inactive (dead): ConditionPathExists=|!/etc/nope of the unit is not met, so systemd did not start it"},
		"a condition that is not shown": {[]any{"ConditionResult", false, "ConditionTimestamp", tried}, "done", ErrFailed, "a condition of the unit is not met (Conditions)"},
		"an assertion":                  {[]any{"AssertResult", false, "AssertTimestamp", tried, "Asserts", [][]any{{"AssertPathExists", false, false, "/etc/nope", int32(-2)}}}, "assert", ErrFailed, "AssertPathExists=/etc/nope of the unit is not met"},
		"a command":                     {[]any{"ConditionResult", true, "ConditionTimestamp", tried, "ExecCondition", command(1)}, "done", ErrFailed, "ExecCondition=/bin/false x of the unit ended with status 1"},
		"a command that lets it start":  {[]any{"ConditionResult", true, "ConditionTimestamp", tried, "ExecCondition", command(0)}, "done", ErrUnstable, "stay up: inactive (dead)"},
		"conditions that nobody tried":  {[]any{"ConditionResult", false, "ConditionTimestamp", uint64(0)}, "done", ErrUnstable, "stay up: inactive (dead)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				skipped := inactive("loaded")
				for i := 0; i < len(test.properties); i += 2 {
					skipped[test.properties[i].(string)] = test.properties[i+1]
				}
				checkServiceError(t, newFake(&fakeSystemd{states: []map[string]any{props(), skipped}}, test.result).Restart(t.Context()), test.reason, test.text)
			})
		})
	}
}
