package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/control"
	"connsync/shell"
	"connsync/trust"
)

// scriptPath is where init scripts stand, under SysV and under OpenRC.
const scriptPath = "/etc/init.d/conntrackd"

// appearTimeout is how long a daemon may take to be seen after the program that
// was to start it has ended; under a supervisor it comes by itself.
const appearTimeout = 1500 * time.Millisecond

// unreachedTimeout is how long a script gets that can stop the daemon by signal alone.
const unreachedTimeout = 300 * time.Millisecond

// script is what the services that an init script starts have in common. What
// such a script says of its success is not believed: Debian's always ends with
// 0. The daemon is looked for, by its configuration file.
type script struct {
	daemon *Direct
	path   string
	name   string
	// Wait bounds every call of a program, such as one start.
	Wait time.Duration
	// Settle is how long the daemon has to stay up before Restart believes in it.
	Settle time.Duration
	run    func(ctx context.Context, line ...string) (output []byte, err error)
}

func newScript(daemon *Direct, name string) script {
	return script{daemon: daemon, path: scriptPath, name: name, Wait: 20 * time.Second, Settle: time.Second, run: runServiceProgram}
}

// Name returns the name of the service for people.
func (s *script) Name() string { return s.name }

// Log returns what the script said and the daemon's log file.
func (s *script) Log(ctx context.Context, t time.Time) ([]string, error) { return s.daemon.Log(ctx, t) }

// look reads the script and the daemon; whether it starts at boot, and so whether a
// daemon that was killed is to run, is for the service to settle: see [script.atBoot].
func (s *script) look(ctx context.Context) (State, error) {
	state, err := s.daemon.State(ctx)
	if err != nil {
		return State{}, &Error{Name: s.name, Reason: ErrUnreachable, Err: err}
	}
	state.Unbooted, state.NoBoot, state.Ended, state.Enabled, state.Keeper, state.Detail = false, false, false, false, Keeper{}, "stopped"
	if state.Killed {
		state.Detail = fmt.Sprintf("killed or crashed (its lock file %s is left)", s.daemon.lock())
	}
	state.Refusal, state.Unmask = refusalIn(scriptDirectories(s.path).script, readSwitch)
	if state.Active {
		state.Detail = fmt.Sprintf("running, process %d", state.MainPID)
	}
	info, err := os.Stat(s.path)
	state.Present = s.scripted()
	if state.Present && err == nil && info.Mode()&0o111 == 0 {
		state.Masked, state.Unmask = true, shell.Line("chmod", "+x", s.path)
		state.Detail = s.path + " is not executable"
	}
	return state, nil
}

// atBoot adds whether the service starts at boot. One that does not is not to run now.
func (s State) atBoot(enabled bool) State {
	s.Enabled, s.Killed = enabled, s.Killed && enabled
	return s
}

// refusalIn reads an init script. Those of Gentoo and Alpine start conntrackd only where
// the kernel accepts TCP segments out of window; read gives such a setting, by its name.
func refusalIn(script string, read func(name string) string) (why, mend string) {
	const liberal = "net.netfilter.nf_conntrack_tcp_be_liberal"
	if !strings.Contains(script, "nf_conntrack_tcp_be_liberal") || read(liberal) != "0" {
		return "", ""
	}
	return "it starts conntrackd only where " + liberal + " is 1", "sysctl -w " + liberal + "=1"
}

// readSwitch reads a setting of the kernel; blank where it cannot be read.
func readSwitch(name string) string {
	content, _ := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	return strings.TrimSpace(string(content))
}

// scripted says whether there is a script, executable or not.
func (s *script) scripted() bool {
	info, err := os.Stat(s.path)
	return err == nil && info.Mode().IsRegular()
}

// usable says why the script can be neither started nor enabled, if so.
func (s *script) usable(ctx context.Context, a Action) error {
	state, err := s.look(ctx)
	switch {
	case err != nil:
		return s.failure(a, ErrUnreachable, "", err)
	case !state.Present:
		return s.failure(a, ErrNotFound, "there is no "+s.path, nil)
	case state.Masked:
		return s.failure(a, ErrMasked, state.Detail+"; "+state.Unmask+" enables it", nil)
	case state.Refusal != "" && a == ActionRestart:
		return s.failure(a, ErrRefused, state.Refusal+"; run "+state.Unmask, nil)
	}
	return nil
}

// start runs the line that is to start the daemon, and waits for it. A lock
// file that a killed daemon left is taken away first.
func (s *script) start(ctx context.Context, line ...string) error {
	if err := s.daemon.clean(ctx); err != nil {
		return s.failure(ActionRestart, ErrRefused, "", err)
	}
	start := s.daemon.mark()
	out, err := s.call(ctx, line...)
	for l := range strings.Lines(string(out)) {
		start.said = append(start.said, strings.TrimRight(l, "\n"))
	}
	s.daemon.remember(start)
	if errors.Is(err, ErrTimeout) || ctx.Err() != nil {
		return s.failure(ActionRestart, ErrTimeout, detailOf(err), ctx.Err())
	}
	if appeared, lookErr := s.appears(ctx); lookErr != nil {
		return s.failure(ActionRestart, ErrUnreachable, "", lookErr)
	} else if !appeared {
		return s.noDaemon(ctx, err)
	}
	err = s.daemon.serves(ctx)
	stays, lookErr := s.stays(ctx)
	switch {
	case lookErr != nil:
		return s.failure(ActionRestart, ErrUnreachable, "", lookErr)
	case !stays:
		return s.gone(ctx, err)
	case err != nil:
		return s.failure(ActionRestart, ErrUnstable, "", err)
	}
	return nil
}

// stays says whether a daemon that was seen is the same a while later. One that
// a supervisor puts into the background is there before it has read its file.
func (s *script) stays(ctx context.Context) (bool, error) {
	first, err := s.daemon.running()
	if err != nil || len(first) == 0 {
		return false, err
	}
	gone, err := awaitEnd(ctx, first[0], s.Settle)
	return !gone, err
}

func (s *script) appears(ctx context.Context) (bool, error) {
	waiting, cancel := context.WithTimeout(ctx, appearTimeout)
	defer cancel()
	for {
		running, err := s.daemon.running()
		if err != nil || len(running) > 0 {
			return err == nil, err
		}
		if Pause(waiting) != nil {
			return false, ctx.Err()
		}
	}
}

// gone explains a start whose daemon was seen and did not stay. Where a
// supervisor has started it again, no second try is made: a second daemon
// beside it would complain of the first.
func (s *script) gone(ctx context.Context, ended error) error {
	again, err := s.appears(ctx)
	if again {
		again, err = s.stays(ctx)
	}
	switch {
	case err != nil:
		return s.failure(ActionRestart, ErrUnreachable, "", err)
	case again:
		return s.failure(ActionRestart, ErrUnstable, "it ended and was started again", ended)
	}
	return s.noDaemon(ctx, ended)
}

// noDaemon explains a start after which there is no daemon with our file.
func (s *script) noDaemon(ctx context.Context, ended error) error {
	failed := s.failure(ActionRestart, ErrFailed, detailOf(ended), nil)
	if p, ok := find(func(p process) bool { return !p.reads(s.daemon.Config) }); ok {
		failed.Detail = fmt.Sprintf("a conntrackd with another file runs, process %d with %s; see CONFIG in /etc/default/conntrackd or /etc/conf.d/conntrackd", p.pid, p.config)
		return failed
	}
	if binary, err := FindBinary(s.daemon.Binary); err == nil {
		failed.Lines = DaemonLines(Messages(s.daemon.explain(ctx, binary)))
	}
	if len(failed.Lines) > 0 {
		failed.Detail = strings.Join(failed.Lines, "; ")
	}
	return failed
}

// stop runs the line that is to stop the daemon, and waits for its end. One that
// the script does not stop is ended by signal: at once where nobody answers at the
// socket of the file as it is now, since "conntrackd -k" cannot reach it there.
func (s *script) stop(ctx context.Context, line ...string) error {
	running, err := s.daemon.running()
	if err != nil {
		return s.failure(ActionStop, ErrUnreachable, "", err)
	}
	limit := directStopTimeout
	if !control.NewClient(s.daemon.socket()).Alive(ctx) {
		limit = unreachedTimeout
	}
	_, err = s.call(ctx, line...)
	if ctx.Err() != nil {
		return s.failure(ActionStop, ErrTimeout, "", ctx.Err())
	}
	for _, p := range running {
		gone, waitErr := awaitEnd(ctx, p, limit)
		if waitErr != nil {
			return s.failure(ActionStop, ErrTimeout, detailOf(err), waitErr)
		}
		if gone {
			continue
		}
		if err := stopProcess(ctx, p); err != nil {
			return s.failure(ActionStop, ErrRefused, fmt.Sprintf("process %d", p.pid), err)
		}
	}
	if _, err := s.daemon.endChildren(ctx, running); err != nil {
		return s.failure(ActionStop, ErrRefused, "", err)
	}
	return nil
}

// call runs a program of the service manager within the limit.
func (s *script) call(ctx context.Context, line ...string) ([]byte, error) {
	waiting, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	out, err := s.run(waiting, line...)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, exec.ErrNotFound):
		return out, fmt.Errorf("%w: there is no %s", ErrUnreachable, line[0])
	case waiting.Err() != nil && ctx.Err() == nil:
		return out, fmt.Errorf("%w: %s was ended after %v", ErrTimeout, strings.Join(line, " "), s.Wait)
	}
	return out, &programError{line: strings.Join(line, " "), said: lastWords(out), err: err}
}

// programError is a program of the service manager that ended with an error.
type programError struct {
	line, said string
	err        error
}

func (e *programError) Error() string {
	if e.said != "" {
		return e.line + ": " + e.said
	}
	return e.line + ": " + ExitReason(e.err)
}

func (e *programError) Unwrap() error { return e.err }

func detailOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// lastWords is the end of what a program printed, on one line.
func lastWords(out []byte) string {
	const most = 3
	var lines []string
	for l := range strings.Lines(string(out)) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "; ")
}

// change runs a line and says what it did not do.
func (s *script) change(ctx context.Context, a Action, line ...string) error {
	_, err := s.call(ctx, line...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return s.failure(a, ErrTimeout, "", ctx.Err())
	case errors.Is(err, ErrUnreachable):
		return s.failure(a, ErrUnreachable, "there is no "+line[0], nil)
	case errors.Is(err, ErrTimeout):
		return s.failure(a, ErrTimeout, err.Error(), nil)
	case os.Geteuid() != 0:
		return s.failure(a, ErrDenied, "", err)
	}
	return s.failure(a, ErrRefused, "", err)
}

func (s *script) failure(a Action, reason error, detail string, cause error) *Error {
	return &Error{Action: a, Name: s.name, Reason: reason, Detail: detail, Err: cause}
}

// runServiceProgram runs a program in the environment that a boot would give
// it. With its time, its children end too, but for a daemon, which has left
// their group.
func runServiceProgram(ctx context.Context, line ...string) ([]byte, error) {
	var out bytes.Buffer
	cmd := trust.Command(ctx, line[0], line[1:]...)
	cmd.Env = append(cmd.Env, "TERM=dumb")
	cmd.WaitDelay = time.Second // a daemon that it started keeps its output open
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	err := trust.Run(cmd)
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return out.Bytes(), err
}
