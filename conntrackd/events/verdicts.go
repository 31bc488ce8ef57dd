package events

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// verdictsName is the file of the verdicts in the state directory, a JSON object a line. A
// full one is kept as .1.
const verdictsName = "verdicts.log"

// SourceVerdicts is the name of these records in [Log.Unread].
const SourceVerdicts = verdictsName

// verdictsMax is where a new file is begun: some 400 changes.
const verdictsMax = 64 << 10

// verdict is one line of the file: a verdict that differs from the one before, or another
// run of the daemon.
type verdict struct {
	Time    time.Time      `json:"time"`
	Verdict health.Verdict `json:"verdict"`
	Off     bool           `json:"off,omitempty"`
	Cause   string         `json:"cause,omitempty"`
	PID     int            `json:"pid,omitempty"`   // of the daemon; zero where none runs
	Since   *time.Time     `json:"since,omitempty"` // when it was started
	Heard   *time.Time     `json:"heard,omitempty"` // when it last received something
}

func (v verdict) same(other verdict) bool {
	return v.Verdict == other.Verdict && v.Off == other.Off && v.PID == other.PID
}

// readVerdicts returns what is on record, the oldest first. A line that was cut off is
// left out.
func readVerdicts(stateDir string) ([]verdict, error) {
	lines, err := ownLines(stateDir, verdictsName)
	var all []verdict
	for _, line := range lines {
		var v verdict
		if json.Unmarshal([]byte(line), &v) == nil && !v.Time.IsZero() {
			all = append(all, v)
		}
	}
	return all, err
}

// LastHeard returns what is on record of the daemon with this process number: when it last
// received something from the peer, or else a moment before which it did; both are zero
// where that is not known, or it was heard when somebody last looked.
func LastHeard(stateDir string, pid int) (heard, before time.Time) {
	all, err := readVerdicts(stateDir)
	if err != nil || len(all) == 0 || pid == 0 {
		return heard, before
	}
	last := all[len(all)-1]
	if last.PID != pid || last.Verdict != health.VerdictSilent && last.Verdict != health.VerdictSendingOnly {
		return heard, before
	}
	if last.Heard != nil {
		heard = *last.Heard
	}
	return heard, last.Time
}

// verdicts are the changes of verdict on record, and the starts of the daemon that the
// same looks have seen.
func (l *Log) verdicts(stateDir string) {
	all, err := readVerdicts(stateDir)
	l.unread(SourceVerdicts, err)
	var before verdict
	for i, v := range all {
		if i == 0 {
			l.Since = v.Time
		}
		if v.Verdict != before.Verdict || v.Off != before.Off {
			l.Events = append(l.Events, Event{Time: v.Time, Kind: KindVerdict, Verdict: v.Verdict, Off: v.Off,
				Before: before.Verdict, OffBefore: before.Off, Cause: v.Cause})
		}
		if v.PID != before.PID && v.Since != nil {
			l.Events = append(l.Events, Event{Time: *v.Since, Kind: KindDaemon, Turn: service.TurnStarted})
		}
		before = v
	}
}

// Recorder keeps the changes of verdict that one observer sees. Several of them, in
// several processes, may keep them in one directory. Its methods are safe for concurrent
// use.
type Recorder struct {
	StateDir string

	mu    sync.Mutex
	known verdict // on record
	next  verdict // seen and not on record, since its Time
	rest  time.Time
}

const (
	// steady is how long a verdict of a series of looks has to last: between the end of a
	// daemon and its start there are others.
	steady = 2 * time.Second
	// steadyUnknown is the same for one that may only be still measured.
	steadyUnknown = 10 * time.Second
	// retry is the time until the next try to keep what could not be kept.
	retry = time.Minute
)

// Look takes one of a series of looks. A verdict that has lasted is recorded, with the time
// when it was first seen. The error says why it was not.
func (r *Recorder) Look(h health.Health) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, v := time.Now(), verdictOf(h)
	if v.same(r.known) {
		r.next = verdict{}
		return nil
	}
	if !v.same(r.next) {
		r.next = v
	}
	least := steady
	if v.Verdict == health.VerdictUnknown {
		least = steadyUnknown
	}
	if now.Sub(r.next.Time) < least || now.Before(r.rest) {
		return nil
	}
	v.Time = r.next.Time
	return r.record(v)
}

// Settled takes the verdict of [health.Observer.Settle], which lasts.
func (r *Recorder) Settled(h health.Health) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record(verdictOf(h))
}

func verdictOf(h health.Health) verdict {
	v := verdict{Time: time.Now().Truncate(time.Millisecond), Verdict: h.Verdict, Off: h.Off, PID: h.Service.MainPID}
	if h.Verdict != health.VerdictTwoWay && !h.Off {
		v.Cause = h.Cause
	}
	if since := h.Service.Since; !since.IsZero() {
		since = since.Truncate(time.Millisecond) // an end just before it is earlier
		v.Since = &since
	}
	if heard := h.Heard; !heard.IsZero() {
		heard = heard.Truncate(time.Millisecond)
		v.Heard = &heard
	}
	return v
}

// record appends v to the file, unless it has it already, from another observer.
func (r *Recorder) record(v verdict) error {
	done, err := r.write(v)
	switch {
	case err != nil:
		r.rest = time.Now().Add(retry)
		return fmt.Errorf("record the verdict: %w", err)
	case done:
		r.known, r.next = v, verdict{}
	}
	return nil
}

// write appends v; false where another observer writes at this moment.
func (r *Recorder) write(v verdict) (bool, error) {
	if v.Off {
		if all, err := readVerdicts(r.StateDir); err != nil || len(all) == 0 {
			return err == nil, err // nothing has ever happened here: a look leaves no trace
		}
	}
	if err := os.MkdirAll(r.StateDir, 0o700); err != nil {
		return false, hostfile.Explain(r.StateDir, err)
	}
	f, err := hostfile.OpenOwn(r.StateDir, verdictsName, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false, nil
	}
	path := filepath.Join(r.StateDir, verdictsName)
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if named, err := os.Lstat(path); err != nil || !os.SameFile(info, named) {
		return false, nil // it has just become full
	}
	if all, err := readVerdicts(r.StateDir); err != nil || len(all) > 0 && all[len(all)-1].same(v) {
		return err == nil, err
	}
	line, err := json.Marshal(v)
	if err != nil {
		return false, err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return false, err
	}
	if info.Size()+int64(len(line)) > verdictsMax {
		return true, os.Rename(path, path+".1")
	}
	return true, nil
}
