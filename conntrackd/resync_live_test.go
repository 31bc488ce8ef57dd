package conntrackd

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func stepOf(o Outcome, id StepID) Step {
	for _, s := range o.Steps {
		if s.ID == id {
			return s
		}
	}
	return Step{}
}

// After the restart of a save the peer's states are asked for and come, this
// node's are sent, and the time without a daemon is measured and told.
func TestSaveFillsTheCachesAgain(t *testing.T) {
	t.Parallel()
	a, b := newPair(t)
	runBoth(a, b)
	time.Sleep(contact)
	b.states(1000, 30)
	a.states(5000, 10)
	a.awaitExternal(30)
	b.awaitExternal(10)

	other := a.settings
	other.SendBuffer = 262144
	c := candidateOf(a, other)
	c.New = []byte(externalCache(string(c.New)))
	applier := applierOf(a)
	applier.FirstNode = false
	outcome := applyOn(t.Context(), a, applier, c)
	if outcome.Err != nil || outcome.Verdict != VerdictTwoWay {
		t.Fatalf("%v, verdict %s", outcome.Err, outcome.Verdict)
	}
	if s := stepOf(outcome, StepResync); s.Status != StepDone || !regexp.MustCompile(`^conntrackd was away for [0-9]\.[0-9]{2} s; asked the peer`).MatchString(s.Detail) {
		t.Errorf("step %+v", s)
	}
	if s := stepOf(outcome, StepFilled); s.Status != StepDone || s.Detail != "30 states of the peer came; sent the 10 states of this node" {
		t.Errorf("step %+v", s)
	}
	a.awaitExternal(30)
	b.awaitExternal(10)
}

// The gap is that between the last answer of one daemon and the first of the
// next one.
func TestAbsenceIsMeasured(t *testing.T) {
	a, _ := newPair(t)
	mustApply(a, a.settings)
	socket := a.client().Path
	back := false
	away := watchAbsence(socket, socket, func() { back = true })
	var down time.Duration
	a.do(func() error {
		began := time.Now()
		if err := a.service.Stop(t.Context()); err != nil {
			return err
		}
		stopped := time.Now()
		time.Sleep(300 * time.Millisecond)
		down = time.Since(stopped)
		err := a.service.Restart(t.Context())
		t.Logf("measured: stop and start took %v", time.Since(began))
		return err
	})
	gap, ok := away.end()
	if !ok || !back || gap < down {
		t.Errorf("gap %v, %t, back %t; the daemon was down for %v", gap, ok, back, down)
	}
	// However late the watch comes, it sees who answers at its end.
	ended, end := context.WithCancel(t.Context())
	end()
	back = false
	late := &absence{old: a.state().MainPID + 1, paths: []string{socket}, back: func() { back = true }, last: time.Now()}
	if late.watch(ended); late.gap <= 0 || !back {
		t.Errorf("at the end of the watch: gap %v, back %t", late.gap, back)
	}
	if gap, ok := watchAbsence(socket, socket, func() {}).end(); ok {
		t.Errorf("no restart, and a gap of %v", gap)
	}
	if gap, ok := watchAbsence(socket+".none", socket, func() {}).end(); ok {
		t.Errorf("no daemon before, and a gap of %v", gap)
	}
}

// Sockets that cannot be read prove nothing: the save restarts no daemon for
// them, and does not say that it listens as asked.
func TestApplyCannotSeeTheSockets(t *testing.T) {
	a, _ := newPair(t)
	if done := mustApply(a, a.settings); done.Unseen() {
		t.Errorf("all was seen: %s", statuses(done))
	}
	pid := a.state().MainPID
	blind := applierOf(a)
	blind.Sockets = func(int, Settings) (Sockets, error) { return Sockets{}, ErrCannotLook }
	again := applyOn(t.Context(), a, blind, candidateOf(a, a.settings))
	if again.Err != nil || again.Changed || a.state().MainPID != pid {
		t.Errorf("the same again: %v, changed %t, process %d became %d", again.Err, again.Changed, pid, a.state().MainPID)
	}
	if s := stepOf(again, StepBound); !again.Unseen() || s.Status != StepUnknown || s.Detail != ErrCannotLook.Error() {
		t.Errorf("the same again: %s", statuses(again))
	}
	other := a.settings
	other.SendBuffer = 262144
	changed := applyOn(t.Context(), a, blind, candidateOf(a, other))
	if changed.Err != nil || !changed.Changed || !changed.Unseen() {
		t.Errorf("a save: %v, changed %t: %s", changed.Err, changed.Changed, statuses(changed))
	}
}

// Nor do they count for an interrupted save: it is taken back.
func TestRecoverCannotSeeTheSockets(t *testing.T) {
	a, _ := newPair(t)
	mustApply(a, a.settings)
	old, err := os.ReadFile(a.config())
	if err != nil {
		t.Fatal(err)
	}
	other := a.settings
	other.Port = 3999
	interruptSave(a, candidateOf(a, other), toWrite)
	if err := a.restart(); err != nil { // the daemon runs with the new file
		t.Fatal(err)
	}
	blind := applierOf(a)
	blind.Sockets = func(_ int, s Settings) (Sockets, error) {
		if s.Port == 3999 {
			return Sockets{}, errors.New("no answer of the kernel")
		}
		return ReadSockets(a.state().MainPID, s)
	}
	var r Recovery
	a.do(func() error { r = blind.Recover(t.Context(), a.config()); return nil })
	if r.Result != RecoveryRolledBack || r.Err != nil {
		t.Errorf("recovery %s, %v", r.Result, r.Err)
	}
	if now, err := os.ReadFile(a.config()); err != nil || strings.Compare(string(now), string(old)) != 0 {
		t.Errorf("the file now (%v):\n%s", err, now)
	}
	if got := socketsOf(a, a.settings); !got.Bound {
		t.Errorf("sockets %+v", got)
	}
}
