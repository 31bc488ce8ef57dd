package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

// fakeService is a daemon of which only its turns and its state are asked.
type fakeService struct {
	service.Service
	turns []service.Turn
	state service.State
	err   error
}

func (f fakeService) Turns(context.Context) ([]service.Turn, error) { return f.turns, f.err }
func (f fakeService) State(context.Context) (service.State, error)  { return f.state, nil }

func look(v health.Verdict, pid int, since time.Time) health.Health {
	h := health.Health{Verdict: v, Cause: "why"}
	h.Service = service.State{MainPID: pid, Since: since}
	return h
}

// summary is what a log tells, oldest first, in a word each.
func summary(l Log) (words []string) {
	for i := len(l.Events) - 1; i >= 0; i-- {
		e := l.Events[i]
		words = append(words, strings.TrimSpace(string(e.Kind)+" "+string(e.Verdict)+string(e.Role)+string(e.Turn)))
	}
	return words
}

// A verdict is recorded once it has lasted, with the time when it was first seen; what
// comes between the end of a daemon and its start is none.
func TestRecorderLook(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &Recorder{StateDir: dir}
		began := time.Now()
		for second := range 60 {
			v, pid := health.VerdictTwoWay, 7
			switch {
			case second < 2:
				v = health.VerdictUnknown
			case second == 10:
				v, pid = health.VerdictStopped, 0
			case second > 10 && second < 15:
				v, pid = health.VerdictUnknown, 8
			case second >= 15 && second < 40:
				pid = 8
			case second >= 40:
				v, pid = health.VerdictSilent, 8
			}
			since := began
			if pid == 8 {
				since = began.Add(10 * time.Second)
			}
			if err := r.Look(look(v, pid, since)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		l := Sources{StateDir: dir}.Read(t.Context())
		want := []string{"daemon started", "verdict two-way", "daemon started", "verdict silent"}
		if diff := cmp.Diff(want, summary(l)); diff != "" || l.Unread != nil {
			t.Errorf("%s\n%v", diff, l.Unread)
		}
		if at := l.Events[0].Time.Sub(began); at != 40*time.Second {
			t.Errorf("silent after %v, want 40 s", at)
		}
		if at := l.Since.Sub(began); at != 2*time.Second {
			t.Errorf("known since %v, want 2 s", at)
		}
	})
}

// Several observers keep one record, and none twice; a look at a node where nothing has
// ever happened leaves no trace.
func TestRecorderSettled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	off := look(health.VerdictStopped, 0, time.Time{})
	off.Off = true
	if err := (&Recorder{StateDir: dir}).Settled(off); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the look at a node without a sync left a trace")
	}
	since := time.Now().Add(-time.Hour)
	for _, h := range []health.Health{look(health.VerdictTwoWay, 7, since), look(health.VerdictTwoWay, 7, since), look(health.VerdictPartial, 7, since), off, off} {
		if err := (&Recorder{StateDir: dir}).Settled(h); err != nil {
			t.Error(err)
		}
	}
	want := []string{"daemon started", "verdict two-way", "verdict partial", "verdict stopped"}
	if diff := cmp.Diff(want, summary(Sources{StateDir: dir}.Read(t.Context()))); diff != "" {
		t.Error(diff)
	}
	if err := (&Recorder{StateDir: dir}).Settled(look(health.VerdictTwoWay, 7, since)); err != nil {
		t.Error(err)
	}
	if e := (Sources{StateDir: dir}).Read(t.Context()).Events[0]; e.Before != health.VerdictStopped || !e.OffBefore || e.Off {
		t.Errorf("%+v, want that it was off", e)
	}
	if err := os.Chmod(filepath.Join(dir, verdictsName), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := (&Recorder{StateDir: dir}).Settled(look(health.VerdictSilent, 7, since)); err == nil {
		t.Error("a file that others may write to was written to")
	}
	if l := (Sources{StateDir: dir}).Read(t.Context()); len(l.Unread) != 1 || l.Unread[0].Source != verdictsName {
		t.Errorf("%v could not be read, want %s", l.Unread, verdictsName)
	}
}

// The record is bounded: the full file is kept as .1, and the one before that goes.
func TestRecorderIsBounded(t *testing.T) {
	dir, since := t.TempDir(), time.Now()
	path := filepath.Join(dir, verdictsName)
	for round := range 3 {
		line := fmt.Sprintf(`{"time":"2026-11-2%dT12:00:00Z","verdict":"silent","pid":7}`+"\n", round)
		if err := os.WriteFile(path, []byte(strings.Repeat(line, verdictsMax/len(line))), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, v := range []health.Verdict{health.VerdictTwoWay, health.VerdictPartial} {
			if err := (&Recorder{StateDir: dir}).Settled(look(v, 7, since)); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v: %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Size() > verdictsMax+1024 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info, err)
		}
	}
	l := Sources{StateDir: dir}.Read(t.Context())
	if got := l.Since.Day(); got != 22 || l.Events[0].Verdict != health.VerdictPartial {
		t.Errorf("known since the %dth, at last %s", got, l.Events[0].Verdict)
	}
}

// Each start is there once, whoever tells of it, and each call of the hook.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 11, 28, 14, 2, 10, 0, time.UTC)
	log := "2026-11-28T14:03:10Z [11] failover primary: ok Commit\n" +
		"2026-11-28T14:03:10Z [12] failover backup: waits\n" +
		"2026-11-28T14:03:11Z [11] failover primary: Primary: 20 connections\n" +
		"2026-11-28T14:03:12Z [12] failover backup: superseded\n" +
		"cut off"
	daemonLog := "[" + at.Add(2*time.Second).Local().Format(time.ANSIC) + "] (pid=8) [notice] initialization completed\n" +
		"[" + at.Add(time.Hour).Local().Format(time.ANSIC) + "] (pid=8) [notice] ---- shutdown received ----\n"
	for name, content := range map[string]string{failover.LogName: log, "daemon.log": daemonLog} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := fakeService{turns: []service.Turn{{Time: at.Add(time.Second), What: service.TurnStarted}}, state: service.State{Since: at}}
	l := Sources{StateDir: dir, Service: s, LogFile: filepath.Join(dir, "daemon.log")}.Read(t.Context())
	want := []string{"daemon started", "failover primary", "failover backup", "daemon stopped"}
	if diff := cmp.Diff(want, summary(l)); diff != "" || l.Unread != nil {
		t.Errorf("%s\n%v", diff, l.Unread)
	}
	for _, e := range l.Events {
		if e.Role == failover.RolePrimary && e.Cause != "Primary: 20 connections" {
			t.Errorf("it ended with %q", e.Cause)
		}
	}
	s.state.Since = at.Add(time.Hour + 1234567)
	if e := (Sources{StateDir: t.TempDir(), Service: s}).Read(t.Context()).Events[0]; !e.Time.Equal(at.Add(time.Hour + time.Millisecond)) {
		t.Errorf("started at %v, want whole milliseconds", e.Time)
	}
	s.err = errors.New("not allowed")
	if l := (Sources{StateDir: dir, Service: s}).Read(t.Context()); len(l.Unread) != 1 || l.Unread[0].Source != "journal" {
		t.Errorf("%v, want the journal", l.Unread)
	}
}
