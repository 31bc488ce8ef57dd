package hostfile

import (
	"bytes"
	"connsync/trust"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Fingerprint is a short name for a file's content, for people and histories:
// the first 12 hexadecimal digits of its SHA-256; "none" for a nil content.
func Fingerprint(content []byte) string {
	if content == nil {
		return "none"
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])[:fingerprintDigits]
}

const fingerprintDigits = 12

// ChangedError means that a file is not as it was when it was read for the
// edit: someone else changed it, and a save would undo that.
type ChangedError struct {
	Path      string
	Read, Now []byte // nil when there was, or is, no file
}

// Error names the file and the fingerprints of both contents.
func (e *ChangedError) Error() string {
	if e.Now == nil {
		return fmt.Sprintf("%s was removed since it was read", e.Path)
	}
	if e.Read == nil {
		return fmt.Sprintf("%s did not exist when this edit began and exists now (%s)", e.Path, Fingerprint(e.Now))
	}
	return fmt.Sprintf("%s was changed by someone else since it was read (%s, now %s)", e.Path, Fingerprint(e.Read), Fingerprint(e.Now))
}

// Diff is what someone else changed, unified; it holds the file's own text:
// control characters are the reader's to strip.
func (e *ChangedError) Diff() string { return Diff(e.Path, e.Read, e.Now) }

// newFileMode is the mode of a configuration file that did not exist; the
// file holds no secret and the packaged one has the same.
const newFileMode = 0o644

// keptMode is what a file keeps of its mode.
const keptMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// files are the file operations of a save; tests replace single ones to see
// what a save leaves behind when they fail.
type files struct {
	create    func(path string, mode fs.FileMode) (*os.File, error)
	write     func(f *os.File, content []byte) error
	owner     func(f *os.File, uid, gid int) error
	sync      func(f *os.File) error
	close     func(f *os.File) error
	rename    func(from, to string) error
	syncDir   func(dir string) error
	attribute func(f *os.File, name string, value []byte) error
	newMode   fs.FileMode // of a file that has no twin
	access    *Access     // the same, where it is known what it had; nil where not
}

func newFiles() files {
	return files{
		create: func(path string, mode fs.FileMode) (*os.File, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, mode)
		},
		write:   func(f *os.File, content []byte) error { _, err := f.Write(content); return err },
		owner:   func(f *os.File, uid, gid int) error { return f.Chown(uid, gid) },
		sync:    func(f *os.File) error { return f.Sync() },
		close:   func(f *os.File) error { return f.Close() },
		rename:  os.Rename,
		syncDir: SyncDirectory,
		attribute: func(f *os.File, name string, value []byte) error {
			return unix.Fsetxattr(int(f.Fd()), name, value, 0)
		},
		newMode: newFileMode,
	}
}

// MakeDirectory makes a directory that only its owner may look into, with those
// above it, and waits until it is on the disk. One that exists stays as it is.
func MakeDirectory(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Explain(dir, err)
	}
	return SyncDirectory(filepath.Dir(dir))
}

// SyncDirectory waits until the names in a directory are on the disk.
func SyncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// maxBytes is far more than any file has that is replaced.
const maxBytes = 64 << 20

// Read returns a file's content, nil without an error when there is none. It waits
// for nothing that is not a regular file.
func Read(path string) ([]byte, error) {
	content, err := trust.ReadFile(path, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, Explain(path, err)
}

// replace makes content the content of the file at path. The
// write is atomic: a crash leaves the old file or the new one. Mode, owner and extended
// attributes stay, and a symbolic link stays a link: what it points to is
// replaced. Unless the file still is as read, nil for no file, replace fails
// with a *[ChangedError].
//
// An error means that the old content is in place, with one exception: after
// [ErrNotDurable] the new one is, and may be lost in a power cut.
func (fsys files) replace(path string, read, content []byte) error {
	target, err := trust.Target(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, Explain(path, err))
	}
	old, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return fmt.Errorf("write %s: %w", target, Explain(target, err))
	case !old.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", target)
	}
	sweep(target)
	temp := tempBeside(target)
	if err := fsys.writeTemp(temp, target, old, content); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("write %s: %w", target, Explain(target, err))
	}
	if err := Unchanged(path, read); err != nil {
		_ = os.Remove(temp)
		return err
	}
	if err := fsys.rename(temp, target); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("replace %s: %w", target, Explain(target, err))
	}
	if err := fsys.syncDir(filepath.Dir(target)); err != nil {
		return fmt.Errorf("%w: sync the directory of %s: %w", ErrNotDurable, target, Explain(target, err))
	}
	return nil
}

// put is replace for content that may be nil, which removes the file.
func (fsys files) put(path string, read, content []byte) error {
	if content != nil {
		return fsys.replace(path, read, content)
	}
	if err := Unchanged(path, read); err != nil {
		return err
	}
	if err := fsys.remove(path); err != nil {
		return fmt.Errorf("remove %s: %w", path, Explain(path, err))
	}
	return nil
}

// ErrNotDurable means that the new content is in place but not known to be on
// the disk. It is the one error after which a file is not as it was before.
var ErrNotDurable = errors.New("written, but it may not survive a power cut")

// Same reports whether two contents are equal; nil is no file, and not an empty
// one.
func Same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// Unchanged compares a file with what was read of it, nil for no file. The error
// is a *[ChangedError] where it has another content by now.
func Unchanged(path string, read []byte) error {
	now, err := Read(path)
	if err != nil {
		return err
	}
	if !Same(now, read) {
		return &ChangedError{Path: path, Read: read, Now: now}
	}
	return nil
}

// writeTemp writes a complete twin of target; old is nil when there is none.
func (fsys files) writeTemp(temp, target string, old fs.FileInfo, content []byte) (err error) {
	// Closed to others until the owner is right.
	f, err := fsys.create(temp, 0o600)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			_ = f.Close()
		}
	}()
	// Before anything opens it further: the mask of an access list goes with the mode.
	if err := sameAccess(f, target); err != nil {
		return err
	}
	if err := fsys.write(f, content); err != nil {
		return err
	}
	mode := fsys.newMode
	if old == nil && fsys.access != nil {
		mode = fsys.access.Mode & keptMode
		if err := fsys.access.give(fsys, f); err != nil {
			return err
		}
	}
	if old != nil {
		mode = old.Mode() & keptMode
		if err := fsys.likeness(f, target, old); err != nil {
			return err
		}
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := fsys.sync(f); err != nil {
		return err
	}
	closed = true
	return fsys.close(f)
}

// likeness gives f the owner and the extended attributes of target.
func (fsys files) likeness(f *os.File, target string, old fs.FileInfo) error {
	own, err := f.Stat()
	if err != nil {
		return err
	}
	was, is := old.Sys().(*syscall.Stat_t), own.Sys().(*syscall.Stat_t)
	if was.Uid != is.Uid || was.Gid != is.Gid {
		if err := fsys.owner(f, int(was.Uid), int(was.Gid)); err != nil {
			return err
		}
	}
	names, err := listAttributes(target)
	if err != nil {
		return err
	}
	for _, name := range names {
		value, err := readAttribute(target, name)
		if err != nil {
			return err
		}
		if err := fsys.attribute(f, name, value); err != nil {
			return fmt.Errorf("keep attribute %s: %w", name, err)
		}
	}
	return nil
}

// tempPrefix is how the names of our temporary files for target begin. It is
// long enough not to match an editor's swap file, and short enough for a file
// whose own name is as long as it may be.
func tempPrefix(target string) string {
	base := filepath.Base(target)
	return "." + base[:min(len(base), maxName-len(".")-len(tempMark)-randomLength)] + tempMark
}

const (
	tempMark      = ".connsync-"
	maxName       = 255 // NAME_MAX, in bytes
	randomLength  = 26  // of rand.Text, in its alphabet
	randomLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// IsTemporary reports whether a file with that name is one that [Replace] was
// writing when it was killed, or is writing now.
func IsTemporary(name string) bool {
	end := strings.LastIndex(name, tempMark)
	return end > 0 && strings.HasPrefix(name, ".") && isRandom(name[end+len(tempMark):])
}

func isRandom(text string) bool {
	return len(text) == randomLength && strings.Trim(text, randomLetters) == ""
}

// tempBeside is a new name for a temporary file for target.
func tempBeside(target string) string {
	return filepath.Join(filepath.Dir(target), tempPrefix(target)+rand.Text())
}

// Sweep removes what calls of [Replace] that were killed have left beside the file
// at path, or that a link there stands for. The caller holds the writer lock, so
// none of them is still at work. What cannot be removed stays without an error,
// which is that of a link that cannot be followed.
func Sweep(path string) error {
	target, err := trust.Target(path)
	if err == nil {
		sweep(target)
	}
	return Explain(path, err)
}

func sweep(target string) {
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		return // creating the file there will say why
	}
	for _, e := range entries {
		if random, ours := strings.CutPrefix(e.Name(), tempPrefix(target)); ours && isRandom(random) {
			_ = os.Remove(filepath.Join(filepath.Dir(target), e.Name()))
		}
	}
}

// remove removes a file that a save created. A file that is not there is
// no error.
func (fsys files) remove(path string) error {
	target, err := trust.Target(path)
	if err != nil {
		return err
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := fsys.syncDir(filepath.Dir(target)); err != nil {
		return fmt.Errorf("%w: sync the directory: %w", ErrNotDurable, err)
	}
	return nil
}
