package prepare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd/hostfile"
)

// recordFile is the record of what was changed about the host, in the state
// directory.
const recordFile = "prepared.json"

// RecordedSince says whether anything about the host was changed since a time and
// not undone. What an interrupted save has prepared is known by that.
func RecordedSince(stateDir string, since time.Time) bool {
	info, err := os.Stat(filepath.Join(stateDir, recordFile))
	// Times of files lag by a clock tick.
	return err == nil && info.ModTime().Add(20*time.Millisecond).After(since)
}

// journal opens the record of what was changed about the host.
func (p *Preparer) journal() (*hostfile.Journal, error) {
	return hostfile.OpenJournal(filepath.Join(p.path(p.StateDir), recordFile), hostfile.JournalOptions{
		Root: p.root, Settle: p.settle, Known: known, Lost: "what connsync has changed on this host so far stays, and is not undone",
		Kinds: map[hostfile.ChangeKind]hostfile.Changer{changeSysctl: sysctlChanger{p}, changeDivert: divertChanger{p},
			changeStart: startChanger{p}},
	})
}

// known says whether an entry is about something that a preparation changes.
func known(e hostfile.JournalEntry) bool {
	for _, dir := range e.Before.Directories {
		if dir != filepath.Clean(dir) || !strings.HasPrefix(e.Path, dir+"/") {
			return false
		}
	}
	switch e.Kind {
	case hostfile.ChangeFile:
		return e.Path == logrotateRule || e.Path == eventsBootFile || e.Path == eventsModule || isDropIn(e.Path) ||
			e.Item == string(ItemHook) || e.Path == refreshUnitFile || e.Path == refreshScript
	case changeDivert:
		return e.Path == logrotateRule && e.To == logrotateKept
	case changeSysctl:
		return e.Path == eventsSetting
	case changeStart:
		return e.Path == refreshService && slices.Contains(managers(), e.To)
	}
	return false
}

// isDropIn says whether a path is that of the drop-in of some service's unit.
func isDropIn(path string) bool {
	unit, ok := strings.CutPrefix(path, "/etc/systemd/system/")
	unit, rest := strings.CutSuffix(unit, ".service.d/"+dropInName)
	return ok && rest && unit != "" && !strings.Contains(unit, "/")
}

// Undo puts the host back as it was before the first preparation, byte for
// byte, and sees that it is. What somebody else has changed since is left
// alone and stays in the record. With dryRun it changes nothing. The daemon is
// not touched. It takes the writer lock in runtimeDir, and returns a
// *[hostfile.BusyError] when somebody else is saving. What connsync has written and has no
// record of any more is among what is left alone.
func (p *Preparer) Undo(ctx context.Context, runtimeDir string, dryRun bool) ([]hostfile.Undone, error) {
	if _, err := p.ownHost(); errors.Is(err, ErrOtherHost) {
		return nil, err
	}
	if !dryRun {
		lock, err := hostfile.LockWriter(runtimeDir)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
	}
	j, err := p.journal()
	if err != nil {
		return nil, err
	}
	undone, err := j.Undo(ctx, dryRun)
	return append(undone, p.unrecorded(undone)...), err
}

// sysctlChanger changes the kernel's settings as they are now.
type sysctlChanger struct{ p *Preparer }

func (s sysctlChanger) Look(c hostfile.Change) (hostfile.Before, error) {
	now, err := os.ReadFile(s.p.path(c.Path))
	return hostfile.Before{Value: string(bytes.TrimSpace(now))}, err
}

func (s sysctlChanger) Make(_ context.Context, c hostfile.Change) error {
	return s.set(c.Path, string(c.Content))
}

func (s sysctlChanger) Undo(_ context.Context, e hostfile.JournalEntry) error {
	return s.set(e.Path, e.Before.Value)
}

func (s sysctlChanger) set(path, value string) error {
	if err := os.WriteFile(s.p.path(path), []byte(value+"\n"), 0o644); err != nil {
		return hostfile.Explain(path, err)
	}
	now, err := os.ReadFile(s.p.path(path))
	if err == nil && string(bytes.TrimSpace(now)) != value {
		err = fmt.Errorf("%s is %s after %s was written to it", path, bytes.TrimSpace(now), value)
	}
	return err
}

func (s sysctlChanger) Left(e hostfile.JournalEntry, _ []hostfile.JournalEntry) (string, error) {
	now, err := os.ReadFile(s.p.path(e.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return "the kernel has no such setting now", nil
	}
	if err != nil {
		return "", err
	}
	now = bytes.TrimSpace(now)
	if string(now) == e.Before.Value || e.Ours(now) {
		return "", nil
	}
	return fmt.Sprintf("it is %s now, set by somebody else", now), nil
}

func (s sysctlChanger) Action(e hostfile.JournalEntry) string {
	return "set to " + e.Before.Value + " again"
}

// divertChanger has dpkg keep a package's file elsewhere.
type divertChanger struct{ p *Preparer }

func (d divertChanger) Look(hostfile.Change) (hostfile.Before, error) { return hostfile.Before{}, nil }

func (d divertChanger) Make(ctx context.Context, c hostfile.Change) error {
	return d.p.run(ctx, "dpkg-divert", divertArguments("--add", c.Path, c.To)...)
}

func (d divertChanger) Undo(ctx context.Context, e hostfile.JournalEntry) error {
	to, err := d.p.diverted(e.Path)
	if err != nil || to != e.To {
		return err
	}
	if err := d.p.run(ctx, "dpkg-divert", divertArguments("--remove", e.Path, e.To)...); err != nil {
		return err
	}
	if to, err := d.p.diverted(e.Path); err != nil || to != "" {
		return errors.Join(err, fmt.Errorf("%s is still diverted", e.Path))
	}
	return nil
}

func (d divertChanger) Left(e hostfile.JournalEntry, kept []hostfile.JournalEntry) (string, error) {
	for _, k := range kept {
		if k.Path == e.Path {
			return "the file in its place is left alone", nil
		}
	}
	return "", nil
}

func (d divertChanger) Action(e hostfile.JournalEntry) string {
	return "the package's own file comes back from " + e.To
}
