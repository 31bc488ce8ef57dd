package console

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// apart is how long after the first SIGTERM another one is a second one: who ends a
// whole group of processes reaches one of them on more than one way.
const apart = 300 * time.Millisecond

// forcedAfter is how long after the first signal, and after what it was changing then, a
// program may take to end: a file system that does not answer holds a system call for ever.
const forcedAfter = 5 * time.Second

// ending are the signals that end a program.
var ending = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// Signals are what others tell this process to do.
type Signals struct {
	ctx     context.Context
	end     context.CancelFunc
	holds   func() bool
	atOnce  func(os.Signal)
	signals chan os.Signal
	done    chan struct{}
	// Of the goroutine: when the first signal and the first SIGTERM came, when something was
	// last seen being changed since, and the last signal.
	told, termed, held time.Time
	last               os.Signal

	mu   sync.Mutex
	hand func(os.Signal)
}

// WatchSignals watches them until Stop. SIGINT, SIGHUP and the first SIGTERM end
// the context: what must not be cut short ends by itself first. So does SIGQUIT,
// which is ignored as long as holds says that something is being changed. A second
// SIGTERM ends the process at once; while nothing is being changed, so does any second
// signal, and [forcedAfter] after the first one.
func WatchSignals(holds func() bool) *Signals {
	s := &Signals{holds: holds, atOnce: endAtOnce, signals: make(chan os.Signal, 16), done: make(chan struct{})}
	s.ctx, s.end = context.WithCancel(context.Background())
	signal.Notify(s.signals, ending...)
	go s.run()
	return s
}

// Context ends when the process is told to end.
func (s *Signals) Context() context.Context { return s.ctx }

// Stop gives the signals their default action back.
func (s *Signals) Stop() {
	signal.Stop(s.signals)
	close(s.done)
	s.end()
}

// Hand lets to have every signal that comes, until back is called.
func (s *Signals) Hand(to func(os.Signal)) (back func()) {
	set := func(to func(os.Signal)) {
		s.mu.Lock()
		s.hand = to
		s.mu.Unlock()
	}
	set(to)
	return func() { set(nil) }
}

func (s *Signals) run() {
	look := time.NewTicker(forcedAfter / 10)
	defer look.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-look.C:
			s.look(now)
		case got := <-s.signals:
			s.take(got, time.Now())
		}
	}
}

func (s *Signals) take(got os.Signal, now time.Time) {
	s.mu.Lock()
	hand := s.hand
	s.mu.Unlock()
	switch {
	case hand != nil:
		hand(got)
	case got == syscall.SIGQUIT && s.holds():
	case got == syscall.SIGTERM && !s.termed.IsZero() && now.Sub(s.termed) >= apart,
		!s.told.IsZero() && now.Sub(s.told) >= apart && !s.holds():
		s.atOnce(got)
	default:
		if s.last = got; s.told.IsZero() {
			s.told = now
		}
		if got == syscall.SIGTERM && s.termed.IsZero() {
			s.termed = now
		}
		s.end()
	}
}

// look ends a program that was told to end, and does not. What it was changing then has
// its time to be told.
func (s *Signals) look(now time.Time) {
	switch {
	case s.told.IsZero():
	case s.holds():
		s.held = now
	case now.Sub(s.told) >= forcedAfter && now.Sub(s.held) >= forcedAfter:
		s.atOnce(s.last)
	}
}

// endAtOnce ends this process as the signal does where nobody takes it. SIGQUIT would have
// Go print the stacks.
func endAtOnce(by os.Signal) {
	s, ok := by.(syscall.Signal)
	if !ok || s == syscall.SIGQUIT {
		s = syscall.SIGTERM
	}
	signal.Reset(s)
	_ = syscall.Kill(syscall.Getpid(), s)
	time.Sleep(time.Second) // the signal comes first
	os.Exit(128 + int(s))
}
