package tui

import (
	"context"
	"errors"
	"testing"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
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
		d.wants("Someone else changed the file. ctrl+t reloads it; what you have typed stays.", "ctrl+t reload file", "* 4000")
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
