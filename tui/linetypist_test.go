package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/netcheck"
)

// pause among the lines is a moment in which nothing is typed.
const pause = "pause"

// sheet is paper that is written on from both ends of the line: the program's
// and the typist's.
type sheet struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sheet) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sheet) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// typist types one line when one is read, and the paper shows it as a terminal
// in cooked mode would.
type typist struct {
	lines []string
	paper *sheet
	// last happens in place of the end of the input.
	last func()
	// stays: the line stays open after the last line, until this is closed.
	stays chan struct{}
}

func (p *typist) Read(b []byte) (int, error) {
	if len(p.lines) > 0 && p.lines[0] == pause {
		time.Sleep(time.Second)
		p.lines = p.lines[1:]
	}
	if len(p.lines) == 0 && p.stays != nil {
		<-p.stays
		return 0, io.EOF
	}
	if len(p.lines) == 0 {
		if p.last != nil {
			p.last()
			select {}
		}
		return 0, io.EOF
	}
	line := p.lines[0] + "\n"
	p.lines = p.lines[1:]
	var echo []byte
	for _, c := range []byte(line) { // as ECHOCTL
		switch {
		case c == '\n' || c >= ' ' && c <= '~':
			echo = append(echo, c)
		case c < ' ':
			echo = append(echo, '^', c+'@')
		default:
			echo = append(echo, '?')
		}
	}
	_, _ = p.paper.Write(echo)
	return copy(b, line), nil
}

// listed is an Interfaces with one list.
type listed []netcheck.Interface

func (l listed) Watch(context.Context) (<-chan []netcheck.Interface, error) {
	lists := make(chan []netcheck.Interface, 1)
	lists <- l
	return lists, nil
}

type unlisted struct{}

func (unlisted) Watch(context.Context) (<-chan []netcheck.Interface, error) {
	return nil, errors.New("netlink: operation not permitted")
}

// lineEffects are those of a host on which all is well.
func lineEffects() Effects {
	return Effects{
		Interfaces: listed(lookAlikes()),
		Planner:    &fakePlanner{},
		Reviewer:   fakeReviewer{review: changedReview()},
		Applier:    &fakeApplier{steps: savedSteps(), outcome: apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}},
		Observer:   &fakeObserver{at: idle(health.VerdictTwoWay, "messages from the peer arrive and it acknowledges this node's", "")},
	}
}

// lookAlikes is the appliance with two interfaces that are equally likely the one for
// the sync.
func lookAlikes() []netcheck.Interface {
	list := appliance()
	list[6].Addresses = prefixes("10.0.2.1/24")
	return list
}

// dialogue runs the line mode over typed lines and returns the paper.
func dialogue(t *testing.T, change func(*LineOptions), lines ...string) (paper string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out sheet
		o := LineOptions{
			Options: Options{Saved: conntrackd.Defaults(), Hostname: "fw-a", Config: "/etc/conntrackd/conntrackd.conf", Effects: lineEffects()},
			In:      &typist{lines: lines, paper: &out}, Out: &out, Width: 79,
		}
		if change != nil {
			change(&o)
		}
		err = TalkLines(o)
		if p, ok := o.In.(*typist); ok && p.stays != nil {
			close(p.stays)
		}
		paper = out.String()
	})
	checkPaper(t, paper)
	return paper, err
}

// checkPaper fails on every byte that is neither printable ASCII nor newline.
func checkPaper(t *testing.T, paper string) {
	t.Helper()
	for i := range len(paper) {
		if b := paper[i]; b != '\n' && (b < ' ' || b > '~') {
			t.Fatalf("byte %#x in %q", b, paper[max(0, i-40):min(len(paper), i+40)])
		}
	}
}

func with(change func(*Effects)) func(*LineOptions) {
	return func(o *LineOptions) { change(&o.Effects) }
}

func saved(o *LineOptions) { o.Saved = savedSettings() }

// answers that fill an empty form and agree to everything.
var wholeJob = []string{"e", "4", "", "10.0.0.102/24", "", "", "", "", "y"}
