package tui

import (
	"errors"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/tui/text"
)

// foreign tells what someone else changed in the file since it was read, and
// takes that into the settings; what was typed stays.
func (t *lineTalk) foreign(err error) (stage, error) {
	if !t.tellForeign(err) {
		t.out.say(text.NoReview(err))
		return t.change, nil
	}
	saved, err := t.env.effects.Reviewer.Reread(t.ctx)
	if err != nil {
		t.out.say(text.NotReread(err))
		return t.change, nil
	}
	t.draft.Rebase(saved)
	t.out.say(text.ForeignTaken)
	return t.change, nil
}

// tellForeign tells what someone else changed, if that is what err says.
func (t *lineTalk) tellForeign(err error) bool {
	var changed *hostfile.ChangedError
	if !errors.As(err, &changed) {
		return false
	}
	t.out.say(text.ForeignSince(changed.Path))
	t.lines(t.env.diffLines(changed.Diff(), diffWidth))
	return true
}

// lost is how many changes would be lost by leaving: those that the file does not have,
// whoever saved them.
func (t *lineTalk) lost() int {
	var now *conntrackd.Settings
	if file := t.env.effects.File; file != nil {
		now, _ = file.Elsewhere(t.ctx) // of one that cannot be read nothing is known
	}
	return lost(*t.draft, now)
}
