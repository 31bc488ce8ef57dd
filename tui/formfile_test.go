package tui

import (
	"context"
	"errors"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

// foreignFile is a File that somebody else has changed, once there are settings.
type foreignFile struct {
	settings *conntrackd.Settings
	err      error
}

func (f *foreignFile) Elsewhere(context.Context) (*conntrackd.Settings, error) {
	return f.settings, f.err
}

// onFile opens the form on the settings of a pair, with a file that others change.
func onFile(t *testing.T, file *foreignFile, reviewer fakeReviewer, do func(d *driver)) {
	t.Helper()
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{File: file, Reviewer: reviewer}}, 80, 24, func(d *driver) {
		d.do(d.m.Init())
		d.wait(2 * fileEvery)
		d.lacks("Someone else")
		do(d)
	})
}

// The form says that somebody else has saved, and takes that with a key; what was typed
// stays.
func TestFormFollowsTheFile(t *testing.T) {
	elsewhere := pairSettings()
	elsewhere.Port, elsewhere.SendBuffer, elsewhere.ReceiveBuffer = 3790, 131072, 131072
	file := &foreignFile{}
	onFile(t, file, fakeReviewer{saved: elsewhere}, func(d *driver) {
		d.press("tab", "tab", "tab", "tab", "ctrl+u", "4", "0", "0", "0")
		file.err = errors.New("half written")
		d.wait(fileEvery)
		d.lacks("Someone else")
		file.settings, file.err = &elsewhere, nil
		before := d.content()
		d.wait(fileEvery)
		d.wants("Someone else changed the file. ctrl+t reloads the settings; what you have typed stays.", "ctrl+t reload file", "* 4000")
		shown := d.content()
		if before == shown {
			t.Error("nothing was drawn")
		}
		d.wait(10 * fileEvery)
		if d.content() != shown {
			t.Errorf("it is drawn again and again:\n%s", d.content())
		}
		file.settings = nil
		d.press("ctrl+t")
		d.lacks("Someone else", "ctrl+t")
		d.wants("* 4000", "131072")
		d.press("ctrl+r")
		d.wants("3790")
	})
}

// What somebody else has saved in the same words is not lost by leaving.
func TestNothingIsLostThatIsSavedElsewhere(t *testing.T) {
	elsewhere := pairSettings()
	elsewhere.Port = 3790
	file := &foreignFile{}
	onFile(t, file, fakeReviewer{}, func(d *driver) {
		d.press("tab", "tab", "tab", "tab", "ctrl+u", "3", "7", "9", "0", "tab", "ctrl+u", "6", "4", "K", "tab")
		file.settings = &elsewhere
		d.wait(fileEvery)
		if _, ok := d.m.askQuit()().(tea.QuitMsg); !ok {
			t.Errorf("what is in the file is asked about:\n%s", d.content())
		}
	})
}

// A sync that somebody else has turned off, or on, is told too.
func TestFormFollowsTheSwitch(t *testing.T) {
	for name, tt := range map[string]struct {
		enabled bool
		seen    health.Health
		want    string
	}{
		"off":      {true, health.Health{Verdict: health.VerdictStopped, Off: true}, "Someone else turned sync off. ctrl+t"},
		"on":       {false, health.Health{Verdict: health.VerdictTwoWay, Service: service.State{Enabled: true}}, "Someone else turned sync on. ctrl+t"},
		"as it is": {true, health.Health{Verdict: health.VerdictTwoWay}, ""},
		"crashed":  {true, health.Health{Verdict: health.VerdictStopped}, ""},
		"still":    {false, health.Health{Verdict: health.VerdictStopped, Off: true}, ""},
	} {
		saved := pairSettings()
		saved.Enabled = tt.enabled
		now := saved
		now.Enabled = !saved.Enabled
		o := Options{Glyphs: ASCIIGlyphs(), Saved: saved, Effects: Effects{
			Reviewer: fakeReviewer{saved: now},
			Observer: &fakeObserver{at: func(time.Duration) (health.Health, error) { return tt.seen, nil }},
		}}
		driveAsIs(t, o, 80, 24, func(d *driver) {
			d.do(d.m.Init())
			d.wait(2 * pulseEvery)
			if tt.want == "" {
				d.lacks("Someone else")
				return
			}
			d.wants(tt.want)
			d.press("space") // as the other did
			if n := d.m.form.lost(); n != 0 {
				t.Errorf("%s: %d changes would be lost", name, n)
			}
			d.press("ctrl+t")
			d.lacks("Someone else")
			if d.m.form.draft.Enabled() == tt.enabled || d.m.form.draft.Dirty() {
				t.Errorf("%s: not taken\n%s", name, d.content())
			}
		})
	}
}

// A file that cannot be read again is told, and the form stays as it is.
func TestReloadThatFails(t *testing.T) {
	elsewhere := pairSettings()
	elsewhere.Port = 3790
	file := &foreignFile{}
	onFile(t, file, fakeReviewer{rereadErr: errors.New("line 7: unexpected }")}, func(d *driver) {
		file.settings = &elsewhere
		d.wait(fileEvery)
		d.press("ctrl+t")
		d.wants("It could not be read again: line 7: unexpected }", "[ Back ]")
		d.press("enter")
		d.wants("Someone else changed the file.", "3780")
	})
}

// A look that began before the form was filled again says nothing of the file now.
func TestLookOfBeforeASaveIsLeftOut(t *testing.T) {
	other := pairSettings()
	f := &form{env: &env{ctx: t.Context(), effects: Effects{File: &foreignFile{settings: &other}}}}
	_, look := f.updateFile(fileDue{})
	before := look()
	f.filled++
	if f.updateFile(before); f.elsewhere != nil {
		t.Error("the form takes its own save for somebody else's")
	}
	_, look = f.updateFile(fileDue{})
	if f.updateFile(look()); f.elsewhere == nil {
		t.Error("a later look says nothing")
	}
}
