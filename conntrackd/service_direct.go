package conntrackd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// A daemon with 100,000 states takes two seconds to end.
	directStopTimeout = 15 * time.Second
	// A killed process is gone at once, unless the kernel holds it.
	directKillTimeout = 2 * time.Second
	// From the return of "conntrackd -d" to its first answer: milliseconds.
	directStartTimeout = 5 * time.Second
)

// Direct runs conntrackd without a service manager: "conntrackd -d -C file".
// Nothing starts it at boot, and its state says so.
//
// It knows its daemon by configuration file and network namespace, the one of
// the calling thread; daemons of other namespaces are never touched. Its
// methods stay on the calling goroutine, so that a caller who has locked its
// thread in another namespace works there.
type Direct struct {
	Binary     string // blank means the one that is found
	Config     string
	LockFile   string // blank means the one that the configuration file names
	SocketPath string // the same
	LogFile    string // the daemon's, for Log; blank means the same

	mu    sync.Mutex
	words []logLine // what starts said on their way to fail
}

type logLine struct {
	at   time.Time
	text string
}

var _ Service = (*Direct)(nil)

// Name returns "conntrackd, started directly".
func (d *Direct) Name() string { return "conntrackd, started directly" }

// State looks for the daemon in /proc.
func (d *Direct) State(ctx context.Context) (ServiceState, error) {
	if err := ctx.Err(); err != nil {
		return ServiceState{}, err
	}
	var state ServiceState
	_, err := FindBinary(d.Binary)
	state.Present = err == nil
	running, err := d.running()
	if err != nil {
		return ServiceState{}, fmt.Errorf("look for conntrackd: %w", err)
	}
	if len(running) == 0 {
		state.Detail = "not running; nothing starts it at boot"
		return state, nil
	}
	p := running[0]
	state.Active, state.Enabled, state.MainPID = true, true, p.pid
	state.Detail = "running, started directly; nothing starts it at boot"
	if len(running) > 1 {
		state.Detail = fmt.Sprintf("%d daemons run with the same file; nothing starts them at boot", len(running))
	}
	state.Since, err = p.started()
	return state, err
}

// running returns this service's daemons, the oldest first; more than one is
// an accident that a restart ends.
func (d *Direct) running() ([]process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	network, _, err := ownNamespaces()
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(all, func(p process) bool {
		return p.network != network || !sameFile(p.config, d.Config)
	})
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
		return fmt.Errorf("start conntrackd: %w", err)
	}
	return d.serves(ctx)
}

// start runs "conntrackd -d", which returns when the daemon has detached, and
// with its reason on stderr when it could not start.
func (d *Direct) start(ctx context.Context, binary string) error {
	began := time.Now()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "-d", "-C", d.Config)
	cmd.Env = daemonEnvironment()
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &out, &out
	// The detached daemon closes its copies of the pipe.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	d.mu.Lock()
	for line := range strings.Lines(out.String()) {
		d.words = append(d.words, logLine{began, strings.TrimRight(line, "\n")})
	}
	d.mu.Unlock()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if said := ownWords(messages(out.Bytes())); len(said) > 0 {
		return fmt.Errorf("%s (%s)", strings.Join(said, "; "), exitReason(err))
	}
	return errors.New(exitReason(err))
}

// serves waits until the daemon answers, and returns early when it has died.
func (d *Direct) serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, directStartTimeout)
	defer cancel()
	client := NewClient(d.socket())
	for {
		running, err := d.running()
		if err != nil {
			return fmt.Errorf("start conntrackd: %w", err)
		}
		if len(running) == 0 {
			return errors.New("start conntrackd: it ended right after its start")
		}
		if client.Path == "" || client.alive(ctx) {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("start conntrackd: it runs but does not answer at %s: %w", client.Path, err)
		}
	}
}

// Stop ends the daemon with SIGTERM, which lets it take its lock and socket
// away, and after 15 seconds with SIGKILL.
func (d *Direct) Stop(ctx context.Context) error {
	running, err := d.running()
	if err != nil {
		return fmt.Errorf("stop conntrackd: %w", err)
	}
	for _, p := range running {
		if err := stopProcess(ctx, p); err != nil {
			return fmt.Errorf("stop conntrackd (process %d): %w", p.pid, err)
		}
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
	if err := p.signal(unix.SIGKILL); err != nil {
		return err
	}
	gone, err = awaitEnd(ctx, p, directKillTimeout)
	if err == nil && !gone {
		err = errors.New("it does not end, not even by SIGKILL")
	}
	return err
}

// awaitEnd waits until p is gone, a time limit passes or ctx ends.
func awaitEnd(ctx context.Context, p process, limit time.Duration) (gone bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for p.lives() {
		if pause(waiting) != nil {
			return false, ctx.Err()
		}
	}
	return true, nil
}

// pause waits one polling interval or until ctx ends.
func pause(ctx context.Context) error {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// clean removes the lock and the socket of a daemon that was killed, since
// conntrackd refuses to start beside a lock file. It does so only when no
// daemon can be the owner.
func (d *Direct) clean(ctx context.Context) error {
	lock := d.lock()
	owned, err := lockOwner(lock)
	if err != nil {
		return err
	}
	if owned != nil {
		return fmt.Errorf("lock file %s belongs to another conntrackd (process %d, %s)", lock, owned.pid, owned.config)
	}
	if err := removeStale(lock); err != nil {
		return err
	}
	socket := d.socket()
	if socket == "" || NewClient(socket).alive(ctx) {
		return nil
	}
	if info, err := os.Lstat(socket); err != nil || info.Mode()&fs.ModeSocket == 0 {
		return nil // nothing there, or not ours to remove
	}
	return removeStale(socket)
}

func removeStale(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale %w", err)
	}
	return nil
}

// lockOwner returns a live daemon that may hold the lock file: one that sees
// the same files and whose configuration names it, or cannot be read.
func lockOwner(lock string) (*process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	_, mounts, err := ownNamespaces()
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.mounts != mounts {
			continue
		}
		content, err := os.ReadFile(p.config)
		if err != nil || filepath.Clean(lockFile(content)) == filepath.Clean(lock) {
			return &p, nil
		}
	}
	return nil, nil
}

// Enable does nothing: there is no boot to speak of.
func (d *Direct) Enable(ctx context.Context) error { return ctx.Err() }

// Disable does nothing: there is no boot to speak of.
func (d *Direct) Disable(ctx context.Context) error { return ctx.Err() }

// Log returns what failed starts said and the lines of the daemon's log file,
// each since t.
func (d *Direct) Log(ctx context.Context, t time.Time) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var lines []string
	d.mu.Lock()
	for _, l := range d.words {
		if !l.at.Before(t) {
			lines = append(lines, l.text)
		}
	}
	d.mu.Unlock()
	path := d.log()
	if path == "" {
		return lines, nil
	}
	more, err := logSince(path, t)
	return append(lines, more...), err
}

// maxLogTail is how much of a log file's end is looked at.
const maxLogTail = 64 << 10

// logSince reads the end of a daemon's log file. Its lines begin with a time
// in whole seconds, "[Mon Nov 23 22:51:12 2026]".
func logSince(path string, t time.Time) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxLogTail {
		if _, err := f.Seek(-maxLogTail, 2); err != nil {
			return nil, err
		}
	}
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLogTail+1)
	for s.Scan() {
		stamp, _, ok := strings.Cut(strings.TrimPrefix(s.Text(), "["), "]")
		at, err := time.ParseInLocation(time.ANSIC, stamp, time.Local)
		if ok && err == nil && !at.Before(t.Truncate(time.Second)) {
			lines = append(lines, s.Text())
		}
	}
	return lines, s.Err()
}

// Commands returns the shell words that do the same; none for enabling and
// disabling.
func (d *Direct) Commands(a Action) []string {
	binary := d.Binary
	if binary == "" {
		binary = "conntrackd"
	}
	stop := binary + " -C " + d.Config + " -k"
	switch a {
	case ActionRestart:
		return []string{stop, binary + " -d -C " + d.Config}
	case ActionStop:
		return []string{stop}
	}
	return nil
}

// config reads the configuration file; a file that cannot be read is empty.
func (d *Direct) config() []byte {
	content, err := os.ReadFile(d.Config)
	if err != nil {
		return nil
	}
	return content
}

func (d *Direct) lock() string {
	if d.LockFile != "" {
		return d.LockFile
	}
	return lockFile(d.config())
}

func (d *Direct) socket() string {
	if d.SocketPath != "" {
		return d.SocketPath
	}
	return ControlSocket(d.config())
}

func (d *Direct) log() string {
	if d.LogFile != "" {
		return d.LogFile
	}
	if path := argument(d.config(), "LogFile"); strings.HasPrefix(path, "/") {
		return path
	}
	return ""
}
