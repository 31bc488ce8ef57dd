package apply

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connsync/conntrackd/hostfile/hostfiletest"
)

// A damaged content of an interrupted save blocks the next one, which names the
// way out; after that saves go on.
func TestForgetDamagedSave(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"changed":   func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"removed":   os.Remove,
		"directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSaver(t)
			s.save("one\n")
			s.interruptWrite("two\n")
			h := s.history()
			var unfinished *UnfinishedError
			if _, err := h.PlanRemoval(2); !errors.As(err, &unfinished) {
				t.Errorf("a save that can be repaired: %v", err)
			}
			if err := damage(h.beforePath(2)); err != nil {
				t.Fatal(err)
			}
			o := s.Apply(t.Context(), s.candidate("three\n"), nil)
			if o.Err == nil || !strings.Contains(o.Err.Error(), h.beforePath(2)) || !strings.Contains(o.Err.Error(), "connsync history --forget 2 ") {
				t.Fatalf("the save after it: %v", o.Err)
			}
			r, err := h.PlanRemoval(2)
			if err != nil || r.Damage == "" || !r.Unfinished() {
				t.Fatalf("removal %+v, %v", r, err)
			}
			if err := r.Remove(); err != nil {
				t.Fatal(err)
			}
			if got := hostfiletest.Listing(t, h.dir); len(got) != 2 {
				t.Errorf("left: %v", got)
			}
			s.save("three\n")
			if _, err := h.PlanRemoval(7); !errors.Is(err, ErrNoEntry) {
				t.Errorf("a save that is not kept: %v", err)
			}
			var undamaged *UndamagedError
			for _, number := range []int{1, 2} { // the save before it and the one after it
				if _, err := h.PlanRemoval(number); !errors.As(err, &undamaged) || undamaged.Number != number {
					t.Errorf("save %d, which is whole: %v", number, err)
				}
			}
		})
	}
}

// Names with numbers that no save gets are not ours, stay, and do not overflow
// the next number.
func TestHistoryIgnoresImpossibleNumbers(t *testing.T) {
	s := newSaver(t)
	s.save("one\n")
	h := s.history()
	names := []string{"9223372036854775807.json", "99999999999999999999.before", "7.json"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if o := s.save("two\n"); o.Entry != 2 {
		t.Errorf("the next save has number %d", o.Entry)
	}
	if r := s.Recover(t.Context(), s.path); r.Result != RecoveryNone {
		t.Errorf("recovery %+v", r)
	}
	ignored, err := h.Ignored()
	if err != nil || len(ignored) != len(names) || len(s.entries()) != 2 {
		t.Errorf("ignored %v, %v; entries %+v", ignored, err, s.entries())
	}
	for _, path := range ignored {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	last := h.file(maxNumber, recordKind)
	if err := os.WriteFile(last, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := s.Apply(t.Context(), s.candidate("three\n"), nil); o.Err == nil || !strings.Contains(o.Err.Error(), "--forget 999999999") {
		t.Errorf("a save after the last number: %v", o.Err)
	}
}

// A history that somebody else could have written is not believed: nothing is
// rolled into force from it.
func TestForgedHistory(t *testing.T) {
	for name, forge := range map[string]func(h History, e string) error{
		"state directory": func(h History, _ string) error { return os.Chown(filepath.Dir(h.dir), 65534, 65534) },
		"directory":       func(h History, _ string) error { return os.Chmod(h.dir, 0o777) },
		"record":          func(_ History, record string) error { return os.Chown(record, 65534, 65534) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSaver(t)
			s.save("one\n")
			s.interruptWrite("two\n")
			if err := os.WriteFile(s.path, []byte("one\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			h := s.history()
			if err := forge(h, h.file(2, recordKind)); err != nil {
				t.Fatal(err)
			}
			r := s.Recover(t.Context(), s.path)
			if r.Entry.Number != 0 {
				t.Errorf("recovery %+v", r)
			}
			if got, _ := os.ReadFile(s.path); string(got) != "one\n" {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}
