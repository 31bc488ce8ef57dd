package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/shell"
	"connsync/trust"
)

// Actor is who saved, as the history names them.
type Actor struct {
	User     string `json:"user"`     // who logged in; blank when not known
	Terminal string `json:"terminal"` // such as /dev/ttyS0; blank without one
}

// EntryOutcome is how a save ended. Stable: it is in the JSON.
type EntryOutcome string

const (
	EntryPending     EntryOutcome = "saving"       // at work, or interrupted and not repaired yet
	EntrySaved       EntryOutcome = "saved"        // in force
	EntryRolledBack  EntryOutcome = "rolled back"  // failed, and the old state was restored
	EntryFailed      EntryOutcome = "failed"       // failed, and the old state could not be restored
	EntryInterrupted EntryOutcome = "interrupted"  // killed on the way; Repair says what became of it
	EntryUnreadable  EntryOutcome = "not readable" // the record is damaged; Detail says how
)

// Entry is one save as the [History] keeps it. It is written before anything
// changes, with the outcome [EntryPending], and again when the save has ended:
// what is pending while nobody saves was interrupted.
type Entry struct {
	Number  int          `json:"number"`           // rises by one
	Time    time.Time    `json:"time"`             // when the save began, UTC
	Path    string       `json:"path"`             // of the configuration file
	By      Actor        `json:"by"`               // who saved
	Undoes  int          `json:"undoes,omitempty"` // the save that this one rolled back; zero for an ordinary one
	Outcome EntryOutcome `json:"outcome"`
	// Repair is what the next start made of an interrupted save; blank otherwise.
	Repair  RecoveryResult `json:"repair,omitempty"`
	Detail  string         `json:"detail,omitempty"` // why it failed; raw
	Verdict health.Verdict `json:"verdict"`          // of the sync, as far as the save saw it
	// Before and After are the fingerprints of the file's content, "none" for
	// no file.
	Before string `json:"before"`
	After  string `json:"after"`
	// Access is what the file had before that is not its content; nil for no file, and in
	// a record of connsync 1.0.0.
	Access *hostfile.Access `json:"access,omitempty"`
	// Changes are the settings that the save changed in a file that had settings before;
	// none in a record of connsync 1.0.0.
	Changes []conntrackd.Difference `json:"changes,omitempty"`
	// Service is the name of the service, blank where it was left alone.
	Service string             `json:"service,omitempty"`
	Was     conntrackd.Running `json:"was"`   // before the save
	Asked   conntrackd.Running `json:"asked"` // by the save

	// What a repair needs to know of the moment before the save.
	Stamp string `json:"stamp"` // of the old file's inode; blank where there was none
	Bound bool   `json:"bound"` // the daemon listened where the old file says
	Boot  string `json:"boot"`  // the kernel's boot_id

	// Change is what the save changed, where [History.WithChanges] has read it.
	Change *Change `json:"-"`
}

// Changed reports whether the save changed the file.
func (e Entry) Changed() bool { return e.Before != e.After }

// InForce reports whether the save took effect and was not undone on the way.
func (e Entry) InForce() bool {
	return e.Outcome == EntrySaved || e.Outcome == EntryInterrupted && e.Repair == RecoveryInForce
}

// ErrNoEntry means that the history has no such save.
var ErrNoEntry = errors.New("the history has no such save")

// DamagedError means that what the history keeps of a save is not as it was
// written. Such a save can only be forgotten: see [History.PlanRemoval].
type DamagedError struct {
	Number int
	Detail string // names the file
	forget string // the command for that
}

// Error says what is damaged, and how to go on without it.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("read save %d: %s; %s removes this save from the history", e.Number, e.Detail, e.forget)
}

// DamagedNewestError means that the save to undo is not known: the record of a save
// is damaged that may be the newest one in force.
type DamagedNewestError struct {
	Number int
	Detail string // names the file
	Older  int    // the newest one that can be read; zero for none
	called shell.Program
}

// Error says what is damaged, and how to go on.
func (e *DamagedNewestError) Error() string {
	said := fmt.Sprintf("save %d is damaged (%s): %s", e.Number, e.Detail, forgetting(e.called, e.Number))
	if e.Older != 0 {
		said += ", or " + e.called.Command("rollback", strconv.Itoa(e.Older))
	}
	return said
}

// History is the newest saves, in a directory of its own: of each the file
// before it and after it as they were, and a record. It only reads; [Applier]
// writes.
type History struct {
	dir    string
	called shell.Program
}

// OpenHistory returns the history in a state directory, which need not exist.
func OpenHistory(stateDir string) History { return History{dir: filepath.Join(stateDir, "history")} }

// CalledBy is h whose errors name commands as the operator calls this program.
func (h History) CalledBy(called shell.Program) History {
	h.called = called
	return h
}

func (a *Applier) history() History { return OpenHistory(a.StateDir).CalledBy(a.Called) }

func (h History) forgetting(number int) string { return forgetting(h.called, number) }

// forgetting is the command that forgets a save.
func forgetting(called shell.Program, number int) string {
	return called.Command("history", "--forget", strconv.Itoa(number))
}

// The files of entry 12 are 000012.json, 000012.before and 000012.after, and while its
// save is not over 000012.room.
const (
	recordKind = ".json"
	beforeKind = ".before"
	afterKind  = ".after"
	// roomKind holds room on the disk for the record of how the save ended.
	roomKind = ".room"
)

// entryKinds are the files of an entry, the record first: without it the others are
// nothing.
var entryKinds = []string{recordKind, afterKind, beforeKind, roomKind}

func (h History) file(number int, kind string) string {
	return filepath.Join(h.dir, fmt.Sprintf("%06d", number)+kind)
}

// beforePath is the file that keeps what a save replaced.
func (h History) beforePath(number int) string { return h.file(number, beforeKind) }

// Entries returns every save that is kept, the newest first. One whose record
// cannot be read is there with [EntryUnreadable]. A history that does not exist has
// none.
func (h History) Entries() ([]Entry, error) {
	found, err := h.list()
	if err != nil {
		return nil, err
	}
	return found.entries, nil
}

// Ignored returns the paths of files in the history that look like those of a
// save and have a number that no save gets.
func (h History) Ignored() ([]string, error) {
	found, err := h.list()
	return found.foreign, err
}

// Entry returns one save; the error is [ErrNoEntry] where it is not kept.
func (h History) Entry(number int) (Entry, error) {
	entries, err := h.Entries()
	if err != nil {
		return Entry{}, err
	}
	for _, e := range entries {
		switch {
		case e.Number != number:
		case e.Outcome == EntryUnreadable:
			return e, fmt.Errorf("read save %d: %s", number, e.Detail)
		default:
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("save %d: %w", number, ErrNoEntry)
}

// Newest returns the newest save of a file that is in force: the one to undo. The
// error is [ErrNoEntry] where there is none, and a *[DamagedNewestError] where a newer
// one, which may be that, cannot be read.
func (h History) Newest(path string) (Entry, error) {
	entries, err := h.Entries()
	if err != nil {
		return Entry{}, err
	}
	var damaged *DamagedNewestError
	for _, e := range entries {
		switch {
		case e.Outcome == EntryUnreadable && damaged == nil:
			damaged = &DamagedNewestError{Number: e.Number, Detail: e.Detail, called: h.called}
		case e.Path != path || !e.InForce():
		case damaged != nil:
			damaged.Older = e.Number
			return Entry{}, damaged
		default:
			return e, nil
		}
	}
	if damaged != nil {
		return Entry{}, damaged
	}
	return Entry{}, fmt.Errorf("%s: %w", path, ErrNoEntry)
}

// AsSaved says whether the file at path has the content of its newest save in force, and
// that save began before a time. It is false where that is not known.
func (h History) AsSaved(path string, before time.Time) bool {
	e, err := h.Newest(path)
	if err != nil || !e.Time.Before(before) {
		return false
	}
	content, err := conntrackd.ReadConfig(path)
	return err == nil && hostfile.Fingerprint(content) == e.After
}

// before returns the file as it was before a save, nil where there was none.
func (h History) before(e Entry) ([]byte, error) { return h.content(e, beforeKind, e.Before) }

// after returns the file that a save wrote.
func (h History) after(e Entry) ([]byte, error) { return h.content(e, afterKind, e.After) }

func (h History) content(e Entry, kind, fingerprint string) ([]byte, error) {
	path := h.file(e.Number, kind)
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &DamagedError{e.Number, path + " is damaged: it is not a regular file", h.forgetting(e.Number)}
	}
	if err := trust.Owned(path); err != nil {
		return nil, &DamagedError{e.Number, err.Error(), h.forgetting(e.Number)}
	}
	content, err := hostfile.Read(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("read save %d: %w", e.Number, err)
	}
	if err != nil {
		return nil, &DamagedError{e.Number, err.Error(), h.forgetting(e.Number)}
	}
	if got := hostfile.Fingerprint(content); got != fingerprint {
		return nil, &DamagedError{e.Number, fmt.Sprintf("%s is damaged: its fingerprint is %s, not %s", path, got, fingerprint), h.forgetting(e.Number)}
	}
	return content, nil
}

// listed is what the directory of a history holds.
type listed struct {
	entries []Entry  // newest first
	orphans []string // paths of files that belong to no entry
	foreign []string // paths of files with a number that no save gets
	highest int      // of all numbers
}

// pending are the entries that a save has begun and not ended.
func (l listed) pending() []Entry {
	return slices.DeleteFunc(slices.Clone(l.entries), func(e Entry) bool { return e.Outcome != EntryPending })
}

func (h History) list() (listed, error) {
	var l listed
	for _, own := range []string{filepath.Dir(h.dir), h.dir} {
		if err := trust.Owned(own); err != nil {
			return l, fmt.Errorf("read the history: %w", err)
		}
	}
	files, err := os.ReadDir(h.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("read the history: %w", hostfile.Explain(h.dir, err))
	}
	numbers := map[int]bool{}
	for _, f := range files {
		if number, kind := entryName(f.Name()); kind == recordKind {
			numbers[number] = true
			l.entries = append(l.entries, h.record(number))
		}
	}
	for _, f := range files {
		number, kind := entryName(f.Name())
		l.highest = max(l.highest, number)
		temporary := strings.HasPrefix(f.Name(), ".0") && hostfile.IsTemporary(f.Name())
		if temporary || kind != "" && !numbers[number] {
			l.orphans = append(l.orphans, filepath.Join(h.dir, f.Name()))
		}
		if foreignName(f.Name()) {
			l.foreign = append(l.foreign, filepath.Join(h.dir, f.Name()))
		}
	}
	slices.SortFunc(l.entries, func(a, b Entry) int { return b.Number - a.Number })
	return l, nil
}

// maxNumber bounds the numbers of saves: a file with a higher one is not ours,
// and no save can take the number after it.
const maxNumber = 999_999_999

// entryName takes the name of a file apart; what is not of an entry has no kind.
func entryName(name string) (number int, kind string) {
	digits, kind, _ := strings.Cut(name, ".")
	number, err := strconv.Atoi(digits)
	if err != nil || number <= 0 || number > maxNumber || fmt.Sprintf("%06d", number) != digits || !contentKind("."+kind) {
		return 0, ""
	}
	return number, "." + kind
}

func contentKind(kind string) bool {
	return slices.Contains(entryKinds, kind)
}

// foreignName says whether a name looks like that of an entry and is none.
func foreignName(name string) bool {
	digits, kind, _ := strings.Cut(name, ".")
	_, ours := entryName(name)
	return ours == "" && contentKind("."+kind) && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// maxRecordBytes is far more than any record has.
const maxRecordBytes = 1 << 20

func (h History) record(number int) Entry {
	unreadable := func(why string) Entry {
		return Entry{Number: number, Outcome: EntryUnreadable, Detail: why}
	}
	path := h.file(number, recordKind)
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return unreadable(err.Error())
	case !info.Mode().IsRegular() || info.Size() > maxRecordBytes:
		return unreadable(path + " is not a record")
	}
	if err := trust.Owned(path); err != nil {
		return unreadable(err.Error())
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return unreadable(err.Error())
	}
	var e Entry
	d := json.NewDecoder(bytes.NewReader(content))
	if err := d.Decode(&e); err != nil {
		return unreadable(path + ": " + err.Error())
	}
	if e.Number != number {
		return unreadable(fmt.Sprintf("%s is the record of save %d", path, e.Number))
	}
	return e
}
