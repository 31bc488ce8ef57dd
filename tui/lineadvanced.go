package tui

import (
	"fmt"
	"strconv"

	"connsync/conntrackd"
)

// advancedWord is what all advanced settings are called together.
const advancedWord = "Advanced settings"

// askAdvanced asks whether to ask for the advanced settings too: few need them.
func (t *lineTalk) askAdvanced() (stage, error) {
	answer, err := t.ask(advancedWord + "? [no]:")
	switch {
	case err != nil:
		return nil, err
	case oneOf(answer, "", ".", "n", "no"):
		return t.save, nil
	case answer == "<":
		return t.questions(max(t.before(t.basic), 0)), nil
	case answer == "?":
		t.out.say("Links, transport, what is replicated, and limits: most pairs need none of them changed.")
		t.tellAdvanced()
	case oneOf(answer, "y", "yes"):
		if back, err := t.askFields(t.basic); back || err != nil {
			return t.askAdvanced, err
		}
		return t.save, nil
	default:
		t.out.line(typeYesNo)
	}
	return t.askAdvanced, nil
}

// askFields asks for the fields from the first one on, with their headings, until the
// last or until the rest is to stay; back says that the way led back from the first.
func (t *lineTalk) askFields(first int) (back bool, err error) {
	var told conntrackd.SettingGroup
	for i := first; i < len(t.fields); {
		if group := t.fields[i].Group(); group != told {
			told = group
			t.out.line(string(group) + ":")
		}
		m, err := t.question(i)
		switch {
		case err != nil:
			return false, err
		case m == moveRest:
			return false, nil
		case m == moveBack && i == first:
			return true, nil
		case m == moveBack:
			i--
		default:
			i++
		}
	}
	return false, nil
}

// valued is a field with its value.
func (t *lineTalk) valued(f field) string {
	mark := ""
	if t.draft.Changed(f.Field) {
		mark = " (changed)"
	}
	return f.Label + ": " + valueText(f, t.draft.Value(f.Field)) + mark
}

// tellAdvanced tells the line of the advanced settings in the list of all, and those
// of them that are changed or are not as they are by default.
func (t *lineTalk) tellAdvanced() {
	if t.basic == len(t.fields) {
		return
	}
	t.out.line(fmt.Sprintf("%d %s", t.numbers(), advancedWord))
	for _, f := range t.fields[t.basic:] {
		if t.draft.Changed(f.Field) || advancedText(t.env.table, t.draft, []field{f}) != "" {
			t.out.line("  " + t.valued(f))
		}
	}
}

// numbers is how many the list has.
func (t *lineTalk) numbers() int {
	if t.basic == len(t.fields) {
		return t.basic
	}
	return t.basic + 1
}

func (t *lineTalk) meansAdvanced(answer string) bool {
	return t.basic < len(t.fields) && oneOf(answer, strconv.Itoa(t.numbers()), advancedWord, "advanced")
}
