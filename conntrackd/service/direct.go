package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/shell"
	"connsync/trust"
)

const (
	// A daemon with 100,000 states takes two seconds to end.
	directStopTimeout = 15 * time.Second
	// A killed process is gone at once, unless the kernel holds it.
	directKillTimeout = 2 * time.Second
	// How long a dump may go on after its daemon, for a client that reads.
	childTimeout = time.Second
	// From the return of "conntrackd -d" to its first answer: milliseconds.
	directStartTimeout = 5 * time.Second
)

// Direct runs conntrackd without a service manager: "conntrackd -d -C file".
// It starts nothing at boot, and never stops a daemon that something else would start
// again: see [KeptError].
//
// It knows its daemon by configuration file and network namespace, the one of
// the calling thread; daemons of other namespaces are never touched. Its
// methods stay on the calling goroutine, so that a caller who has locked its
// thread in another namespace works there.
type Direct struct {
	Binary     string // blank means the one that is found
	Config     string // its configuration file
	LockFile   string // blank means the one that the configuration file names
	SocketPath string // the same
	LogFile    string // the daemon's, for Log; blank means the same
	// NoBoot says that the host's service manager has nothing that starts the daemon.
	NoBoot bool
	// Chroot says that this was found in a chroot, and not chosen: what the host starts is
	// not seen from there.
	Chroot bool
	// WasEnabled says whether the sync was enabled the last time that somebody settled
	// it; nil means no.
	WasEnabled func() bool

	mu     sync.Mutex
	starts []directStart
}

var _ Service = (*Direct)(nil)

// Name returns "conntrackd, started directly".
func (d *Direct) Name() string { return "conntrackd, started directly" }

// State looks for the daemon in /proc.
func (d *Direct) State(ctx context.Context) (State, error) {
	if err := ctx.Err(); err != nil {
		return State{}, err
	}
	var state State
	_, err := FindBinary(d.Binary)
	state.Present, state.Unbooted, state.NoBoot = err == nil, true, d.NoBoot
	running, err := d.running()
	if err != nil {
		return State{}, fmt.Errorf("look for conntrackd: %w", err)
	}
	if len(running) == 0 {
		state.Detail = d.boot()
		if state.Killed, err = d.killed(); state.Killed {
			state.Detail = fmt.Sprintf("killed or crashed (its lock file %s is left), %s", d.lock(), d.boot())
		}
		state.Ended = err == nil && !state.Killed && d.WasEnabled != nil && d.WasEnabled()
		return state, err
	}
	p := running[0]
	state.Active, state.Enabled, state.MainPID, state.Keeper = true, true, p.pid, p.keeper()
	state.NoBoot = d.NoBoot && state.Keeper == Keeper{} // which may be started at boot
	switch {
	case len(running) > 1:
		state.Detail = fmt.Sprintf("%d daemons run with the same file, %s", len(running), d.boot())
	case state.Keeper != Keeper{}:
		state.Detail = "run by " + state.Keeper.String()
	default:
		state.Detail = "started directly, " + d.boot()
	}
	state.Since, err = p.started()
	return state, err
}

// boot says what is known of the next boot.
func (d *Direct) boot() string {
	if d.NoBoot {
		return "not started at boot"
	}
	return "not started at boot by connsync"
}

// running returns this service's daemons, the oldest first; more than one is
// an accident that a restart ends.
func (d *Direct) running() ([]process, error) {
	all, err := processes(d.Binary)
	if err != nil {
		return nil, err
	}
	network, _, err := OwnNamespaces()
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(all, func(p process) bool {
		return !p.hidden && p.network != network || !p.reads(d.Config)
	})
	if i := slices.IndexFunc(own, func(p process) bool { return p.hidden }); i >= 0 {
		return nil, fmt.Errorf("%w: only root with CAP_SYS_PTRACE can see whether conntrackd, process %d, is this host's", conntrackd.ErrCannotLook, own[i].pid)
	}
	slices.SortFunc(own, func(a, b process) int { return int(a.ticks) - int(b.ticks) })
	return own, nil
}

// Restart stops the daemon where it runs and starts it. It returns when the
// daemon serves its control socket.
func (d *Direct) Restart(ctx context.Context) error {
	if err := d.Stop(ctx); err != nil {
		return err
	}
	binary, err := FindBinary(d.Binary)
	if err != nil {
		return fmt.Errorf("start conntrackd: %w", err)
	}
	if err := d.clean(ctx); err != nil {
		return fmt.Errorf("start conntrackd: %w", err)
	}
	if err := d.start(ctx, binary); err != nil {
		if again := d.cameBack(); again != nil {
			err = again // which holds the lock
		}
		return fmt.Errorf("start conntrackd: %w", err)
	}
	return d.serves(ctx)
}

// start runs "conntrackd -d", which returns when the daemon has detached, and
// with its reason on stderr when it could not start.
func (d *Direct) start(ctx context.Context, binary string) error {
	start := d.mark()
	var out bytes.Buffer
	cmd := trust.Command(ctx, binary, "-d", "-C", d.Config)
	cmd.Stdout, cmd.Stderr = &out, &out // the detached daemon closes its copies
	err := trust.Run(cmd)
	said := out.Bytes()
	if err != nil && ctx.Err() == nil && len(DaemonLines(Messages(said))) == 0 && d.log() == "" {
		said = d.explain(ctx, binary)
	}
	for line := range strings.Lines(string(said)) {
		start.said = append(start.said, strings.TrimRight(line, "\n"))
	}
	d.remember(start)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if words := DaemonLines(Messages(said)); len(words) > 0 {
		return fmt.Errorf("%s (%s)", strings.Join(words, "; "), ExitReason(err))
	}
	return errors.New(ExitReason(err))
}

// explain has a daemon that failed to start fail once more. With -d and no
// log file the reason goes nowhere (log.c); without -d it goes to stdout.
func (d *Direct) explain(ctx context.Context, binary string) []byte {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var out bytes.Buffer
	cmd := trust.Command(ctx, binary, "-C", d.Config)
	cmd.Stdout, cmd.Stderr = &out, &out
	// Should it start this time, it is to go as it came.
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	_ = cmd.Run() // its output is all that is wanted
	return out.Bytes()
}

// serves waits until the daemon answers, and returns early when it has died.
func (d *Direct) serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, directStartTimeout)
	defer cancel()
	client := control.NewClient(d.socket())
	for {
		running, err := d.running()
		if err != nil {
			return fmt.Errorf("start conntrackd: %w", err)
		}
		if len(running) == 0 {
			return errors.New("start conntrackd: it ended right after its start")
		}
		if client.Path == "" || client.Alive(ctx) && ctx.Err() == nil {
			return nil
		}
		if err := Pause(ctx); err != nil {
			return fmt.Errorf("start conntrackd: it runs but does not answer at %s: %w", client.Path, err)
		}
	}
}

// Stop ends the daemon with SIGTERM, which lets it take its lock and socket
// away, and after 15 seconds with SIGKILL. A lock that was left all the same
// goes too: the daemon is stopped now, not dead. One that something would start
// again is not touched; the error is a *[KeptError] then.
func (d *Direct) Stop(ctx context.Context) error {
	running, err := d.running()
	if err != nil {
		return fmt.Errorf("stop conntrackd: %w", err)
	}
	for _, p := range running {
		if k := p.keeper(); k != (Keeper{}) {
			return &KeptError{PID: p.pid, Keeper: k}
		}
	}
	for _, p := range running {
		if err := stopProcess(ctx, p); err != nil {
			return fmt.Errorf("stop conntrackd (process %d): %w", p.pid, err)
		}
	}
	again, err := d.endChildren(ctx, running)
	if err != nil {
		return fmt.Errorf("stop conntrackd: %w", err)
	}
	if err := keptAgain(again); err != nil {
		return err
	}
	killed, err := d.killed()
	if killed {
		err = trust.RemoveStale(d.lock(), trust.Lock)
	}
	if err != nil {
		return fmt.Errorf("stop conntrackd: %w", err)
	}
	return nil
}

func stopProcess(ctx context.Context, p process) error {
	if err := p.signal(unix.SIGTERM); err != nil {
		return err
	}
	gone, err := awaitEnd(ctx, p, directStopTimeout)
	if gone || err != nil {
		return err
	}
	gone, err = killProcess(ctx, p)
	if err == nil && !gone {
		err = errors.New("it does not end, not even by SIGKILL")
	}
	return err
}

// endChildren ends what daemons that have ended left, and returns what else runs for the
// service by then: a child that one forked for a dump or a flush has its session, its
// command line and its sockets, and one that dumps to a client which does not read stays.
// What starts a daemon again gives it another session. Sync stands still meanwhile, and a
// look at all processes takes milliseconds: without a child there is one.
func (d *Direct) endChildren(ctx context.Context, ended []process) (others []process, err error) {
	if len(ended) == 0 {
		return nil, nil
	}
	running, err := d.running()
	if err != nil {
		return nil, err
	}
	left := 0
	for _, p := range running {
		if !slices.ContainsFunc(ended, func(q process) bool { return p.session == q.session && p.config == q.config }) {
			continue
		}
		left++
		gone, err := awaitEnd(ctx, p, childTimeout)
		if !gone && err == nil {
			gone, err = killProcess(ctx, p)
		}
		if err != nil || !gone {
			return nil, cmp.Or(err, fmt.Errorf("its child %d does not end, not even by SIGKILL", p.pid))
		}
	}
	if left > 0 {
		return d.running()
	}
	return running, nil
}

func killProcess(ctx context.Context, p process) (gone bool, err error) {
	if err := p.signal(unix.SIGKILL); err != nil {
		return false, err
	}
	return awaitEnd(ctx, p, directKillTimeout)
}

// awaitEnd waits until p is gone, with all that it had open, a time limit passes or ctx
// ends.
func awaitEnd(ctx context.Context, p process, limit time.Duration) (gone bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	await := Pause // Linux before 5.3 has no pidfd
	if fd, err := unix.PidfdOpen(p.pid, 0); err == nil {
		defer unix.Close(fd)
		await = func(ctx context.Context) error {
			end := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			_, err := unix.Poll(end, 10)
			gone = err == nil && end[0].Revents&unix.POLLIN != 0
			return ctx.Err()
		}
	}
	for !gone && p.exists() {
		if await(waiting) != nil && !gone {
			return false, ctx.Err() // nil when the limit has passed
		}
	}
	return true, nil
}

// Pause waits one polling interval, 10 ms, or until ctx ends; the error is that of
// ctx.
func Pause(ctx context.Context) error {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Enable does nothing: there is no boot to speak of.
func (d *Direct) Enable(ctx context.Context) error { return ctx.Err() }

// Disable does nothing: there is no boot to speak of.
func (d *Direct) Disable(ctx context.Context) error { return ctx.Err() }

// Commands returns the shell words that do the same; none for enabling and
// disabling.
func (d *Direct) Commands(a Action) []string {
	binary := d.Binary
	if binary == "" {
		binary = "conntrackd"
	}
	stop := shell.Line(binary, "-C", d.Config, "-k")
	switch a {
	case ActionRestart:
		return []string{stop, shell.Line(binary, "-d", "-C", d.Config)}
	case ActionStop:
		return []string{stop}
	}
	return nil
}

// config reads the configuration file; a file that cannot be read is empty.
func (d *Direct) config() *conntrackd.File {
	content, _ := conntrackd.ReadConfig(d.Config)
	f, _ := conntrackd.Parse(d.Config, content)
	return f
}

func (d *Direct) socket() string {
	if d.SocketPath != "" {
		return d.SocketPath
	}
	return d.config().ControlSocket()
}
