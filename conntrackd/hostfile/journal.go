package hostfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connsync/shell"
	"connsync/trust"
)

// Journal is what was changed about the host, oldest first, with what was there
// before the first change. It is one file, written before each change and
// removed with its last entry. Only its owner may read it. Who changes anything
// through it holds the lock of [LockWriter]. Open it with [OpenJournal].
type Journal struct {
	path    string
	options JournalOptions
	files   files
	entries []JournalEntry
	saved   []byte // the journal's file as it is; nil for none
}

// JournalOptions say what is special about a journal. The zero value is a
// journal of files, in the form of prepared.json.
type JournalOptions struct {
	// Root stands before the path of each change; blank is the real one.
	Root string
	// Form is the form of the journal's file; nil is a list of the entries.
	Form JournalForm
	// Kinds change what is not a file.
	Kinds map[ChangeKind]Changer
	// Lost is a clause on what cannot be undone without the journal.
	Lost string
	// Known says whether a change with that entry could have been made; nil means
	// that every one could. A journal with another entry is damaged.
	Known func(JournalEntry) bool
	// Settle is called when entries were undone, before the journal forgets
	// them; nil does nothing.
	Settle func(ctx context.Context, back []JournalEntry) error
}

// JournalForm turns the entries of a journal into its file and back.
type JournalForm interface {
	// Document returns what is written as JSON for the entries, of which there
	// is at least one.
	Document(entries []JournalEntry) any
	// Entries reads such a file.
	Entries(content []byte) ([]JournalEntry, error)
}

// JournalEntry is one changed thing.
type JournalEntry struct {
	Item   string     `json:"item"` // what it was changed for, in its owner's words
	Kind   ChangeKind `json:"kind"`
	Path   string     `json:"path"`
	To     string     `json:"to,omitempty"`
	Unit   bool       `json:"unit,omitempty"` // systemd has to read its units again
	Before Before     `json:"before"`
	// Wrote are the SHA-256 sums, or the fingerprints, of the contents that were
	// put there: what has another one was changed by somebody else.
	Wrote []string `json:"wrote,omitempty"`

	removed bool // the change took the file away
}

// Ours says whether a content was put there by a change of the entry.
func (e JournalEntry) Ours(content []byte) bool {
	sum := sumOf(content)
	return slices.ContainsFunc(e.Wrote, func(wrote string) bool {
		return len(wrote) >= fingerprintDigits && strings.HasPrefix(sum, wrote)
	})
}

// Fingerprint is the [Fingerprint] of the content that was put there last,
// blank for none.
func (e JournalEntry) Fingerprint() string {
	if len(e.Wrote) == 0 {
		return ""
	}
	last := e.Wrote[len(e.Wrote)-1]
	return last[:min(len(last), fingerprintDigits)]
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// DamagedJournalError means that a journal cannot be read, so that nothing can be changed
// or undone through it.
type DamagedJournalError struct {
	Path   string
	Detail string // what is wrong with it
	Lost   string // a clause
}

// Error says what is damaged, what is lost with it, and how to go on without it.
func (e *DamagedJournalError) Error() string {
	said := fmt.Sprintf("read %s: it is damaged (%s): %s puts it aside, and a new one is begun", e.Path, e.Detail, shell.Line("mv", e.Path, e.Path+".damaged"))
	if e.Lost != "" {
		said += "; without it " + e.Lost
	}
	return said
}

// OpenJournal reads the journal at path, which need not exist. One that somebody
// else could have written is an *[trust.OwnerError], and one that cannot be understood a
// *[DamagedJournalError].
func OpenJournal(path string, o JournalOptions) (*Journal, error) {
	if o.Form == nil {
		o.Form = entryList{}
	}
	j := &Journal{path: path, options: o, files: newFiles()}
	for _, own := range []string{filepath.Dir(path), path} {
		if err := trust.Owned(own); err != nil {
			return nil, err
		}
	}
	damaged := func(format string, a ...any) error {
		return &DamagedJournalError{path, fmt.Sprintf(format, a...), o.Lost}
	}
	var err error
	if j.saved, err = Read(path); err != nil || j.saved == nil {
		return j, err
	}
	if j.entries, err = o.Form.Entries(j.saved); err != nil {
		return nil, damaged("%v", err)
	}
	for _, e := range j.entries {
		if o.Known != nil && !o.Known(e) {
			return nil, damaged("connsync does not change %s %s", e.Kind, e.Path)
		}
	}
	return j, nil
}

// Entries lists what was changed and not undone, oldest first.
func (j *Journal) Entries() []JournalEntry { return slices.Clone(j.entries) }

// Find returns the entry of a thing, false when there is none.
func (j *Journal) Find(kind ChangeKind, path string) (JournalEntry, bool) {
	i := findEntry(j.entries, kind, path)
	if i < 0 {
		return JournalEntry{}, false
	}
	return j.entries[i], true
}

func findEntry(entries []JournalEntry, kind ChangeKind, path string) int {
	return slices.IndexFunc(entries, func(e JournalEntry) bool { return e.Kind == kind && e.Path == path })
}

// Pending says whether there is anything to do: a file that is not as the
// changes want it, or a journal that does not tell of them.
func (j *Journal) Pending(changes ...Change) (bool, error) {
	for _, c := range changes {
		if c.Needed() {
			return true, nil
		}
	}
	entries, err := j.noted(changes)
	if err != nil {
		return false, err
	}
	content, err := j.encode(entries)
	return !Same(content, j.saved), err
}

// noted is the entries with those of the changes. What was there before the
// first change is kept, unless a change says itself what that is.
func (j *Journal) noted(changes []Change) ([]JournalEntry, error) {
	entries := j.Entries()
	for _, c := range changes {
		i := findEntry(entries, c.Kind, c.Path)
		if i >= 0 && c.Before != nil {
			entries, i = slices.Delete(entries, i, i+1), -1
		}
		if i < 0 {
			before := c.Before
			if before == nil {
				now, err := j.changer(c.Kind).Look(c)
				if err != nil {
					return nil, err
				}
				before = &now
			}
			entries = append(entries, c.entry(*before))
			continue
		}
		for _, sum := range c.wrote() {
			if !slices.Contains(entries[i].Wrote, sum) {
				entries[i].Wrote = append(slices.Clone(entries[i].Wrote), sum)
			}
		}
	}
	return entries, nil
}

// write makes the entries those of the journal, on the disk first.
func (j *Journal) write(entries []JournalEntry) error {
	content, err := j.encode(entries)
	if err != nil {
		return err
	}
	if err := j.save(content); err != nil {
		return err
	}
	j.entries = entries
	return nil
}

// save makes content that of the journal's file, nil for none.
func (j *Journal) save(content []byte) error {
	if Same(content, j.saved) {
		return nil
	}
	if err := MakeDirectory(filepath.Dir(j.path)); err != nil {
		return err
	}
	// It holds the content of files that others may not be allowed to read.
	own := j.files
	own.newMode = 0o600
	if err := os.Chmod(j.path, own.newMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Explain(j.path, err)
	}
	err := own.put(j.path, j.saved, content)
	if err == nil || errors.Is(err, ErrNotDurable) {
		j.saved = content
	}
	return err
}

// encode is the journal's file; nil, for none, without entries.
func (j *Journal) encode(entries []JournalEntry) ([]byte, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	content, err := json.MarshalIndent(j.options.Form.Document(entries), "", "  ")
	if err != nil {
		return nil, err
	}
	return append(content, '\n'), nil
}

func (j *Journal) changer(kind ChangeKind) Changer {
	if c, ok := j.options.Kinds[kind]; ok {
		return c
	}
	return fileChanger{root: j.options.Root, files: j.files}
}

// entryList is the form of a journal that lists its entries as they are.
type entryList struct{}

func (entryList) Document(entries []JournalEntry) any {
	return struct {
		Entries []JournalEntry `json:"entries"`
	}{entries}
}

func (entryList) Entries(content []byte) ([]JournalEntry, error) {
	var list struct {
		Entries []JournalEntry `json:"entries"`
	}
	err := json.Unmarshal(content, &list)
	return list.Entries, err
}
