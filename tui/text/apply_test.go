package text

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/step"
)

func writeStep(s step.Status, detail string, took time.Duration) step.Step {
	return step.Step{ID: apply.StepWrite, Title: "Write the file", Status: s, Detail: detail, Took: took}
}

func TestStepLine(t *testing.T) {
	tests := []struct {
		step step.Step
		want string
	}{
		{writeStep(step.Done, "731 bytes", 99*time.Millisecond), "ok       Write the file: 731 bytes"},
		{writeStep(step.Done, "", 1240*time.Millisecond), "ok       Write the file (1.2 s)"},
		{writeStep(step.Failed, "no\nspace left\x1b[2J", 0), "FAIL     Write the file: no space left"},
		{writeStep(step.Running, "", 0), "...      Write the file"},
		{writeStep(step.Skipped, "", 0), "skip     Write the file"},
		{writeStep(step.Unknown, "", 0), "unknown  Write the file"},
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
		outcome apply.Outcome
		want    string
	}{
		{apply.Outcome{}, "Nothing to do: these settings are already in force."},
		{apply.Outcome{Changed: true}, "Saved, and in force."},
		{apply.Outcome{Steps: []step.Step{{ID: apply.StepBound, Status: step.Unknown}}},
			"Nothing was changed; whether conntrackd runs as requested is unknown."},
		{apply.Outcome{Changed: true, Steps: []step.Step{{ID: apply.StepStaysUp, Status: step.Unknown}}},
			"Saved; whether conntrackd runs as requested is unknown."},
		{apply.Outcome{Err: err}, "Failed before anything was changed."},
		{apply.Outcome{Err: err, RolledBack: true}, "Save failed and was rolled back: the old state is in force again."},
		{apply.Outcome{Err: err, Changed: true}, "Save failed and the rollback FAILED. See the steps above."},
	}
	for _, tt := range tests {
		if got := OutcomeOf(tt.outcome, nil, apply.SyncOff).Sentence; got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.outcome, got, tt.want)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	one := func(id step.ID, status step.Status, detail string) step.Step {
		return step.Step{ID: id, Status: status, Detail: detail}
	}
	const (
		saved    = "Saved, and in force."
		before   = "Failed before anything was changed."
		inSync   = health.VerdictTwoWay
		noSignal = health.VerdictSilent
	)
	failure := errors.New("no\x1b[2J space")
	changed := &hostfile.ChangedError{Path: "/f", Read: []byte("a\n"), Now: []byte("b\n")}
	unseen := []step.Step{one(apply.StepBound, step.Unknown, "")}
	for name, tc := range map[string]struct {
		outcome apply.Outcome
		steps   []step.Step
		enabled bool
		first   bool
		want    Outcome
	}{
		"in sync":           {apply.Outcome{Changed: true, Verdict: inSync}, nil, true, false, Outcome{Sentence: saved, Sync: "In sync both ways.", Word: OK}},
		"silent":            {apply.Outcome{Changed: true, Verdict: noSignal}, nil, true, false, Outcome{Sentence: "Saved and in force, but the nodes are NOT in sync.", Sync: "No word from the peer.", Word: Fail}},
		"silent, unchanged": {apply.Outcome{Verdict: noSignal}, nil, true, false, Outcome{Sentence: "These settings are in force already, but the nodes are NOT in sync.", Sync: "No word from the peer.", Word: Fail}},
		"first node":        {apply.Outcome{Changed: true, Verdict: noSignal}, nil, true, true, Outcome{Sentence: "Saved, and in force. Step 1 of 2 done; next, set up the peer.", Word: OK}},
		"first node with another port": {apply.Outcome{Changed: true, Verdict: health.VerdictMismatch}, nil, true, true,
			Outcome{Sentence: "Saved and in force, but the nodes are NOT in sync.", Sync: "Messages from the peer do not match the settings.", Word: Fail}},
		"partial": {apply.Outcome{Changed: true, Verdict: health.VerdictPartial}, nil, true, false,
			Outcome{Sentence: "Saved and in force, but sync is incomplete.", Sync: "Both ways are up, not every connection would survive.", Word: Warn}},
		"disabled": {apply.Outcome{Changed: true, Verdict: health.VerdictStopped}, nil, false, false, Outcome{Sentence: saved, Sync: SyncIsOff, Word: OK}},
		"unseen": {apply.Outcome{Changed: true, Verdict: noSignal, Steps: unseen}, unseen, true, false,
			Outcome{Sentence: "Saved; whether conntrackd runs as requested is unknown.", Sync: "No word from the peer.", Word: Unknown}},
		"a step said why": {apply.Outcome{Err: failure, Verdict: inSync},
			[]step.Step{one(apply.StepWrite, step.Failed, "write: no\x1b[2J space")}, true, false, Outcome{Sentence: before, Word: Fail}},
		"nobody said why": {apply.Outcome{Err: failure},
			[]step.Step{one(apply.StepWrite, step.Done, "write: no\x1b[2J space")}, true, false,
			Outcome{Sentence: before, Word: Fail, Why: "no space"}},
		"someone else": {apply.Outcome{Err: fmt.Errorf("write: %w", changed)},
			[]step.Step{one(apply.StepWrite, step.Failed, "write: "+changed.Error())}, true, false,
			Outcome{Sentence: before, Word: Fail, Foreign: changed.Diff()}},
	} {
		if diff := cmp.Diff(tc.want, OutcomeOf(tc.outcome, tc.steps, tc.outcome.Sync(tc.enabled, tc.first))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is said of ctrl+c is what it does: before the write it leaves nothing,
// afterwards it only ends a wait.
func TestUnderway(t *testing.T) {
	one := func(id step.ID, status step.Status) step.Step {
		return step.Step{ID: id, Status: status}
	}
	var (
		begun   = []step.Step{one(step.Lock, step.Done), one(apply.StepBackup, step.Running)}
		writing = append(begun[:2:2], one(apply.StepWrite, step.Running))
		waiting = append(writing[:3:3], one(apply.StepHeard, step.Running))
		heard   = append(writing[:3:3], one(apply.StepHeard, step.Done))
	)
	for _, tc := range []struct {
		steps    []step.Step
		stopping bool
		want     string
	}{
		{nil, false, "Working. ctrl+c stops it"},
		{begun, false, "Working. ctrl+c stops it"},
		{begun, true, "Stopping. Nothing has been written."},
		{writing, false, "Working. Do not power off."},
		{writing, true, "Stopping. The change is completed"},
		{waiting, false, "Waiting for the peer."},
		{waiting, true, "Stopping. The change is completed"},
		{heard, false, "Working. Do not power off."},
	} {
		if got := Underway(tc.steps, tc.stopping); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%d steps, stopping %t: %q, want %q", len(tc.steps), tc.stopping, got, tc.want)
		}
	}
}

func TestNothingToSave(t *testing.T) {
	begun := conntrackd.Defaults()
	begun.Interface = "eth1"
	for want, s := range map[string]conntrackd.Settings{
		NothingToDo:        conntrackd.Defaults(),
		"Nothing is saved": begun,
	} {
		if got := NothingToSave(s); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
