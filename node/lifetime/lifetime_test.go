package lifetime

import (
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/refresh"
	"connsync/netcheck/check"
)

func TestJudge(t *testing.T) {
	const lives = "UDP after 120 s"
	good := refresh.Status{PID: 7, Interval: 7500 * time.Millisecond, Lifetime: 30 * time.Second, Looked: time.Now()}
	with := func(change func(*refresh.Status)) *refresh.Status {
		s := good
		change(&s)
		return &s
	}
	for name, test := range map[string]struct {
		status *refresh.Status
		want   check.Status
		says   string
	}{
		"runs":        {&good, check.Passed, "looks every 7.5 s; without it connections in use would expire on the peer, UDP after 120 s"},
		"none":        {nil, check.Failed, "connsync refresh does not run: connections that are in use without changing their state expire on the peer, UDP after 120 s"},
		"fails":       {with(func(s *refresh.Status) { s.Error = "operation not permitted" }), check.Failed, "fails (operation not permitted)"},
		"waits":       {with(func(s *refresh.Status) { s.Idle = "conntrackd does not run" }), check.Passed, "runs and waits: conntrackd does not run"},
		"too seldom":  {with(func(s *refresh.Status) { s.Interval = 20 * time.Second }), check.Failed, "looks every 20 s, and entries may live 30 s"},
		"hangs":       {with(func(s *refresh.Status) { s.Looked = time.Now().Add(-time.Hour) }), check.Failed, "(process 7) has not looked since"},
		"just begun":  {with(func(s *refresh.Status) { s.Looked = time.Time{} }), check.Passed, "looks every"},
		"half of all": {with(func(s *refresh.Status) { s.Interval = 15 * time.Second }), check.Passed, "looks every 15 s"},
	} {
		t.Run(name, func(t *testing.T) {
			if f := Judge(test.status, lives, ""); f.Status != test.want || !strings.Contains(f.Detail, test.says) {
				t.Errorf("%s: %s; want %s: %s", f.Status, f.Detail, test.want, test.says)
			}
		})
	}
}
