package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// passing is a unit that is in one state for some readings and then in another.
func passing(readings int, first, then map[string]any) *Systemd {
	return newFake(&fakeSystemd{states: append(slices.Repeat([]map[string]any{first}, readings), then)})
}

var (
	unitStopping = props("ActiveState", "deactivating", "SubState", "stop-sigterm")
	unitFailed   = props("ActiveState", "failed", "SubState", "failed", "Result", "exit-code", "MainPID", uint32(0),
		"ExecMainCode", int32(1), "ExecMainStatus", int32(124))
)

func TestSettledState(t *testing.T) {
	for _, test := range []struct {
		name   string
		unit   *Systemd
		limit  time.Duration
		detail string
		took   time.Duration
		err    error
	}{
		{"settled", passing(1, unitFailed, unitStopping), time.Hour, "failed (Result: exit-code, status=124)", 0, nil},
		{"ends", passing(10, unitStopping, unitFailed), time.Hour, "failed (Result: exit-code, status=124)", time.Second, nil},
		{"starts", passing(10, props("ActiveState", "activating", "SubState", "start"), props()), time.Hour, "active (running)", time.Second, nil},
		{"never gets there", passing(1, unitStopping, unitStopping), time.Hour, "deactivating (stop-sigterm)", changeTimeout, nil},
		{"the caller's time ends", passing(1, unitStopping, unitStopping), 700 * time.Millisecond, "deactivating (stop-sigterm)", 700 * time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				began := time.Now()
				state, err := SettledState(ctx, test.unit)
				if took := time.Since(began); !errors.Is(err, test.err) || took != test.took {
					t.Errorf("%v after %v; want %v after %v", err, took, test.err, test.took)
				}
				if err == nil && state.Detail != test.detail {
					t.Errorf("detail %q, want %q", state.Detail, test.detail)
				}
			})
		})
	}
}

func TestOpenRCStateSaysThatItChanges(t *testing.T) {
	program := filepath.Join(t.TempDir(), "conntrackd")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]State{
		"starting": {Changing: true, Starting: true}, "stopping": {Changing: true}, "stopped": {}, "crashed": {},
	} {
		o := NewOpenRC(&Direct{Config: filepath.Join(t.TempDir(), "conntrackd.conf")})
		o.path = program
		o.run = func(context.Context, ...string) ([]byte, error) { return []byte(" * status: " + words + "\n"), nil }
		got, err := o.State(t.Context())
		if err != nil || got.Changing != want.Changing || got.Starting != want.Starting {
			t.Errorf("%s: %+v, %v", words, got, err)
		}
	}
}
