package console

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// What each signal does to a program that is, or is not, changing something.
func TestSignals(t *testing.T) {
	second := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	type sent struct {
		after time.Duration
		what  os.Signal
	}
	for name, test := range map[string]struct {
		holds        bool
		sent         []sent
		ends, atOnce bool
	}{
		"SIGINT":                            {false, []sent{{0, syscall.SIGINT}}, true, false},
		"SIGHUP":                            {true, []sent{{0, syscall.SIGHUP}}, true, false},
		"SIGQUIT":                           {false, []sent{{0, syscall.SIGQUIT}}, true, false},
		"SIGQUIT while it changes":          {true, []sent{{0, syscall.SIGQUIT}, {second(1), syscall.SIGQUIT}}, false, false},
		"SIGTERM":                           {true, []sent{{0, syscall.SIGTERM}}, true, false},
		"SIGTERM twice":                     {true, []sent{{0, syscall.SIGTERM}, {second(0.4), syscall.SIGTERM}}, true, true},
		"SIGTERM on two ways":               {true, []sent{{0, syscall.SIGTERM}, {second(0.1), syscall.SIGTERM}}, true, false},
		"SIGHUP, then SIGTERM":              {true, []sent{{0, syscall.SIGHUP}, {second(1), syscall.SIGTERM}}, true, false},
		"SIGINT again and again":            {true, []sent{{0, syscall.SIGINT}, {second(1), syscall.SIGINT}, {second(1), syscall.SIGINT}}, true, false},
		"SIGINT twice":                      {false, []sent{{0, syscall.SIGINT}, {second(0.4), syscall.SIGINT}}, true, true},
		"SIGINT, then SIGQUIT":              {false, []sent{{0, syscall.SIGINT}, {second(0.4), syscall.SIGQUIT}}, true, true},
		"SIGHUP on two ways":                {false, []sent{{0, syscall.SIGHUP}, {second(0.1), syscall.SIGHUP}}, true, false},
		"SIGINT, and a while":               {false, []sent{{0, syscall.SIGINT}, {second(4.9), nil}}, true, false},
		"SIGINT, and five seconds":          {false, []sent{{0, syscall.SIGINT}, {second(5), nil}}, true, true},
		"SIGHUP, and five seconds":          {false, []sent{{0, syscall.SIGHUP}, {second(3), nil}, {second(2), nil}}, true, true},
		"SIGINT while it changes":           {true, []sent{{0, syscall.SIGINT}, {second(60), nil}}, true, false},
		"no signal":                         {false, []sent{{second(60), nil}}, false, false},
		"SIGTERM on two ways, and one more": {true, []sent{{0, syscall.SIGTERM}, {0, syscall.SIGTERM}, {second(2), syscall.SIGTERM}}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := WatchSignals(func() bool { return test.holds })
			defer s.Stop()
			atOnce := false
			s.atOnce = func(os.Signal) { atOnce = true }
			now := time.Now()
			for _, each := range test.sent {
				now = now.Add(each.after)
				if each.what == nil {
					s.look(now)
				} else {
					s.take(each.what, now)
				}
			}
			if ends := s.Context().Err() != nil; ends != test.ends || atOnce != test.atOnce {
				t.Errorf("ends %v, at once %v; want %v, %v", ends, atOnce, test.ends, test.atOnce)
			}
		})
	}
}

// After a change that outlasts the signal, the program has its time to tell what came of it.
func TestSignalDuringAChange(t *testing.T) {
	holds, atOnce := true, false
	s := WatchSignals(func() bool { return holds })
	defer s.Stop()
	s.atOnce = func(os.Signal) { atOnce = true }
	now := time.Now()
	s.take(syscall.SIGTERM, now)
	s.look(now.Add(20 * time.Second))
	holds = false
	if s.look(now.Add(24 * time.Second)); atOnce {
		t.Error("ended four seconds after the change")
	}
	if s.look(now.Add(25 * time.Second)); !atOnce {
		t.Error("not ended five seconds after the change")
	}
}

// Who has a program to look after gets the signals in its place.
func TestSignalsAreHandedOn(t *testing.T) {
	s := WatchSignals(func() bool { return false })
	defer s.Stop()
	var got []os.Signal
	back := s.Hand(func(sig os.Signal) { got = append(got, sig) })
	s.take(syscall.SIGTERM, time.Now())
	if s.Context().Err() != nil || len(got) != 1 {
		t.Errorf("ended: %v; handed on: %v", s.Context().Err(), got)
	}
	back()
	s.take(syscall.SIGTERM, time.Now())
	if s.Context().Err() == nil {
		t.Error("it did not end")
	}
}
