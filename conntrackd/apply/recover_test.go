package apply

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/hostfile/hostfiletest"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
)

// interrupt carries a save as far as do goes, and leaves it there, as a kill
// would; the lock goes with the process.
func interruptSave(n *pairtest.Node, c *conntrackd.Candidate, do ...func(*transaction) error) {
	n.T.Helper()
	n.Do(func() error {
		t := newTransaction(applierOf(n), c, nil)
		defer t.cleanUp()
		unlock, err := t.lock(n.T.Context())
		if err != nil {
			return err
		}
		defer unlock()
		for _, step := range do {
			if err := step(t); err != nil {
				return err
			}
		}
		return nil
	})
}

func toKeepOld(t *transaction) error { return t.keepOld() }
func toWrite(t *transaction) error   { return t.write(context.Background()) }
func toServe(t *transaction) error   { return t.serve(context.Background()) }
func toStop(t *transaction) error    { return t.service.Stop(context.Background()) }
func toRestored(t *transaction) error {
	return t.restoreFile()
}

func recoverSave(n *pairtest.Node) (r Recovery) {
	n.Do(func() error {
		r = applierOf(n).Recover(n.T.Context(), n.ConfigPath())
		return nil
	})
	return r
}

// Whatever the moment at which a save was interrupted, the next start finds
// it, leaves the whole old or the whole new file with a daemon that runs it,
// and finds nothing the time after.
func TestRecover(t *testing.T) {
	tests := []struct {
		name   string
		first  bool // there was no file and no daemon before
		do     []func(*transaction) error
		result RecoveryResult
		isNew  bool
	}{
		{"kept the old file", false, []func(*transaction) error{toKeepOld}, RecoveryUnchanged, false},
		{"wrote the file", false, []func(*transaction) error{toWrite}, RecoveryRolledBack, false},
		{"stopped the daemon", false, []func(*transaction) error{toWrite, toStop}, RecoveryRolledBack, false},
		{"restarted the daemon", false, []func(*transaction) error{toWrite, toServe}, RecoveryInForce, true},
		{"rolled the file back", false, []func(*transaction) error{toWrite, toServe, toRestored}, RecoveryRolledBack, false},
		{"rolled the file back, stopped", false, []func(*transaction) error{toWrite, toStop, toRestored}, RecoveryRolledBack, false},
		{"first save, kept nothing", true, []func(*transaction) error{toKeepOld}, RecoveryUnchanged, false},
		{"first save, wrote the file", true, []func(*transaction) error{toWrite}, RecoveryRolledBack, false},
		{"first save, in force", true, []func(*transaction) error{toWrite, toServe}, RecoveryInForce, true},
		{"first save, took the file away", true, []func(*transaction) error{toWrite, toServe, toRestored}, RecoveryRolledBack, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, _ := pairtest.New(t)
			if !tt.first {
				mustApply(a, a.Settings)
			}
			old, err := hostfile.Read(a.ConfigPath())
			if err != nil {
				t.Fatal(err)
			}
			other := a.Settings
			other.Port = 3999
			c := candidateOf(a, other)
			interruptSave(a, c, tt.do...)

			r := recoverSave(a)
			if r.Result != tt.result || r.Err != nil {
				t.Fatalf("recovery %q, %v; want %q", r.Result, r.Err, tt.result)
			}
			want, settings := old, a.Settings
			if tt.isNew {
				want, settings = c.New, other
			}
			if got, err := hostfile.Read(a.ConfigPath()); err != nil || !hostfile.Same(got, want) {
				t.Errorf("the file, %v (-want +got):\n%s", err, cmp.Diff(string(want), string(got)))
			}
			if active := a.State().Active; active != (want != nil) {
				t.Errorf("a daemon runs: %t", active)
			}
			if want != nil {
				if got := SocketsOf(a, settings); !got.Bound {
					t.Errorf("sockets %+v", got)
				}
			}
			e, err := OpenHistory(applierOf(a).StateDir).Entry(r.Entry.Number)
			if err != nil || e.Outcome != EntryInterrupted || e.Repair != tt.result || e.InForce() != tt.isNew {
				t.Errorf("entry %+v, %v", e, err)
			}
			before := a.State()
			if again := recoverSave(a); again.Result != RecoveryNone {
				t.Errorf("found again: %+v", again)
			}
			if a.State().MainPID != before.MainPID {
				t.Error("the second start touched the daemon")
			}
		})
	}
}

// A save that was under way when another process died repairs first; what was
// prepared before the repair is not written over it.
func TestApplyRepairsFirst(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	other := a.Settings
	other.Port = 3999
	interruptSave(a, candidateOf(a, other), toWrite)
	prepared := candidateOf(a, a.Settings) // its old file is the one that was not finished
	prepared.New = append(prepared.New, "# more\n"...)
	o := applyOn(t.Context(), a, applierOf(a), prepared)
	if _, ok := o.Err.(*hostfile.ChangedError); !ok {
		t.Errorf("outcome %v", o.Err)
	}
	if got := SocketsOf(a, a.Settings); !got.Bound {
		t.Errorf("sockets %+v", got)
	}
	o = applyOn(t.Context(), a, applierOf(a), candidateOf(a, other))
	if o.Err != nil || strings.Contains(statuses(o), "failed") {
		t.Errorf("the save after it: %v", o.Err)
	}
}

func TestRecoverLeavesAlone(t *testing.T) {
	t.Run("a foreign change", func(t *testing.T) {
		s := newSaver(t)
		s.save("one\n")
		s.interruptWrite("two\n")
		if err := os.WriteFile(s.path, []byte("by hand\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := s.Recover(t.Context(), s.path); r.Result != RecoveryForeign || r.Err != nil {
			t.Errorf("recovery %+v", r)
		}
		if got, _ := os.ReadFile(s.path); string(got) != "by hand\n" {
			t.Errorf("the file holds %q", got)
		}
	})
	t.Run("a save at work", func(t *testing.T) {
		s := newSaver(t)
		s.save("one\n")
		s.interruptWrite("two\n")
		lock, err := hostfile.LockWriter(s.RuntimeDir)
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Recover(t.Context(), s.path); r.Result != RecoveryNone {
			t.Errorf("recovery %+v", r)
		}
		lock.Close()
		if r := s.Recover(t.Context(), s.path); r.Result != RecoveryInForce {
			t.Errorf("recovery after the work: %+v", r)
		}
	})
	t.Run("another file", func(t *testing.T) {
		s := newSaver(t)
		s.interruptWrite("two\n")
		if r := s.Recover(t.Context(), s.path+".other"); r.Result != RecoveryNone {
			t.Errorf("recovery %+v", r)
		}
		c := s.candidate("three\n")
		c.Path += ".other"
		if said, err := newTransaction(&s.Applier, c, nil).repairFirst(t.Context()); said != "" || err != nil {
			t.Errorf("a save of another file says %q, %v", said, err)
		}
	})
	t.Run("another service", func(t *testing.T) {
		s := newSaver(t)
		s.interruptWrite("two\n")
		s.Service = &service.Direct{Config: s.path}
		if r := s.Recover(t.Context(), s.path); r.Result != RecoveryOther {
			t.Errorf("recovery %+v", r)
		}
		if got := s.entries()[0]; got.Outcome != EntryPending {
			t.Errorf("entry %+v", got)
		}
	})
}

// interruptWrite leaves a save right after its write.
func (s *saver) interruptWrite(content string) {
	s.t.Helper()
	t := newTransaction(&s.Applier, s.candidate(content), nil)
	unlock, err := t.lock(s.t.Context())
	if err == nil {
		err = t.write(s.t.Context())
		unlock()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// What a kill left before the record was written is swept, and told.
func TestRecoverSweeps(t *testing.T) {
	s := newSaver(t)
	s.save("one\n")
	h := s.history()
	for _, name := range []string{".000002.before.connsync-ABCDEFGHIJKLMNOPQRSTUVWXYZ", "000002.before", "000002.after"} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.Recover(t.Context(), s.path); r.Result != RecoveryUnchanged || r.Entry.Number != 0 {
		t.Errorf("recovery %+v", r)
	}
	if diff := cmp.Diff([]string{"000001.after", "000001.json"}, hostfiletest.Listing(t, h.dir)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if r := s.Recover(t.Context(), s.path); r.Result != RecoveryNone {
		t.Errorf("recovery %+v", r)
	}
}

// Host changes of an interrupted save that is not in force are told; those of an
// earlier save are not its own.
func TestRecoverTellsOfHostChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		result        RecoveryResult
		earlier, told bool
	}{
		"left alone": {RecoveryForeign, false, true}, "in force": {RecoveryInForce, false, false}, "earlier": {RecoveryForeign, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSaver(t)
			s.save("one\n")
			s.interruptWrite("two\n")
			record := filepath.Join(s.StateDir, "prepared.json")
			if err := os.WriteFile(record, []byte("{}"), 0o644); err != nil {
				t.Fatal(err)
			}
			if before := time.Now().Add(-time.Hour); tt.earlier {
				if err := os.Chtimes(record, before, before); err != nil {
					t.Fatal(err)
				}
			}
			if tt.result == RecoveryForeign {
				if err := os.WriteFile(s.path, []byte("by hand\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if r := s.Recover(t.Context(), s.path); r.Result != tt.result || r.HostStays != tt.told {
				t.Errorf("recovery %+v", r)
			}
		})
	}
}

// After a boot, what only ran and was not enabled is not expected to run.
func TestRecoverAfterABoot(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	other := a.Settings
	other.Port = 3999
	interruptSave(a, candidateOf(a, other), toWrite)
	a.Do(func() error { return a.Service.Stop(t.Context()) })
	h := OpenHistory(applierOf(a).StateDir)
	record := h.file(2, recordKind)
	content, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(strings.Replace(string(content), bootID(), "another", 1), `"was": {
    "active": true,
    "enabled": true`, `"was": {
    "active": true,
    "enabled": false`, 1)
	if err := os.WriteFile(record, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := recoverSave(a); r.Result != RecoveryRolledBack || r.Err != nil {
		t.Errorf("recovery %+v", r)
	}
	time.Sleep(50 * time.Millisecond)
	if a.State().Active {
		t.Error("a daemon that the boot had ended was started")
	}
}
