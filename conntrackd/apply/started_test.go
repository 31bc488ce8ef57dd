package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/pairtest"
)

// A file whose change time is still to come restarts the daemon only where neither a note nor
// the history says that the daemon runs it.
func TestApplyToFileOfTheFuture(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	future := applierOf(a)
	future.changedAt = func(string) (time.Time, error) { return time.Now().Add(time.Hour), nil }
	if o := applyOn(t.Context(), a, future, candidateOf(a, a.Settings)); o.Err != nil || !strings.Contains(statuses(o), "restart=skipped") {
		t.Errorf("a saved file in force: %v, %s", o.Err, statuses(o))
	}
	for _, dir := range []string{future.StateDir, future.RuntimeDir} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"restart=done", "restart=skipped"} {
		if o := applyOn(t.Context(), a, future, candidateOf(a, a.Settings)); o.Err != nil || !strings.Contains(statuses(o), want) {
			t.Errorf("a file that was not saved here: %v, %s, want %s", o.Err, statuses(o), want)
		}
	}
}

// A new mode, owner or time of the file restarts nothing where it was noted that the daemon was
// started with this content: by a save, or by a look at a daemon that something else started.
func TestApplyAfterATouchRestartsNothing(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	saved, err := os.ReadFile(a.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	again := func(why, want string) {
		t.Helper()
		if o := mustApply(a, a.Settings); !strings.Contains(statuses(o), want) {
			t.Errorf("%s: %s, want %s", why, statuses(o), want)
		}
	}
	touch := func() {
		t.Helper()
		for _, err := range []error{os.Chmod(a.ConfigPath(), 0o640), os.Chown(a.ConfigPath(), 0, 1), os.Chtimes(a.ConfigPath(), time.Time{}, time.Now())} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	restart := func() {
		t.Helper()
		time.Sleep(2 * grain) // so that the clocks tell what came first
		if err := a.Restart(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * grain)
	}
	touch()
	again("touched after the save", "restart=skipped")

	restart()
	touch()
	again("started by something else, and nobody has looked", "restart=done")

	restart()
	a.Do(func() error { RememberStart(a.State(), applierOf(a).RuntimeDir, a.ConfigPath()); return nil })
	touch()
	again("started by something else, and noted", "restart=skipped")

	a.WriteConfig(string(saved) + "# by hand\n")
	restart()
	a.WriteConfig(string(saved))
	again("the daemon was started with another content, and the saved one is back", "restart=done")

	touch()
	notes, err := filepath.Glob(filepath.Join(applierOf(a).RuntimeDir, "started-*"))
	if err != nil || len(notes) != 1 {
		t.Fatal(notes, err)
	}
	if err := os.Truncate(notes[0], 60); err != nil {
		t.Fatal(err)
	}
	again("a torn note", "restart=done")
}

// What was noted of a daemon tells of a change that the clock hides.
func TestApplySeesAChangeThatTheClockHides(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	saved, err := os.ReadFile(a.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	a.WriteConfig(string(saved) + "# by hand\n")
	late := applierOf(a)
	late.changedAt = func(string) (time.Time, error) { return time.Now().Add(-time.Hour), nil }
	c := candidateOf(a, a.Settings)
	c.New = c.Old
	if o := applyOn(t.Context(), a, late, c); o.Err != nil || !strings.Contains(statuses(o), "restart=done") {
		t.Errorf("%v, %s", o.Err, statuses(o))
	}
}

// A link that leads elsewhere since the daemon's start is a change, however old the file behind
// it is.
func TestChangeTimeOfALink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "old"), filepath.Join(dir, "conntrackd.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	written, err := changeTime(file)
	if err != nil {
		t.Fatal(err)
	}
	for linked := written; !linked.After(written); {
		_ = os.Remove(link)
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Lstat(link, &st); err != nil {
			t.Fatal(err)
		}
		linked = time.Unix(st.Ctim.Unix())
	}
	if at, err := changeTime(link); err != nil || !at.After(written) {
		t.Errorf("the link has changed at %v (%v), its file at %v", at, err, written)
	}
}
