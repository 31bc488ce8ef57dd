package hostfile

import (
	"bytes"
	"cmp"
	"connsync/trust"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// ChangeKind is the kind of thing that a change is about.
type ChangeKind string

// ChangeFile is the kind of a change that gives Path a content, or removes it.
const ChangeFile ChangeKind = "file"

// Change is one thing to change about the host.
type Change struct {
	Item    string // what it is for, in its owner's words
	Kind    ChangeKind
	Path    string // of the thing; absolute
	To      string // a second path, of kinds that have one
	Unit    bool   // systemd has to read its units again
	Content []byte // ChangeFile: nil removes the file
	Program bool   // ChangeFile: everybody may execute it
	// Arguments are for kinds that run something; the journal does not keep them.
	Arguments []string
	// Read is what was read of the file, nil for none. Where it has another
	// content by now, the change fails with a *[ChangedError].
	Read []byte
	// Before is what an undo is to restore, where that is not what stands
	// there now. It replaces what the journal has of an earlier change.
	Before *Before
}

// Needed says whether the change is one: a file that already has the content
// is only recorded.
func (c Change) Needed() bool { return c.Kind != ChangeFile || !Same(c.Read, c.Content) }

func (c Change) entry(before Before) JournalEntry {
	return JournalEntry{Item: c.Item, Kind: c.Kind, Path: c.Path, To: c.To, Unit: c.Unit, Before: before,
		Wrote: c.wrote(), removed: c.Kind == ChangeFile && c.Content == nil}
}

func (c Change) wrote() []string {
	if c.Content == nil {
		return nil
	}
	return []string{sumOf(c.Content)}
}

// Before is how a thing stood before a change.
type Before struct {
	File  *FileState `json:"file,omitempty"`  // nil when there was none
	Value string     `json:"value,omitempty"` // of a kind that has one, such as a sysctl
	// Directories are those that the change had to make, outermost first.
	Directories []string `json:"directories,omitempty"`
}

// FileState is what has to come back of a file. Without a ModTime only the
// content is known.
type FileState struct {
	Content []byte `json:"content"`
	Access
	ModTime time.Time `json:"mod_time"`
}

// Changer changes one kind of thing and undoes the change.
type Changer interface {
	// Look takes down how the thing stands.
	Look(Change) (Before, error)
	// Make makes the change.
	Make(context.Context, Change) error
	// Undo restores what was there and checks that it is. A change that was not
	// made is no error.
	Undo(context.Context, JournalEntry) error
	// Left says why the thing must not be restored, blank where it may be. kept
	// are the later entries that are not restored.
	Left(e JournalEntry, kept []JournalEntry) (string, error)
	// Action says what Undo does.
	Action(JournalEntry) string
}

// fileChanger is the changer of files.
type fileChanger struct {
	root  string
	files files
}

// path leaves ".." in a name to the kernel, where there is no other root.
func (f fileChanger) path(name string) string {
	if f.root == "" {
		return name
	}
	return filepath.Join(f.root, name)
}

func (f fileChanger) Look(c Change) (Before, error) {
	info, err := os.Stat(f.path(c.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Before{Directories: f.lacking(filepath.Dir(c.Path))}, nil
	case err != nil:
		return Before{}, err
	case !info.Mode().IsRegular():
		return Before{}, fmt.Errorf("%s is not a regular file", c.Path)
	}
	content, err := Read(f.path(c.Path))
	if err != nil {
		return Before{}, err
	}
	access, err := AccessOf(f.path(c.Path))
	if access == nil {
		return Before{}, cmp.Or(err, error(&ChangedError{Path: c.Path, Read: content})) // gone since
	}
	return Before{File: &FileState{Content: content, Access: *access, ModTime: info.ModTime()}}, nil
}

// lacking are the directories that have to be made for dir, outermost first.
func (f fileChanger) lacking(dir string) []string {
	var list []string
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(f.path(dir)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		list = append(list, dir)
	}
	slices.Reverse(list)
	return list
}

func (f fileChanger) Make(_ context.Context, c Change) error {
	if !c.Needed() {
		return nil
	}
	if c.Content != nil {
		if err := os.MkdirAll(f.path(filepath.Dir(c.Path)), 0o755); err != nil {
			return Explain(f.path(filepath.Dir(c.Path)), err)
		}
	}
	if err := f.files.put(f.path(c.Path), c.Read, c.Content); err != nil || !c.Program || c.Content == nil {
		return err
	}
	return os.Chmod(f.path(c.Path), 0o755)
}

func (f fileChanger) Undo(_ context.Context, e JournalEntry) error {
	if err := f.putBack(f.path(e.Path), e.Before.File); err != nil {
		return err
	}
	for _, dir := range slices.Backward(e.Before.Directories) {
		// What somebody else has put there since keeps it.
		if err := os.Remove(f.path(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return Explain(f.path(dir), err)
		}
	}
	return nil
}

// putBack gives a file its old content, mode, owner and time; nil removes it.
func (f fileChanger) putBack(path string, old *FileState) error {
	if old == nil {
		if _, err := os.Lstat(trust.Directory(path)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return f.files.remove(path)
	}
	read, err := Read(path)
	if err != nil {
		return err
	}
	if !Same(read, old.Content) {
		files := f.files
		if !old.ModTime.IsZero() { // one that was removed is at no time open to more than before
			files.access = &old.Access
		}
		if err := files.replace(path, read, old.Content); err != nil {
			return err
		}
	}
	if !old.ModTime.IsZero() {
		if err := old.restore(path); err != nil {
			return Explain(path, err)
		}
	}
	return Unchanged(path, old.Content)
}

// restore gives a file back what differs of its owner, mode and time, in this order:
// another owner can change the mode. One that nothing has changed is not touched, since
// it may be that nothing can.
func (s *FileState) restore(path string) error {
	for _, part := range []struct {
		same func(fs.FileInfo) bool
		set  func() error
	}{
		{func(now fs.FileInfo) bool {
			owner := now.Sys().(*syscall.Stat_t)
			return int(owner.Uid) == s.UID && int(owner.Gid) == s.GID
		}, func() error { return os.Chown(path, s.UID, s.GID) }},
		{func(now fs.FileInfo) bool { return now.Mode()&keptMode == s.Mode }, func() error { return os.Chmod(path, s.Mode) }},
		{func(now fs.FileInfo) bool { return now.ModTime().Equal(s.ModTime) }, func() error { return os.Chtimes(path, s.ModTime, s.ModTime) }},
	} {
		now, err := os.Stat(path)
		if err == nil && !part.same(now) {
			err = part.set()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f fileChanger) Left(e JournalEntry, _ []JournalEntry) (string, error) {
	now, err := trust.ReadFile(f.path(e.Path), maxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if e.Before.File != nil && !e.removed {
			return "it was removed by somebody else", nil
		}
		return "", nil // as it was, or as the change left it
	case err != nil:
		return "", err
	case e.Before.File != nil && bytes.Equal(now, e.Before.File.Content), e.Ours(now):
		return "", nil
	}
	return "it was changed by somebody else", nil
}

func (f fileChanger) Action(e JournalEntry) string {
	if e.Before.File == nil {
		return "remove"
	}
	return "restored"
}
