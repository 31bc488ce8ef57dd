package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/hostfile/hostfiletest"
	"connsync/conntrackd/pairtest"
)

// saver saves contents into one file, with no service.
type saver struct {
	t *testing.T
	Applier
	path string
}

func newSaver(t *testing.T) *saver {
	dir := t.TempDir()
	a := Applier{StateDir: filepath.Join(dir, "state"), RuntimeDir: filepath.Join(dir, "run"), By: Actor{"alice", "/dev/ttyS0"}}
	path := filepath.Join(dir, "etc", "conntrackd.conf")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	return &saver{t, a, path}
}

func (s *saver) candidate(content string) *conntrackd.Candidate {
	s.t.Helper()
	old, err := hostfile.Read(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	return &conntrackd.Candidate{Path: s.path, Settings: conntracktest.Settings(), Old: old, New: []byte(content)}
}

func (s *saver) save(content string) Outcome {
	s.t.Helper()
	o := s.Apply(s.t.Context(), s.candidate(content), nil)
	if o.Err != nil {
		s.t.Fatal(o.Err)
	}
	return o
}

func (s *saver) history() History { return OpenHistory(s.StateDir) }

func (s *saver) entries() []Entry {
	s.t.Helper()
	entries, err := s.history().Entries()
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}

func TestHistoryKeepsTheNewestTwenty(t *testing.T) {
	s := newSaver(t)
	for i := range 25 {
		if o := s.save(fmt.Sprintf("# %d\n", i)); o.Entry != i+1 {
			t.Errorf("save %d has number %d", i, o.Entry)
		}
	}
	entries := s.entries()
	if len(entries) != 20 || entries[0].Number != 25 || entries[19].Number != 6 {
		t.Fatalf("%d entries, from %d to %d", len(entries), entries[0].Number, entries[len(entries)-1].Number)
	}
	if got := len(hostfiletest.Listing(t, s.history().dir)); got != 60 {
		t.Errorf("%d files for 20 saves", got)
	}
	e := entries[0]
	if e.By != (Actor{"alice", "/dev/ttyS0"}) || e.Outcome != EntrySaved || e.Path != s.path || !e.Changed() || !e.InForce() || e.Time.IsZero() {
		t.Errorf("entry %+v", e)
	}
	if before, err := s.history().before(e); err != nil || string(before) != "# 23\n" {
		t.Errorf("before: %q, %v", before, err)
	}
	change, err := s.history().Change(e)
	diff := change.Diff
	want := fmt.Sprintf("--- %s\n+++ %s\n@@ -1 +1 @@\n-# 23\n+# 24\n", s.path, s.path)
	if d := cmp.Diff(want, diff); d != "" || err != nil {
		t.Errorf("%v, diff (-want +got):\n%s", err, d)
	}
	if _, err := s.history().Entry(5); !errors.Is(err, ErrNoEntry) {
		t.Errorf("save 5, which is gone: %v", err)
	}
}

// What a save adds to its record after older ones made room for it is kept.
func TestFullHistoryTakesTheVerdict(t *testing.T) {
	s := newSaver(t)
	for i := range keepEntries {
		s.save(fmt.Sprintf("# %d\n", i))
	}
	tx := newTransaction(&s.Applier, s.candidate("last\n"), nil)
	if err := tx.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, verdict := range []health.Verdict{health.VerdictUnknown, health.VerdictTwoWay} {
		tx.verdict = verdict
		if err := tx.conclude(nil); err != nil {
			t.Fatalf("verdict %s: %v", verdict, err)
		}
	}
	if e := s.entries()[0]; e.Number != keepEntries+1 || e.Outcome != EntrySaved || e.Verdict != health.VerdictTwoWay {
		t.Errorf("entry %+v", e)
	}
}

func TestHistoryOfTheFirstSave(t *testing.T) {
	s := newSaver(t)
	if got := s.entries(); len(got) != 0 {
		t.Errorf("a history before any save: %v", got)
	}
	if _, err := s.history().Newest(s.path); !errors.Is(err, ErrNoEntry) {
		t.Errorf("the newest of none: %v", err)
	}
	s.save("first\n")
	e := s.entries()[0]
	if before, err := s.history().before(e); before != nil || err != nil || e.Before != "none" {
		t.Errorf("before the first save: %q, %v, %q", before, err, e.Before)
	}
	if change, err := s.history().Change(e); err != nil || !strings.Contains(change.Diff, "--- /dev/null") {
		t.Errorf("%v:\n%s", err, change.Diff)
	}

	// Rolling it back removes the file, and rolling that back restores it.
	for _, want := range []string{"", "first\n"} {
		e, err := s.history().Newest(s.path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewRestore(s.path, s.history(), e, conntrackd.Running{})
		if err != nil {
			t.Fatal(err)
		}
		if o := s.Apply(t.Context(), c, nil); o.Err != nil || !o.Changed {
			t.Fatalf("%+v", o)
		}
		got, err := os.ReadFile(s.path)
		if string(got) != want || (want == "") != errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file holds %q, %v; want %q", got, err, want)
		}
		if newest := s.entries()[0]; newest.Undoes != e.Number {
			t.Errorf("entry %+v does not say that it undoes %d", newest, e.Number)
		}
	}
}

func TestHistoryDamaged(t *testing.T) {
	s := newSaver(t)
	s.save("one\n")
	s.save("two\n")
	s.save("three\n")
	h := s.history()
	for path, content := range map[string]string{
		h.file(1, recordKind):           "{\"number\": 2}",
		h.file(2, beforeKind):           "other\n",
		filepath.Join(h.dir, "notes"):   "by hand",
		filepath.Join(h.dir, "12.tar"):  "by hand",
		filepath.Join(h.dir, "0.json"):  "by hand",
		filepath.Join(h.dir, "-3.json"): "by hand",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries := s.entries()
	if len(entries) != 3 || entries[2].Outcome != EntryUnreadable {
		t.Errorf("entries %+v", entries)
	}
	if _, err := h.Entry(1); err == nil || errors.Is(err, ErrNoEntry) {
		t.Errorf("a record of another save: %v", err)
	}
	if _, err := h.before(entries[1]); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("another content than that of the save: %v", err)
	}
	if r := s.Recover(t.Context(), s.path); r.Result != RecoveryNone {
		t.Errorf("recovery %+v", r)
	}
	s.save("four\n")
	if got := s.entries()[0]; got.Number != 4 {
		t.Errorf("number %d after damage", got.Number)
	}
}

func TestHistoryOfAFailedSave(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	syntax := candidateOf(a, a.Settings)
	syntax.New = append(bytes.Clone(syntax.New), "Banana\n"...)
	o := applyOn(t.Context(), a, applierOf(a), syntax)
	h := OpenHistory(applierOf(a).StateDir)
	e, err := h.Entry(o.Entry)
	if err != nil {
		t.Fatal(err)
	}
	if e.Outcome != EntryRolledBack || e.InForce() || !strings.Contains(e.Detail, "Banana") || e.Was != (conntrackd.Running{Active: true, Enabled: true}) {
		t.Errorf("entry %+v", e)
	}
	if newest, err := h.Newest(a.ConfigPath()); err != nil || newest.Number != 1 {
		t.Errorf("the newest in force: %+v, %v", newest, err)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Error(err)
	}
}

// A damaged record may be that of the newest save in force: none is jumped over.
func TestNewestIsNoneBehindADamagedOne(t *testing.T) {
	s := newSaver(t)
	for _, content := range []string{"first\n", "second\n", "third\n"} {
		s.save(content)
	}
	for _, step := range []struct {
		number int
		want   string
	}{
		{1, ""}, // older than the newest
		{3, "save 3 is damaged (RECORD: invalid character 'x' looking for beginning of value): connsync history --forget 3, or connsync rollback 2"},
		{2, "save 3 is damaged (RECORD: invalid character 'x' looking for beginning of value): connsync history --forget 3"},
	} {
		record := s.history().file(step.number, recordKind)
		if err := os.WriteFile(record, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := s.history().Newest(s.path)
		want := strings.ReplaceAll(step.want, "RECORD", s.history().file(3, recordKind))
		if got := fmt.Sprint(err); want != "" && got != want || want == "" && (err != nil || e.Number != 3) {
			t.Errorf("save %d damaged: %d, %v; want %s", step.number, e.Number, err, want)
		}
	}
}

// A disk that is full by the end of a save has room for how the save ended.
func TestEndIsRecordedOnAFullDisk(t *testing.T) {
	hostfiletest.OnTmpfs(t, "size=256k", func(dir string) error {
		l := ledger{History: OpenHistory(dir)}
		e := &Entry{Path: "/etc/conntrackd/conntrackd.conf", Was: conntrackd.Running{Active: true}}
		if err := l.begin(e, []byte("old\n"), []byte("new\n")); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "full"), make([]byte, 256<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("the disk is not full: %w", err)
		}
		e.Outcome, e.Detail = EntryFailed, strings.Repeat("x", roomBytes/2)
		if err := l.record(*e); err != nil {
			return err
		}
		if entries, err := l.Entries(); err != nil || len(entries) != 1 || entries[0].Detail != e.Detail {
			t.Errorf("error %v, entries %+v", err, entries)
		}
		if diff := cmp.Diff([]string{"000001.after", "000001.before", "000001.json"}, hostfiletest.Listing(t, l.dir)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		return nil
	})
}
