package report

import (
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
	"connsync/node"
)

// A peer is asked at once for what is missing, and less and less often where that does not help.
func TestPaceOfQuestions(t *testing.T) {
	var p pace
	begin := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var asked []time.Duration
	for now := begin; now.Sub(begin) < 24*time.Hour; now = now.Add(every) {
		if p.due(now) && p.ask(now) {
			asked = append(asked, now.Sub(begin))
		}
	}
	for i, want := range []time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute} {
		if asked[i] != want {
			t.Errorf("question %d after %v, want %v", i, asked[i], want)
		}
	}
	if len(asked) > 32 {
		t.Errorf("%d questions in a day", len(asked))
	}
	// After hours in which nothing was missing it is asked at once, and again soon.
	later := begin.Add(48 * time.Hour)
	if !p.due(later) || !p.ask(later) || p.due(later.Add(leastPause-1)) || !p.due(later.Add(leastPause)) {
		t.Errorf("after a day without a question the pause is %v", p.pause)
	}
}

// The refresh asks for what was lost, and not again before the pause is over, whatever has
// come meanwhile.
func TestReporterMayAsk(t *testing.T) {
	file, _ := conntrackd.Parse("conntrackd.conf", nil)
	r := &Reporter{node: &node.Node{}}
	r.node.RuntimeDir = t.TempDir()
	run := service.State{MainPID: 7, Since: time.Now().Add(-time.Hour)}
	may := func(taken uint64) bool {
		return r.observer(node.Saved{File: file}).MayAsk(run, health.Received{Taken: taken})
	}
	if !may(100) {
		t.Error("the peer may not be asked")
	}
	if may(200) {
		t.Error("the peer may be asked again at once")
	}
	r.asking = pace{}
	if may(100) {
		t.Error("the peer may be asked again although nothing of it has come")
	}
	if r.asking != (pace{}) {
		t.Error("a question that was not asked counts")
	}
}
