package apply

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// started remembers, in the runtime directory, with which content of the file at path the
// daemon that runs was started. So a new mode, a new owner or a touched file restarts nothing.
type started struct {
	dir, path string
	changedAt func(path string) (time.Time, error)
}

// name is the file that remembers it: one for each file of a conntrackd.
func (s started) name() string { return "started-" + hostfile.Fingerprint([]byte(s.path)) }

// noteBytes are more than a note has.
const noteBytes = 512

// noteOf is the note that the daemon with process pid was started with this content; blank
// where there is no such daemon, or the kernel does not name its run.
func noteOf(pid int, content []byte) string {
	run, ok := service.Run(pid)
	boot := bootID()
	if !ok || boot == "" {
		return ""
	}
	return fmt.Sprintf("%s %s %x\n", boot, run, sha256.Sum256(content))
}

// with says whether the daemon with process pid was started with this content; known is false
// where nobody has noted that.
func (s started) with(pid int, content []byte) (same, known bool) {
	note, err := hostfile.ReadOwn(filepath.Join(s.dir, s.name()), noteBytes)
	expected := noteOf(pid, content)
	if err != nil || expected == "" || len(note) != len(expected) {
		return false, false
	}
	run := expected[:strings.LastIndexByte(expected, ' ')+1]
	return string(note) == expected, strings.HasPrefix(string(note), run)
}

// remember notes it where that can be seen: the daemon reads this file, which has not changed
// since the daemon's start. Where it cannot be noted, a save goes by the file's change time.
func (s started) remember(state service.State) {
	if !state.Active {
		return
	}
	content, err := hostfile.Read(s.path)
	if err != nil || content == nil {
		return
	}
	if _, known := s.with(state.MainPID, content); known {
		return // the first look was the better one
	}
	changed, err := s.changedAt(s.path)
	if err != nil || state.Since.Before(changed.Add(grain)) || changed.After(time.Now()) || service.Prove(state.MainPID, s.path, content) != nil {
		return
	}
	s.note(state.MainPID, content)
}

// note writes it down of a daemon that was seen to start after the file got this content.
func (s started) note(pid int, content []byte) {
	note := noteOf(pid, content)
	f, err := hostfile.OpenOwn(s.dir, s.name(), os.O_RDWR)
	if err != nil || note == "" {
		return
	}
	defer f.Close()
	if f.Truncate(0) == nil {
		_, _ = f.WriteString(note)
	}
}

// RememberStart notes in the runtime directory with which content of the file at path the
// daemon of a service in that state was started, as far as that is seen, for the next save.
func RememberStart(state service.State, runtimeDir, path string) {
	started{runtimeDir, path, changeTime}.remember(state)
}

// start is what is remembered of the daemon's.
func (t *transaction) start() started { return started{t.a.RuntimeDir, t.c.Path, t.changedAt} }

// The change time lags by a clock tick, and start times are in hundredths of a second.
const grain = 20 * time.Millisecond

// startedBefore says whether the running daemon was started with another content than the file
// has now. Where nobody has noted with which, that is where the file is younger than the daemon.
// A change time that is still to come says nothing, for the clock has been set back since; then
// the history says whether the daemon was given this file.
func (t *transaction) startedBefore(state service.State) bool {
	content, err := hostfile.Read(t.c.Path)
	if err != nil {
		return true
	}
	if same, known := t.start().with(state.MainPID, content); known {
		return !same
	}
	changed, err := t.changedAt(t.c.Path)
	if err != nil {
		return true
	}
	if !state.Since.Add(grain).Before(changed) {
		return false
	}
	return !changed.After(time.Now().Add(grain)) || !t.servedLast()
}

// servedLast says whether the newest save of the file has ended with the daemon
// running the content that is there now.
func (t *transaction) servedLast() bool {
	content, err := hostfile.Read(t.c.Path)
	if err != nil {
		return false
	}
	entries, err := t.a.history().Entries()
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Path == t.c.Path {
			return e.Service == t.service.Name() && e.left() == hostfile.Fingerprint(content)
		}
	}
	return false
}

// left is the fingerprint of the file that a save left to the service when it
// ended; blank where that is not known.
func (e Entry) left() string {
	switch {
	case e.InForce():
		return e.After
	case e.Outcome == EntryRolledBack, e.Outcome == EntryInterrupted && e.Repair == RecoveryRolledBack:
		return e.Before
	}
	return ""
}

// changeTime is the change time of a file, since a file can be moved into place
// with its old modification time, or that of a link to it, which may have led elsewhere before.
func changeTime(path string) (time.Time, error) {
	var file, link unix.Stat_t
	if err := unix.Stat(path, &file); err != nil {
		return time.Time{}, err
	}
	err := unix.Lstat(path, &link)
	at, linked := time.Unix(file.Ctim.Unix()), time.Unix(link.Ctim.Unix())
	if linked.After(at) {
		at = linked
	}
	return at, err
}
