package refresh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/trust"
)

// Keeper refreshes again and again, as long as conntrackd runs and the peer's kernel has
// the states; meanwhile it waits for that.
type Keeper struct {
	Config     string // conntrackd's configuration file
	SocketPath string // the control socket, where the file names none
	RuntimeDir string // of the lock
	// Every is the interval; zero takes it from the shortest lifetime of entries.
	Every time.Duration
	// WhileRunning ends it when conntrackd did not run for a minute.
	WhileRunning bool
	// Beside, which may be nil, runs beside it on a thread of its own until ctx ends.
	Beside func(ctx context.Context)
	// Say is called with what an operator has to know, one sentence without a
	// full stop, when it changes; nil says nothing.
	Say func(string)

	said  string
	table *Refresher
}

const (
	// idlePause is the time between two looks for a conntrackd to refresh for.
	idlePause = 2 * time.Second
	// calmPause is the same where one runs for which nothing needs a refresh.
	calmPause = 10 * time.Second
	// idleEnd is how long a restart of conntrackd may take at most.
	idleEnd = time.Minute
)

// Run refreshes until ctx ends, which is no error. A node has one refresh: the
// error is a *[RunningError] where there is one.
func (k *Keeper) Run(ctx context.Context) error {
	held, err := lock(ctx, k.RuntimeDir)
	if err != nil {
		return err
	}
	defer held.Close()
	defer k.drop()
	defer k.beside(ctx)()
	status := Status{PID: os.Getpid()}
	ran := time.Now()
	for ctx.Err() == nil {
		settings, runs, idle := k.needed(ctx)
		status.Idle = idle
		pause := idlePause
		if idle == "" {
			pause = k.round(ctx, settings, &status)
		} else {
			k.drop()
			k.say(idle)
			if runs {
				pause = calmPause
			}
		}
		if runs {
			ran = time.Now()
		}
		if ctx.Err() != nil {
			break
		}
		if err := writeStatus(held, status); err != nil {
			return fmt.Errorf("write the state of the refresh: %w", err)
		}
		if k.WhileRunning && time.Since(ran) > idleEnd {
			return nil
		}
		k.wait(ctx, pause)
	}
	return nil
}

// beside starts what runs beside the refresh, and returns what ends it.
func (k *Keeper) beside(ctx context.Context) (end func()) {
	if k.Beside == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.Beside(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (k *Keeper) say(line string) {
	if line != k.said && k.Say != nil {
		k.Say(line)
	}
	k.said = line
}

func (k *Keeper) drop() {
	if k.table != nil {
		k.table.Close()
	}
	k.table = nil
}

// wait waits for the next look and hears of the peer's news meanwhile.
func (k *Keeper) wait(ctx context.Context, d time.Duration) {
	if k.table != nil {
		if err := k.table.Await(ctx, d); err == nil || ctx.Err() != nil {
			return
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// needed says what the sync is, whether conntrackd runs, and why nothing needs a refresh;
// blank where something does.
func (k *Keeper) needed(ctx context.Context) (s conntrackd.Settings, runs bool, idle string) {
	content, err := trust.ReadFile(k.Config, conntrackd.MaxFileBytes)
	if err != nil {
		return s, false, err.Error()
	}
	f, _ := conntrackd.Parse(k.Config, content)
	if s, err = f.Settings(); err != nil {
		return s, false, err.Error()
	}
	_, err = control.NewClient(cmp.Or(f.ControlSocket(), k.SocketPath)).Tables(ctx)
	switch {
	case errors.Is(err, control.ErrNotListening):
		return s, false, "nothing to refresh: conntrackd does not run"
	case s.ExternalCache:
		return s, true, "nothing to refresh: the peer keeps the states in its external cache"
	case err != nil:
		return s, false, err.Error()
	}
	return s, true, ""
}

func addresses(s conntrackd.Settings) []netip.Addr {
	return []netip.Addr{s.Current.Addr().WithZone(""), s.Peer.Addr().WithZone("")}
}

// round looks once and returns the time until the next look.
func (k *Keeper) round(ctx context.Context, settings conntrackd.Settings, s *Status) time.Duration {
	kind, lifetime, err := Shortest()
	s.Lifetime, s.Interval = lifetime, cmp.Or(k.Every, Interval(lifetime))
	if k.table == nil && err == nil {
		k.table, err = New()
	}
	var round Round
	if err == nil {
		k.table.Own = addresses(settings)
		round, err = k.table.Look(ctx, s.Interval)
	}
	s.Looked, s.Entries, s.Due, s.Refreshed, s.Error = time.Now(), round.Entries, round.Due, round.Refreshed, ""
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.Error = err.Error()
		k.say("failed: " + err.Error())
		k.drop()
	default:
		k.say(fmt.Sprintf("looks every %v: %s is %v", s.Interval, kind.Sysctl(), lifetime))
	}
	return max(0, s.Interval-round.Took)
}

// StartPatience bounds how long a refresh may take to begin.
const StartPatience = 30 * time.Second

// Start starts "connsync refresh" as a process of its own, which goes on when
// this one ends, and returns when it runs. One that runs already is no error.
func Start(ctx context.Context, runtimeDir, program string, arguments ...string) error {
	if s, err := Running(runtimeDir); err != nil || s != nil {
		return err
	}
	cmd := exec.Command(program, arguments...)
	cmd.Dir, cmd.Env = "/", trust.Environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := trust.Start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err := await(ctx, StartPatience, func() (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("start refresh: it ended: %w", cmp.Or(err, errors.New("exit status 0")))
		default:
		}
		s, err := Running(runtimeDir)
		return s != nil, err
	})
	if err != nil {
		_ = cmd.Process.Kill()
	}
	return err
}

// Command is a "connsync refresh" that goes on.
type Command struct {
	Config, RuntimeDir string
	StateDir           string // blank is the default
	RunBy              string // who runs conntrackd, as --service; blank finds it
	Every              string
	WhileRunning       bool
}

// Arguments are those of connsync.
func (c Command) Arguments() []string {
	arguments := []string{"refresh", "--every", c.Every, "--config", c.Config, "--runtime-dir", c.RuntimeDir}
	if c.StateDir != "" {
		arguments = append(arguments, "--state-dir", c.StateDir)
	}
	if c.RunBy != "" {
		arguments = append(arguments, "--service", c.RunBy)
	}
	if c.WhileRunning {
		arguments = append(arguments, "--while-running")
	}
	return arguments
}
