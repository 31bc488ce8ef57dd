package apply

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/step"
)

func stepOf(o Outcome, id step.ID) step.Step {
	for _, s := range o.Steps {
		if s.ID == id {
			return s
		}
	}
	return step.Step{}
}

// After the restart of a save the peer's states are asked for and come, this
// node's are sent, and the time without a daemon is measured and told.
func TestSaveFillsTheCachesAgain(t *testing.T) {
	t.Parallel()
	a, b := pairtest.New(t)
	pairtest.RunBoth(a, b)
	time.Sleep(pairtest.Contact)
	b.States(1000, 30)
	a.States(5000, 10)
	a.AwaitExternal(30)
	b.AwaitExternal(10)

	other := a.Settings
	other.SendBuffer = 262144
	c := candidateOf(a, other)
	c.New = []byte(pairtest.ExternalCache(string(c.New)))
	applier := applierOf(a)
	applier.FirstNode = false
	outcome := applyOn(t.Context(), a, applier, c)
	if outcome.Err != nil || outcome.Verdict != health.VerdictTwoWay {
		t.Fatalf("%v, verdict %s", outcome.Err, outcome.Verdict)
	}
	if s := stepOf(outcome, StepResync); s.Status != step.Done || !regexp.MustCompile(`^conntrackd did not answer for [0-9]\.[0-9]{2} s; asked the peer`).MatchString(s.Detail) {
		t.Errorf("step %+v", s)
	}
	if s := stepOf(outcome, StepFilled); s.Status != step.Done || s.Detail != "30 states of the peer came; sent the 10 states of this node" {
		t.Errorf("step %+v", s)
	}
	a.AwaitExternal(30)
	b.AwaitExternal(10)
}

// The gap is that between the last answer of one daemon and the first of the
// next one.
func TestAbsenceIsMeasured(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	socket := a.Client().Path
	back := false
	away := watchDowntime(socket, socket, func() { back = true })
	var down time.Duration
	a.Do(func() error {
		began := time.Now()
		if err := a.Service.Stop(t.Context()); err != nil {
			return err
		}
		stopped := time.Now()
		time.Sleep(300 * time.Millisecond)
		down = time.Since(stopped)
		err := a.Service.Restart(t.Context())
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
	late := &downtime{old: a.State().MainPID + 1, paths: []string{socket}, back: func() { back = true }, last: time.Now()}
	if late.watch(ended); late.gap <= 0 || !back {
		t.Errorf("at the end of the watch: gap %v, back %t", late.gap, back)
	}
	if gap, ok := watchDowntime(socket, socket, func() {}).end(); ok {
		t.Errorf("no restart, and a gap of %v", gap)
	}
	if gap, ok := watchDowntime(socket+".none", socket, func() {}).end(); ok {
		t.Errorf("no daemon before, and a gap of %v", gap)
	}
}

// Sockets that cannot be read prove nothing: the save restarts no daemon for
// them, and does not say that it listens as asked.
func TestApplyCannotSeeTheSockets(t *testing.T) {
	a, _ := pairtest.New(t)
	if done := mustApply(a, a.Settings); done.Unseen() {
		t.Errorf("all was seen: %s", statuses(done))
	}
	pid := a.State().MainPID
	blind := applierOf(a)
	blind.Sockets = func(int, conntrackd.Settings) (health.Sockets, error) {
		return health.Sockets{}, conntrackd.ErrCannotLook
	}
	again := applyOn(t.Context(), a, blind, candidateOf(a, a.Settings))
	if again.Err != nil || again.Changed || a.State().MainPID != pid {
		t.Errorf("the same again: %v, changed %t, process %d became %d", again.Err, again.Changed, pid, a.State().MainPID)
	}
	if s := stepOf(again, StepBound); !again.Unseen() || s.Status != step.Unknown || s.Detail != conntrackd.ErrCannotLook.Error() {
		t.Errorf("the same again: %s", statuses(again))
	}
	other := a.Settings
	other.SendBuffer = 262144
	changed := applyOn(t.Context(), a, blind, candidateOf(a, other))
	if changed.Err != nil || !changed.Changed || !changed.Unseen() {
		t.Errorf("a save: %v, changed %t: %s", changed.Err, changed.Changed, statuses(changed))
	}
}

// Nor do they count for an interrupted save: it is rolled back.
func TestRecoverCannotSeeTheSockets(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	old, err := os.ReadFile(a.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	other := a.Settings
	other.Port = 3999
	interruptSave(a, candidateOf(a, other), toWrite)
	if err := a.Restart(); err != nil { // the daemon runs with the new file
		t.Fatal(err)
	}
	blind := applierOf(a)
	blind.Sockets = func(_ int, s conntrackd.Settings) (health.Sockets, error) {
		if s.Port == 3999 {
			return health.Sockets{}, errors.New("no answer of the kernel")
		}
		return health.ReadSockets(a.State().MainPID, s)
	}
	var r Recovery
	a.Do(func() error { r = blind.Recover(t.Context(), a.ConfigPath()); return nil })
	if r.Result != RecoveryRolledBack || r.Err != nil {
		t.Errorf("recovery %s, %v", r.Result, r.Err)
	}
	if now, err := os.ReadFile(a.ConfigPath()); err != nil || strings.Compare(string(now), string(old)) != 0 {
		t.Errorf("the file now (%v):\n%s", err, now)
	}
	if got := SocketsOf(a, a.Settings); !got.Bound {
		t.Errorf("sockets %+v", got)
	}
}
