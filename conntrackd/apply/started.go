package apply

import (
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// startedBefore says whether the file is younger than the running daemon. A
// change time that is still to come says nothing, for the clock has been set
// back since; then the history says whether the daemon was given this file.
func (t *transaction) startedBefore(state service.State) bool {
	changed, err := t.changedAt(t.c.Path)
	if err != nil {
		return true
	}
	// The change time lags by a clock tick, and start times are in hundredths of
	// a second.
	const grain = 20 * time.Millisecond
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
// with its old modification time.
func changeTime(path string) (time.Time, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec)), err
}
