package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
)

// keepEntries is how many saves stay in the history.
const keepEntries = 20

// ledger writes the history. Only who holds the writer lock may use it.
type ledger struct {
	History
	// written is the record that is open, as it is on the disk.
	written []byte
}

func (t *transaction) ledger() *ledger {
	return &ledger{History: t.a.history()}
}

// roomBytes is more than a record takes: the last one says in words how a save failed.
const roomBytes = 32 << 10

// begin keeps both contents and then the record, so that a record is a promise
// that the contents are there, and that its end can be recorded on a disk that is full
// by then. It gives the entry its number.
func (l *ledger) begin(e *Entry, before, after []byte) error {
	if err := hostfile.MakeDirectory(l.dir); err != nil {
		return err
	}
	found, err := l.list()
	if err != nil {
		return err
	}
	if found.highest >= maxNumber {
		return fmt.Errorf("the history in %s has a save with the last number, %d; %s removes it", l.dir, maxNumber, l.forgetting(maxNumber))
	}
	e.Number, e.Outcome = found.highest+1, EntryPending
	e.Before, e.After = hostfile.Fingerprint(before), hostfile.Fingerprint(after)
	for _, part := range []struct {
		kind    string
		content []byte
	}{{beforeKind, before}, {afterKind, after}, {roomKind, make([]byte, roomBytes)}} {
		if part.content == nil {
			continue
		}
		if err = hostfile.Replace(l.file(e.Number, part.kind), nil, part.content); err != nil {
			break
		}
	}
	if err == nil {
		err = l.record(*e)
	}
	if err != nil {
		l.forget(*e)
	}
	return err
}

// record writes the record of e in place of the one that is open. That of a save which is
// over takes the room that was kept for it.
func (l *ledger) record(e Entry) error {
	if e.Outcome != EntryPending {
		_ = os.Remove(l.file(e.Number, roomKind))
	}
	content, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	content = append(content, '\n')
	err = hostfile.Replace(l.file(e.Number, recordKind), l.written, content)
	if err == nil || errors.Is(err, hostfile.ErrNotDurable) {
		l.written = content
	}
	return err
}

// reopen makes the record of an entry that another process began the open one.
func (l *ledger) reopen(e Entry) (err error) {
	l.written, err = hostfile.Read(l.file(e.Number, recordKind))
	return err
}

// forget removes an entry whose save changed nothing, the promise first.
// What cannot be removed is found, and said, at the next start.
func (l *ledger) forget(e Entry) {
	l.remove(e.Number)
	l.written = nil
}

func (l *ledger) remove(number int) {
	for _, kind := range entryKinds {
		_ = os.Remove(l.file(number, kind))
	}
}

// prune removes what is older than the newest saves, pending ones apart. The
// open record stays the open one: a save is written down more than once.
func (l *ledger) prune() {
	found, err := l.list()
	if err != nil {
		return
	}
	for i, e := range found.entries {
		if i >= keepEntries && e.Outcome != EntryPending {
			l.remove(e.Number)
		}
	}
}

// begin opens the entry of this save.
func (t *transaction) begin() error {
	e := &Entry{
		Time: t.began.UTC(), Path: t.c.Path, By: t.a.By, Undoes: t.c.Undoes, Verdict: health.VerdictUnknown,
		Changes: changesOf(t.c), Asked: t.c.WantedService(), Bound: t.beforeBound, Boot: bootID(),
	}
	if t.service != nil {
		e.Service, e.Was = t.service.Name(), conntrackd.Running{Active: t.before.Active, Enabled: t.before.Enabled}
	}
	var err error
	if e.Stamp, err = stamp(t.c.Path); err != nil {
		return err
	}
	if e.Access, err = hostfile.AccessOf(t.c.Path); err != nil {
		return err
	}
	l := t.ledger()
	if err := l.begin(e, t.c.Old, t.c.New); err != nil {
		return err
	}
	t.entry, t.history = e, l
	return nil
}

// changesOf are the settings that a save changes, none where there were none.
func changesOf(c *conntrackd.Candidate) []conntrackd.Difference {
	if c.Old == nil || c.New == nil {
		return nil
	}
	before, _ := conntrackd.Parse(c.Path, c.Old)
	old, err := before.Settings()
	if err != nil {
		return nil
	}
	return conntrackd.NewSettingTable().Differences(old, SettingsOf(c.Path, c.New))
}

// conclude writes down how the save ended.
func (t *transaction) conclude(err error) error {
	if t.entry == nil {
		return nil
	}
	if err != nil && !t.wrote && !t.touched {
		t.history.forget(*t.entry)
		t.entry = nil
		return nil
	}
	e := *t.entry
	e.Verdict = t.verdict
	switch {
	case err == nil:
		e.Outcome = EntrySaved
	case t.rolledBack:
		e.Outcome, e.Detail = EntryRolledBack, err.Error()
	default:
		e.Outcome, e.Detail = EntryFailed, err.Error()
	}
	if reflect.DeepEqual(e, *t.entry) {
		return nil
	}
	if err := t.history.record(e); err != nil {
		return err
	}
	*t.entry = e
	t.history.prune()
	return nil
}

// stamp tells an inode from every other one that the path may lead to later,
// also from one with the same number; blank where there is no file.
func stamp(path string) (string, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("could not read %s: %w", path, err)
	}
	return fmt.Sprintf("%d %d.%09d", st.Ino, st.Ctim.Sec, st.Ctim.Nsec), nil
}

// bootID names the run of the kernel; blank where it does not say.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
