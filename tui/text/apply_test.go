package text

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
)

func writeStep(s conntrackd.StepStatus, detail string, took time.Duration) conntrackd.Step {
	return conntrackd.Step{ID: conntrackd.StepWrite, Title: "Write the file", Status: s, Detail: detail, Took: took}
}

func TestStepLine(t *testing.T) {
	tests := []struct {
		step conntrackd.Step
		want string
	}{
		{writeStep(conntrackd.StepDone, "731 bytes", 99*time.Millisecond), "ok       Write the file: 731 bytes"},
		{writeStep(conntrackd.StepDone, "", 1240*time.Millisecond), "ok       Write the file (1.2 s)"},
		{writeStep(conntrackd.StepFailed, "no\nspace\x1b[2J", 0), "FAIL     Write the file: no space"},
		{writeStep(conntrackd.StepRunning, "", 0), "...      Write the file"},
		{writeStep(conntrackd.StepSkipped, "", 0), "skip     Write the file"},
		{writeStep(conntrackd.StepUnknown, "", 0), "unknown  Write the file"},
	}
	for _, tt := range tests {
		if got := StepLine(tt.step); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestSentenceOfAnOutcome(t *testing.T) {
	err := errors.New("x")
	tests := []struct {
		outcome conntrackd.Outcome
		want    string
	}{
		{conntrackd.Outcome{}, "Nothing to do: these settings are already in force."},
		{conntrackd.Outcome{Changed: true}, "Saved, and in force."},
		{conntrackd.Outcome{Steps: []conntrackd.Step{{ID: conntrackd.StepBound, Status: conntrackd.StepUnknown}}},
			"Nothing was changed; whether conntrackd runs as asked could not be seen."},
		{conntrackd.Outcome{Changed: true, Steps: []conntrackd.Step{{ID: conntrackd.StepStaysUp, Status: conntrackd.StepUnknown}}},
			"Saved; whether conntrackd runs as asked could not be seen."},
		{conntrackd.Outcome{Err: err}, "Failed before anything was changed."},
		{conntrackd.Outcome{Err: err, RolledBack: true}, "Failed and taken back: the old state is in force again."},
		{conntrackd.Outcome{Err: err, Changed: true}, "Failed, and the old state could NOT be brought back. Look at the steps above."},
	}
	for _, tt := range tests {
		if got := OutcomeOf(tt.outcome, nil, false).Sentence; got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.outcome, got, tt.want)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	step := func(id conntrackd.StepID, status conntrackd.StepStatus, detail string) conntrackd.Step {
		return conntrackd.Step{ID: id, Status: status, Detail: detail}
	}
	const (
		saved    = "Saved, and in force."
		before   = "Failed before anything was changed."
		inSync   = conntrackd.VerdictTwoWay
		noSignal = conntrackd.VerdictSilent
	)
	failure := errors.New("no\x1b[2J space")
	changed := &conntrackd.ChangedError{Path: "/f", Read: []byte("a\n"), Now: []byte("b\n")}
	unseen := []conntrackd.Step{step(conntrackd.StepBound, conntrackd.StepUnknown, "")}
	for name, tc := range map[string]struct {
		outcome conntrackd.Outcome
		steps   []conntrackd.Step
		enabled bool
		want    Outcome
	}{
		"in sync":  {conntrackd.Outcome{Changed: true, Verdict: inSync}, nil, true, Outcome{Sentence: saved, Sync: "In sync both ways.", Word: OK}},
		"silent":   {conntrackd.Outcome{Changed: true, Verdict: noSignal}, nil, true, Outcome{Sentence: saved, Sync: "No word from the peer.", Word: Warn}},
		"disabled": {conntrackd.Outcome{Changed: true, Verdict: conntrackd.VerdictStopped}, nil, false, Outcome{Sentence: saved, Word: OK}},
		"unseen": {conntrackd.Outcome{Changed: true, Verdict: noSignal, Steps: unseen}, unseen, true,
			Outcome{Sentence: "Saved; whether conntrackd runs as asked could not be seen.", Sync: "No word from the peer.", Word: Unknown}},
		"a step said why": {conntrackd.Outcome{Err: failure, Verdict: inSync},
			[]conntrackd.Step{step(conntrackd.StepWrite, conntrackd.StepFailed, "write: no\x1b[2J space")}, true, Outcome{Sentence: before, Word: Fail}},
		"nobody said why": {conntrackd.Outcome{Err: failure},
			[]conntrackd.Step{step(conntrackd.StepWrite, conntrackd.StepDone, "write: no\x1b[2J space")}, true,
			Outcome{Sentence: before, Word: Fail, Why: "no space"}},
		"someone else": {conntrackd.Outcome{Err: fmt.Errorf("write: %w", changed)},
			[]conntrackd.Step{step(conntrackd.StepWrite, conntrackd.StepFailed, "write: "+changed.Error())}, true,
			Outcome{Sentence: before, Word: Fail, Foreign: changed.Diff()}},
	} {
		if diff := cmp.Diff(tc.want, OutcomeOf(tc.outcome, tc.steps, tc.enabled)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is said of ctrl+c is what it does: before the write it leaves nothing,
// afterwards it only ends a wait.
func TestUnderway(t *testing.T) {
	step := func(id conntrackd.StepID, status conntrackd.StepStatus) conntrackd.Step {
		return conntrackd.Step{ID: id, Status: status}
	}
	var (
		begun   = []conntrackd.Step{step(conntrackd.StepLock, conntrackd.StepDone), step(conntrackd.StepBackup, conntrackd.StepRunning)}
		writing = append(begun[:2:2], step(conntrackd.StepWrite, conntrackd.StepRunning))
		waiting = append(writing[:3:3], step(conntrackd.StepHeard, conntrackd.StepRunning))
		heard   = append(writing[:3:3], step(conntrackd.StepHeard, conntrackd.StepDone))
	)
	for _, tc := range []struct {
		steps    []conntrackd.Step
		stopping bool
		want     string
	}{
		{nil, false, "Working. ctrl+c stops it"},
		{begun, false, "Working. ctrl+c stops it"},
		{begun, true, "Stopping. Nothing has been written."},
		{writing, false, "Working. The change is finished"},
		{writing, true, "Stopping. The change is finished"},
		{waiting, false, "Waiting for the peer."},
		{waiting, true, "Stopping. The change is finished"},
		{heard, false, "Working. The change is finished"},
	} {
		if got := Underway(tc.steps, tc.stopping); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%d steps, stopping %t: %q, want %q", len(tc.steps), tc.stopping, got, tc.want)
		}
	}
}
