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

// Keeper refreshes again and again, as long as conntrackd runs and writes the
// peer's states into the kernel; meanwhile it waits for that.
type Keeper struct {
	Config     string // conntrackd's configuration file
	SocketPath string // the control socket, where the file names none
	RuntimeDir string // of the lock
	// Every is the interval; zero takes it from the shortest lifetime of entries.
	Every time.Duration
	// WhileRunning ends it when there was nothing to refresh for a minute.
	WhileRunning bool
	// Say is called with what an operator has to know, one sentence without a
	// full stop, when it changes; nil says nothing.
	Say func(string)

	said  string
	table *Refresher
}

const (
	// idlePause is the time between two looks for a conntrackd to refresh for.
	idlePause = 2 * time.Second
	// idleEnd is how long a restart of conntrackd may take at most.
	idleEnd = time.Minute
)

// Run refreshes until ctx ends, which is no error. A node has one refresh: the
// error is a *[RunningError] where there is one.
func (k *Keeper) Run(ctx context.Context) error {
	held, err := lock(k.RuntimeDir)
	if err != nil {
		return err
	}
	defer held.Close()
	defer k.drop()
	status := Status{PID: os.Getpid()}
	worked := time.Now()
	for ctx.Err() == nil {
		var settings conntrackd.Settings
		settings, status.Idle = k.needed(ctx)
		pause := idlePause
		if status.Idle == "" {
			pause = k.round(ctx, settings, &status)
			worked = time.Now()
		} else {
			k.drop()
			k.say(status.Idle)
		}
		if ctx.Err() != nil {
			break
		}
		if err := writeStatus(held, status); err != nil {
			return fmt.Errorf("write the state of the refresh: %w", err)
		}
		if k.WhileRunning && time.Since(worked) > idleEnd {
			return nil
		}
		k.wait(ctx, pause)
	}
	return nil
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

// needed says what the sync is, and why it needs no refresh; blank where it does.
func (k *Keeper) needed(ctx context.Context) (conntrackd.Settings, string) {
	content, err := trust.ReadFile(k.Config, conntrackd.MaxFileBytes)
	if err != nil {
		return conntrackd.Settings{}, err.Error()
	}
	f, _ := conntrackd.Parse(k.Config, content)
	settings, err := f.Settings()
	switch {
	case err != nil:
		return settings, err.Error()
	case settings.ExternalCache:
		return settings, "nothing to refresh: the peer keeps the states in its external cache"
	}
	socket := f.ControlSocket()
	if socket == "" {
		socket = k.SocketPath
	}
	_, err = control.NewClient(socket).Tables(ctx)
	switch {
	case errors.Is(err, control.ErrNotListening):
		return settings, "nothing to refresh: conntrackd does not run"
	case err != nil:
		return settings, err.Error()
	}
	return settings, ""
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
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
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

// Arguments are those of connsync for a refresh that goes on.
func Arguments(config, runtimeDir, every string, whileRunning bool) []string {
	arguments := []string{"refresh", "--every", every, "--config", config, "--runtime-dir", runtimeDir}
	if whileRunning {
		arguments = append(arguments, "--while-running")
	}
	return arguments
}
