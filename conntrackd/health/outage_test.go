package health

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/control"
)

func TestDeafBefore(t *testing.T) {
	start := time.Now()
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	reading := func(seconds float64, received uint64) control.Counters {
		return control.Counters{Time: at(seconds), PacketsRecv: received, Reliable: true}
	}
	for name, tt := range map[string]struct {
		mode     string
		readings []control.Counters
		counted  float64
		want     bool
	}{
		"hears":                            {"FTFW", []control.Counters{reading(0, 1), reading(1, 2), reading(2, 3), reading(3, 4)}, 3, false},
		"deaf":                             {"FTFW", []control.Counters{reading(0, 5), reading(1, 5), reading(2, 5), reading(3, 5)}, 3, true},
		"deaf of late":                     {"FTFW", []control.Counters{reading(0, 1), reading(1, 5), reading(2, 5), reading(3, 5)}, 3, true},
		"heard again after it was counted": {"FTFW", []control.Counters{reading(0, 5), reading(1, 5), reading(2, 5), reading(3, 9)}, 2.5, true},
		"too short to know":                {"FTFW", []control.Counters{reading(2, 5), reading(3, 5)}, 3, false},
		"a peer that sends nothing":        {"ALARM", []control.Counters{reading(0, 5), reading(1, 5), reading(2, 5), reading(3, 5)}, 3, false},
		"no reading":                       {"FTFW", []control.Counters{reading(3, 5)}, 2, false},
	} {
		e := evidence{mode: tt.mode, readings: tt.readings}
		if got := e.deafBefore(at(tt.counted)); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

// A node that does not hear its peer does not tell it what is there: what the peer sends again
// after the outage would look removed.
func TestOutageIsNotReported(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, nil)
	atA, atB := watch(a, nil), watch(b, nil)
	if err := a.Fill(10, 100); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	atB.until(true, says(VerdictTwoWay))
	nft(b, "input", "udp dport 3780 drop")
	a.Begin(unix.IPPROTO_TCP, 6000, 50)
	time.Sleep(2 * toldMargin)
	told := 0
	deaf := func(h Health) bool { return !h.Verdict.BothWays() && h.Verdict != VerdictUnknown }
	atB.until(false, deaf)
	for range 4 {
		if _, ok := atB.look(true); ok {
			told++
		}
	}
	if told > 0 {
		t.Errorf("b reported %d times while it heard nothing", told)
	}
	if out, err := b.Namespace.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	whole := func(h Health) bool { return h.Verdict.BothWays() && h.Coverage.Own() >= 150 }
	expect(t, "a", atA.until(false, whole), func(h Health) bool { return h.Coverage.NotHeld == 0 && says(VerdictTwoWay)(h) })
	expect(t, "a", atA.hears(atB, holds(150, 150)), holds(150, 150))
}
