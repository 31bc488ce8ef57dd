package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/plural"
	"connsync/tui/text"
)

// ErrUnfinished says that the line mode ended before what was asked for was
// done: the input ended, the program was told to end, or the last save failed.
// The operator has been told which.
var ErrUnfinished = errors.New("not finished")

// LineOptions are what the line mode starts from. Glyphs and Theme are not
// used: it writes ASCII.
type LineOptions struct {
	Options
	In  io.Reader
	Out io.Writer
	// Width is the width of the paper, where prose is broken; 0 breaks nothing.
	Width int
	// Silent says that nothing echoes what is typed, as with a pipe, so that
	// the line of a question is ended by the program.
	Silent bool
	// Hint is one line to begin with; blank is none.
	Hint string
}

// lineTalk is the line mode: the fields, checks, review, steps and status of
// the screens as a dialogue of lines. All questions go through one reader. It
// is used by one goroutine.
type lineTalk struct {
	env    *env
	ctx    context.Context
	in     *lineReader
	out    *lineWriter
	fields []field // the advanced ones last
	basic  int     // how many stand before those
	draft  *text.Draft
	host   host
	// toldList is the list of interfaces that has been told, once told.
	told     bool
	toldList []netcheck.Interface
	// inForce says that what was asked for last is done, failed that a save was
	// not possible.
	inForce, failed bool
	// gated says that connection sync is not offered here: no field is asked for.
	gated   bool
	setup   *Setup              // nil where this is none
	stated  string              // the application that this one has written down; blank for none
	only    map[int]bool        // the fields of a setup that are asked for; nil is all
	answers int                 // that have come
	found   conntrackd.Settings // in force at the start
}

// stage is a part of the dialogue; it returns the next one, nil at the end.
// An error is that of a question that got no answer.
type stage func() (stage, error)

// TalkLines runs the line mode until the operator quits, the input ends or
// Options.Context is done. Nothing but printable ASCII and newlines is
// written, nothing is saved that was not agreed to, and a save that has begun
// is completed or rolled back. It returns nil, [ErrUnfinished], or the error of
// a write.
func TalkLines(o LineOptions) error {
	ctx := o.Context
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.Glyphs, o.Theme = ASCIIGlyphs(), PlainTheme()
	e := o.env(ctx)
	basic := fields(e.table)
	t := &lineTalk{
		env: e, ctx: ctx, in: newLineReader(o.In), out: newLineWriter(e, o.Out, o.Width, o.Silent),
		fields: append(basic, advancedFields(e.table)...), basic: len(basic), draft: text.NewDraft(e.table, o.Saved), found: o.Saved,
	}
	defer t.in.close()
	o.forget(t.draft)
	first := t.questions(0)
	if t.gated = o.Gate != ""; t.gated {
		t.out.say(o.Gate)
		if !o.StillEnabled {
			return ErrUnfinished
		}
		first = t.disableStillEnabled
	} else {
		t.greet(o)
		if t.setup = o.Setup; t.setup != nil {
			first, t.inForce = t.setUp, o.Saved.Enabled && o.Saved.Complete() && !o.Setup.Fresh
		}
	}
	return t.end(t.run(first))
}

// run goes from stage to stage.
func (t *lineTalk) run(next stage) (err error) {
	for next != nil && err == nil {
		next, err = next()
	}
	return err
}

// disableStillEnabled offers to disable a sync that is enabled where there should be none.
func (t *lineTalk) disableStillEnabled() (stage, error) {
	t.out.say(stillEnabledText)
	t.failed = true // until it is disabled
	sure, err := t.agreed("Disable it? " + shownFirst)
	if err != nil || !sure {
		return nil, err
	}
	s := t.found
	s.Enabled = false
	return t.review(s, false), nil
}

func (t *lineTalk) greet(o LineOptions) {
	if o.Hint != "" {
		t.out.say(o.Hint)
	}
	t.out.say(text.Join(" on ", "Connection Sync Settings", o.Hostname) + ": " + o.state() + ".")
	if o.HalfEnabled != "" {
		t.out.say(halfNote(o.HalfEnabled))
	}
	if o.ReadOnly != "" {
		t.out.say(o.ReadOnly)
	}
	if o.Notice != "" {
		t.out.say(o.Notice)
	}
	t.out.say("Enter keeps the value in brackets, . keeps all the others, < goes back, ? explains. Nothing is saved before you agree. Ctrl+C quits.")
}

// end says what becomes of what was not saved.
func (t *lineTalk) end(err error) error {
	switch {
	case t.out.err != nil:
		return t.out.err
	case err == nil && t.failed:
		return ErrUnfinished
	case err == nil:
		return nil
	}
	if t.setup != nil && !t.inForce && !t.failed {
		return t.endSetup(err)
	}
	why := "Ended."
	if errors.Is(err, errInputEnded) {
		why = "The input ended."
	}
	switch n := len(t.draft.Changes()); {
	case t.failed:
		t.out.line(why)
	case !t.inForce:
		t.out.line(why + " Nothing was saved.")
	case n > 0:
		t.out.line(fmt.Sprintf("%s What was saved stays; %s not saved.", why, plural.Of(n, "later change was", "later changes were")))
	default:
		t.out.line(why)
		return nil
	}
	return ErrUnfinished
}

// refuses says why a line is no answer, if it is none.
func (t *lineTalk) refuses(line typedLine) bool {
	switch {
	case line.strange:
		t.out.line("That line contained non-text keys, such as arrows. Type it again.")
	case line.long:
		t.out.line("That line is too long. Type it again.")
	}
	return line.strange || line.long
}

// ask puts a question and returns the answer, "" for Enter alone.
func (t *lineTalk) ask(question string) (string, error) {
	for {
		t.out.ask(question)
		line, err := t.nextLine()
		switch {
		case err != nil:
			return "", err
		case t.out.err != nil:
			return "", t.out.err
		}
		t.out.answered()
		switch {
		case t.refuses(line):
		case t.setup != nil && oneOf(line.text, laterWord):
			return "", errLater
		case t.setup != nil && oneOf(line.text, neverWord):
			return "", errNever
		default:
			return line.text, nil
		}
	}
}

// nextLine waits for a line; in a setup that is to let a boot go on not for ever.
func (t *lineTalk) nextLine() (typedLine, error) {
	if t.setup == nil || t.setup.Patience <= 0 {
		return t.in.next(t.ctx)
	}
	line, ok, err := t.in.within(t.ctx, t.setup.Patience)
	switch {
	case err == nil && !ok && t.answers == 0:
		err = errNobody
	case err == nil && !ok:
		err = errGoneOff
	}
	t.answers++
	return line, err
}

// state asks the operator to state something by a yes in full, for what nobody
// should say by habit.
func (t *lineTalk) state(what string) (bool, error) {
	t.out.hang("Please confirm: ", what)
	for {
		answer, err := t.ask("Type yes to confirm, or Enter for no:")
		switch {
		case err != nil:
			return false, err
		case strings.EqualFold(answer, "yes"):
			return true, nil
		case oneOf(answer, "", "no", "n", "<"):
			return false, nil
		}
		t.out.line("Type yes in full, or Enter for no.")
	}
}

// oneOf compares without regard to case.
func oneOf(answer string, choices ...string) bool {
	for _, c := range choices {
		if strings.EqualFold(answer, c) {
			return true
		}
	}
	return false
}

// questions asks every field from the one at from on, then goes on to the save.
func (t *lineTalk) questions(from int) stage {
	return func() (stage, error) {
		rest := false
		for i := from; i < len(t.fields); {
			if !t.asks(i) || rest && t.problemAt(i) == "" {
				i++
				continue
			}
			m, err := t.question(i)
			before := t.before(i)
			switch {
			case err != nil:
				return nil, err
			case m == moveBack && before < 0 && t.setup != nil:
				return t.firstQuestion, nil
			case m == moveBack && before < 0:
				return t.menu, nil
			case m == moveBack:
				i, rest = before, false
				continue
			case t.setup != nil && t.fields[i].Field == conntrackd.FieldEnabled && !t.draft.Enabled():
				if err := t.leaveUnwanted(); err != nil {
					return nil, err
				}
				continue
			}
			rest = rest || m == moveRest
			i++
		}
		if rest || t.setup != nil || t.basic == len(t.fields) {
			return t.save, nil
		}
		return t.askAdvanced, nil
	}
}

// before is the field that is asked for before i; negative where none is.
func (t *lineTalk) before(i int) int {
	for i--; i >= 0 && !t.asks(i); i-- {
	}
	return i
}

func (t *lineTalk) problemAt(i int) string { return t.draft.Problem(t.fields[i].Field) }

// change asks for single fields by their number or name, then saves.
func (t *lineTalk) change() (stage, error) {
	if t.gated {
		return nil, nil
	}
	for i, f := range t.fields[:t.basic] {
		t.out.line(fmt.Sprintf("%d %s", i+1, t.valued(f)))
	}
	t.tellAdvanced()
	for {
		answer, err := t.ask("Change (number or name; Enter continues, q quits):")
		if err != nil {
			return nil, err
		}
		i, why := t.fieldNamed(answer)
		switch {
		case answer == "":
			return t.save, nil
		case t.meansAdvanced(answer):
			if _, err := t.askFields(t.basic); err != nil {
				return nil, err
			}
		case oneOf(answer, "q", "quit"):
			return t.quit, nil
		case answer == "<":
			return t.questions(t.basic - 1), nil
		case answer == "?":
			t.out.say("A number or a name asks that question again. Enter checks the settings and shows the change. < goes back through the questions, q quits without saving.")
		case why != "":
			t.out.say(why)
		default:
			if _, err := t.question(i); err != nil {
				return nil, err
			}
		}
	}
}

// fieldNamed finds a field by its number, or by a part of its name that no
// other has; why says why there is none.
func (t *lineTalk) fieldNamed(answer string) (i int, why string) {
	if n, err := strconv.Atoi(answer); err == nil {
		if n >= 1 && n <= t.basic {
			return n - 1, ""
		}
		return 0, fmt.Sprintf("Number %d is not in the list; the numbers are 1 to %d.", n, t.numbers())
	}
	var found []int
	for i, f := range t.fields {
		if strings.EqualFold(answer, f.Label) || strings.EqualFold(answer, f.Short) || strings.EqualFold(answer, string(f.Field)) {
			return i, ""
		}
		// A part means an advanced field where it means no other.
		part := strings.Contains(strings.ToLower(f.Label), strings.ToLower(answer))
		if part && (i < t.basic || len(found) == 0 || found[0] >= t.basic) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return 0, "Unknown field " + answer + "; type its number."
	case 1:
		return found[0], ""
	}
	return 0, answer + " matches more than one field; type the number."
}

// fix asks the field of a problem again.
func (t *lineTalk) fix(p conntrackd.Problem) (stage, error) {
	for i, f := range t.fields {
		if f.Field != p.Field {
			continue
		}
		t.out.say(f.Label + ": " + p.Message)
		m, err := t.question(i)
		if m == moveBack || err != nil {
			return t.change, err
		}
		return t.save, nil
	}
	t.out.say(string(p.Field) + ": " + p.Message)
	return t.change, nil
}
