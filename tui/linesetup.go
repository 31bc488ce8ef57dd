package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// The ways to leave a setup line by line, as the errors of questions that got
// another answer.
var (
	errLater   = errors.New("later")
	errNever   = errors.New("never")
	errNobody  = errors.New("nobody answers")
	errGoneOff = errors.New("no answer for too long")
)

const (
	laterWord = "later"
	neverWord = "never"
)

// setUp is the first stage of a setup: what the appliance is, without an application
// file, then the other node's line, where nothing is set.
func (t *lineTalk) setUp() (stage, error) {
	t.out.say(laterWord + " quits the setup at any question (run " + text.Clean(t.env.called.Command("setup")) + " to continue), " + neverWord + " quits it for good.")
	if p := t.setup.Patience; p > 0 {
		t.out.say(text.BootGoesOn("an answer", p))
	}
	if t.setup.AsksApplication {
		return t.askApplication, nil
	}
	return t.firstQuestion, nil
}

func (t *lineTalk) askApplication() (stage, error) {
	for i, a := range applications() {
		t.out.line(fmt.Sprintf("%d %s  %s", i+1, a, applicationNames[i]))
	}
	t.out.line(fmt.Sprintf("%d %s", len(applications())+1, noApplication))
	t.out.say(applicationHint)
	for {
		answer, err := t.ask(strings.TrimSuffix(applicationAsks, "?") + " (number or word) [" + applications()[0] + "]:")
		if err != nil {
			return nil, err
		}
		word, ok := applicationMeant(answer)
		switch {
		case !ok:
			t.out.line("Type a number from 1 to " + fmt.Sprint(len(applications())+1) + ", or the word.")
			continue
		case word == "":
			return t.firstQuestion, nil
		}
		meant := !takesSyncAway(word)
		if !meant {
			if meant, err = t.meansApplication(word); err != nil {
				return nil, err
			}
		}
		if !meant {
			continue
		}
		gate, err := "", errNoEffect
		if t.setup.Appliance != nil {
			gate, err = t.setup.Appliance.State(t.ctx, word)
		}
		switch {
		case t.ctx.Err() != nil:
			return nil, t.ctx.Err()
		case err != nil:
			t.out.say(err.Error())
			continue
		case gate != "":
			t.gated = true
			t.out.say(gate)
			return nil, nil
		}
		t.stated = word
		return t.firstQuestion, nil
	}
}

// meansApplication asks before the answer is written down; only a yes is one.
func (t *lineTalk) meansApplication(word string) (bool, error) {
	answer, err := t.ask(applicationQuestion(word) + " [y/N]:")
	return oneOf(answer, "y", "yes"), err
}

// applicationMeant is the word of an answer; blank where it is an ordinary
// host's.
func applicationMeant(answer string) (word string, ok bool) {
	all := applications()
	if answer == "" {
		return all[0], true
	}
	for i, a := range all {
		if oneOf(answer, a, fmt.Sprint(i+1)) {
			return a, true
		}
	}
	return "", oneOf(answer, "none", fmt.Sprint(len(all)+1))
}

// firstQuestion tells what is set and asks for the rest.
func (t *lineTalk) firstQuestion() (stage, error) {
	if t.draft.SavedValue(conntrackd.FieldEnabled) != "enable" {
		t.setup.takeAnswers(t.draft)
	}
	if t.setup.Fresh {
		return t.askPeerLine, nil
	}
	t.only = t.openFields(t.draft.SavedValue(conntrackd.FieldEnabled) != "enable")
	t.tellSet("Set already")
	if len(t.only) == 0 {
		t.inForce = true
		return t.awaitPeer, nil
	}
	return t.questions(0), nil
}

// openFields are the fields that are not set, by their index.
func (t *lineTalk) openFields(enabled bool) map[int]bool {
	only := map[int]bool{}
	for i, f := range t.fields {
		switch {
		case f.Field == conntrackd.FieldEnabled:
			only[i] = enabled
		case t.draft.Value(f.Field) == "" && !f.Advanced || t.problemAt(i) != "":
			only[i] = true
		}
		if !only[i] {
			delete(only, i)
		}
	}
	return only
}

// asks says that a field is one to ask for; without a setup all are that every pair
// needs.
func (t *lineTalk) asks(i int) bool { return t.only == nil && i < t.basic || t.only[i] }

// tellSet tells the fields that are not asked for.
func (t *lineTalk) tellSet(title string) {
	for i, f := range t.fields[:t.basic] {
		if !t.asks(i) {
			t.out.line(title + ": " + f.Label + " " + valueText(f, t.draft.Value(f.Field)))
		}
	}
	if told := advancedText(t.env.table, t.draft, t.fields); told != "" {
		t.out.say(title + ": " + told)
	}
}

// askPeerLine asks for what the other node printed, if it is set up.
func (t *lineTalk) askPeerLine() (stage, error) {
	t.out.say(peerLineHint)
	question := peerLineQuestion
	typed := ""
	for {
		answer, err := t.ask(question)
		switch {
		case err != nil:
			return nil, err
		case answer == "?":
			t.out.say(peerLinePieces)
			continue
		case answer == "":
			t.only = nil
			return t.questions(0), nil // nothing, or no more of what was begun
		}
		typed += answer + "\n"
		switch typed, err = t.pasted(typed); {
		case err != nil:
			return nil, err
		case typed == "":
			question = peerLineQuestion
			continue
		}
		v, err := text.ParsePeerLine(t.env.table, typed)
		var short *text.ShortPeerLineError
		switch {
		case errors.As(err, &short):
			t.out.say(err.Error())
			question = "Rest of the line (Enter continues without it):"
			continue
		case err != nil:
			t.out.say(err.Error())
			typed, question = "", peerLineQuestion
			continue
		}
		return t.takePeerLine(v), nil
	}
}

// pasted is typed with what comes at once after it: a paste may be several lines.
// From a pipe everything comes at once, so there only as much is taken as makes
// the line whole. It is blank where a line of it is no answer: nothing is taken then.
func (t *lineTalk) pasted(typed string) (string, error) {
	refused := false
	for {
		_, err := text.ParsePeerLine(t.env.table, typed)
		var short *text.ShortPeerLineError
		unfinished := errors.As(err, &short) || strings.HasSuffix(strings.TrimSpace(typed), `\`)
		if t.out.silent && (refused || !unfinished) {
			break
		}
		line, ok, err := t.in.within(t.ctx, peerLineQuiet)
		if err != nil && !errors.Is(err, errInputEnded) { // the next question says that
			return "", err
		}
		if !ok {
			break
		}
		refused = refused || t.refuses(line)
		typed += line.text + "\n"
	}
	if refused {
		return "", nil
	}
	return typed, nil
}

func (t *lineTalk) takePeerLine(v conntrackd.Values) stage {
	t.readInterfaces()
	takePeerLine(t.draft, t.env.table, v, t.host)
	t.only = t.openFields(false)
	i, found := t.host.find(t.draft.Value(conntrackd.FieldInterface))
	if t.host.known && (!found || newPick(i).refusal != "") {
		for at, f := range t.fields {
			if f.Field == conntrackd.FieldInterface {
				t.only[at] = true
			}
		}
	}
	t.tellSet("Taken")
	return t.questions(0)
}

// leaveUnwanted asks how to leave a setup of which the operator wants nothing.
func (t *lineTalk) leaveUnwanted() error {
	for {
		answer, err := t.ask("Quit the setup: " + laterWord + " or " + neverWord + " [" + laterWord + "], < goes back:")
		switch {
		case err != nil:
			return err
		case answer == "":
			return errLater
		case answer == "<":
			return nil
		}
	}
}

// awaitPeer tells how the sync goes until it goes both ways, as long as the
// operator likes.
func (t *lineTalk) awaitPeer() (stage, error) {
	t.out.say("Waiting for the peer, without a limit. Enter ends the wait; the settings stay.")
	began, told := time.Now(), health.Verdict("")
	for {
		found, _ := t.lookOnce() // its verdict says what is in the way
		if err := t.ctx.Err(); err != nil {
			return nil, err
		}
		if found.Verdict != told {
			told = found.Verdict
			t.out.columns(text.StatusLines(found))
		}
		if told.BothWays() {
			return nil, nil
		}
		_, ok, err := t.in.within(t.ctx, statusEvery)
		limit := t.setup.Patience * peerPatience
		switch {
		case errors.Is(err, errInputEnded):
			return nil, nil
		case err != nil:
			return nil, err
		case ok, limit > 0 && time.Since(began) > limit:
			t.out.say("The sync keeps running; " + text.Clean(t.env.called.Command("status")) + " shows its state.")
			return nil, nil
		}
	}
}

// endSetup says how a setup ended that has set up nothing, and tells the host.
func (t *lineTalk) endSetup(err error) error {
	how, said := Later, text.NothingSetUp(t.stated, t.env.called)
	var unfinished error
	switch {
	case errors.Is(err, errLater), errors.Is(err, errGoneOff):
	case errors.Is(err, errNever):
		how = Never
	case errors.Is(err, errNobody):
		how = Unanswered
	case errors.Is(err, errInputEnded):
		t.out.line("The input ended. " + said)
		return ErrUnfinished
	default:
		said, unfinished = "Ended. "+said, ErrUnfinished
	}
	t.out.line(said)
	if t.setup.Appliance != nil {
		// A context that has ended is the program's to tell.
		_ = t.setup.Appliance.Leave(context.WithoutCancel(t.ctx), how, t.draft.Values())
	}
	return cmp.Or(t.out.err, unfinished)
}
