package tui

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/likely"
	"connsync/tui/text"
)

// move is where an answer leads.
type move int

const (
	moveOn move = iota
	moveBack
	moveRest // keep all further values
)

// hostPatience is how long a question waits for what the host has to say.
const hostPatience = 3 * time.Second

// question asks for one field until the answer is good or leads elsewhere.
func (t *lineTalk) question(i int) (move, error) {
	f := t.fields[i]
	t.look(f)
	offer := t.offer(f)
	for {
		answer, err := t.ask(prompt(f, t.draft.Value(f.Field), offer))
		if err != nil {
			return moveOn, err
		}
		switch answer {
		case "<":
			return moveBack, nil
		case "?":
			t.explain(f)
			continue
		}
		rest := answer == "."
		if answer == "" || rest {
			answer = t.draft.Value(f.Field)
			if offer != "" {
				answer = offer
			}
		}
		before := *t.draft
		if problem := t.take(f, answer); problem != "" {
			*t.draft = before
			t.out.say(problem)
			continue
		}
		t.advise(f)
		if rest {
			return moveRest, nil
		}
		return moveOn, nil
	}
}

// prompt is the question for a field, with what Enter would give in brackets.
func prompt(f field, value, offer string) string {
	q := f.Label
	switch f.Kind {
	case conntrackd.SwitchSetting:
		yes, no := f.letters()
		q += " (" + yes + " or " + no + ")"
	case conntrackd.ChoiceSetting:
		q += " (" + strings.Join(f.Words, ", ") + ")"
	case conntrackd.InterfaceSetting:
		q += " (number or name)"
	}
	switch {
	case offer != "":
		return q + ", suggested [" + offer + "]:"
	case value != "" || f.Optional:
		return q + " [" + valueText(f, value) + "]:"
	}
	return q + ":"
}

// letters are what is typed for the two words of a switch: their first letters,
// or the words where these are the same.
func (f field) letters() (yes, no string) {
	yes, no = f.Word(true), f.Word(false)
	if yes[0] == no[0] {
		return yes, no
	}
	return yes[:1], no[:1]
}

// valueText is a value as people say it.
func valueText(f field, value string) string {
	switch {
	case f.Kind == conntrackd.SwitchSetting && slices.Contains(f.Words, value):
		return f.title(value)
	case f.left(value):
		return conntrackd.DefaultWord
	case value == "" && f.Field == conntrackd.FieldEnabled:
		return text.Unknown // to everybody
	case value == "":
		return "blank"
	}
	return value
}

// explain is the help of a field: its rule, default and an example.
func (t *lineTalk) explain(f field) {
	for _, l := range f.About {
		t.out.say(l)
	}
	if f.Kind == conntrackd.InterfaceSetting {
		t.listInterfaces()
	}
	t.out.say(defaultOf(f))
	t.out.say(exampleOf(f))
	if t.draft.Changed(f.Field) {
		t.out.say("Saved: " + valueText(f, t.draft.SavedValue(f.Field)))
	}
}

// look asks the host what a question is about, and tells it.
func (t *lineTalk) look(f field) {
	switch {
	case f.Field == conntrackd.FieldInterface:
		t.readInterfaces()
		wanted := t.draft.Enabled() || t.draft.Value(f.Field) == ""
		if wanted && (!t.told || !reflect.DeepEqual(t.host.list, t.toldList)) {
			t.listInterfaces()
		}
	case !t.host.known && t.host.err == nil: // that question was passed over
		t.readInterfaces()
	}
	if f.Field == conntrackd.FieldPeerIP {
		t.findNeighbours()
	}
	if f.Kind == conntrackd.AddressSetting {
		if all := t.suggestions(f); len(all) > 1 {
			t.out.say("Possible: " + strings.Join(all[:min(len(all), 5)], ", "))
		}
	}
}

// offer is what Enter takes where the field holds nothing good; blank when it
// takes the value itself.
func (t *lineTalk) offer(f field) string {
	if t.draft.Value(f.Field) != "" && t.draft.Problem(f.Field) == "" {
		return ""
	}
	switch f.Kind {
	case conntrackd.InterfaceSetting:
		if t.draft.Value(f.Field) == "" {
			return t.likeliest().Only()
		}
	case conntrackd.AddressSetting:
		if all := t.suggestions(f); len(all) > 0 {
			return all[0]
		}
	}
	return ""
}

func (t *lineTalk) suggestions(f field) []string {
	on, _ := t.host.find(t.draft.Value(conntrackd.FieldInterface))
	neighbours := t.host.seen
	if on.Index != t.host.seenOn {
		neighbours = nil
	}
	all := t.draft.Suggestions(f.Field, on, neighbours)
	slices.Sort(all[min(len(all), 1):])
	return slices.Compact(all)
}

// take puts an answer into the draft and says why it cannot be used.
func (t *lineTalk) take(f field, answer string) (problem string) {
	if len(answer) > f.limit() {
		return fmt.Sprintf("That is too long: %d characters, at most %d.", len(answer), f.limit())
	}
	switch f.Kind {
	case conntrackd.SwitchSetting:
		answer = strings.ToLower(answer)
		if answer == "" && f.Field == conntrackd.FieldEnabled {
			break // what is not known stays open
		}
		switch yes, no := f.letters(); answer {
		case yes, "y":
			answer = f.Words[0]
		case no, "n":
			answer = f.Words[1]
		}
		t.draft.Set(f.Field, t.draft.Meaning(f.Field, answer))
	case conntrackd.ChoiceSetting:
		t.draft.Set(f.Field, t.draft.Meaning(f.Field, answer))
	case conntrackd.InterfaceSetting:
		if problem := t.takeInterface(f, answer); problem != "" {
			return problem
		}
	default:
		if answer != t.draft.Value(f.Field) {
			t.draft.Set(f.Field, answer)
		}
	}
	return t.draft.Problem(f.Field)
}

// advise tells what is unusual about an answer that can be used.
func (t *lineTalk) advise(f field) {
	s, _ := t.draft.Settings()
	for _, p := range append(t.host.advice(t.draft.Values(), s), text.Warnings(t.env.table, s)...) {
		if p.Field == f.Field {
			t.out.hang("Note: ", p.Message)
			return
		}
	}
}

// listMax bounds how many interfaces are told at once.
const listMax = 20

// readInterfaces reads the interfaces again, in the order of their numbers.
func (t *lineTalk) readInterfaces() {
	h := host{seen: t.host.seen, seenOn: t.host.seenOn}
	h.list, h.err = firstList(t.ctx, t.env.effects.Interfaces)
	h.known = h.err == nil
	slices.SortFunc(h.list, func(a, b netcheck.Interface) int {
		if a.Loopback != b.Loopback && a.Loopback {
			return 1 // it is not told, and takes no number away
		} else if a.Loopback != b.Loopback {
			return -1
		}
		return naturalCompare(a.Name, b.Name)
	})
	t.host = h
}

// listInterfaces tells the list, which is not told again until it changes or
// is asked for: on a slow line it takes its time.
func (t *lineTalk) listInterfaces() {
	t.told, t.toldList = true, t.host.list
	if t.host.err != nil {
		t.out.say(noInterfaceList + ": " + t.host.err.Error() + ". Type the name.")
		return
	}
	t.tellInterfaces("")
	if alike := t.likeliest().Names; len(alike) > 1 && t.draft.Value(conntrackd.FieldInterface) == "" {
		t.out.say(lookAlike(alike))
	}
}

// firstList is the list of this moment.
func firstList(ctx context.Context, from Interfaces) ([]netcheck.Interface, error) {
	if from == nil {
		return nil, errNoEffect
	}
	ctx, cancel := context.WithTimeout(ctx, hostPatience)
	defer cancel()
	lists, err := from.Watch(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case list, ok := <-lists:
		if ok {
			return slices.Clone(list), nil
		}
		return nil, errNoEffect
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tellInterfaces tells the interfaces in which part occurs, blank for all but
// the loopback, and returns how many they are.
func (t *lineTalk) tellInterfaces(part string) int {
	n := 0
	for i, iface := range t.host.list {
		it := newPick(iface)
		if !strings.Contains(it.search, strings.ToLower(part)) || part == "" && it.Loopback {
			continue
		}
		if n++; n <= listMax {
			number := fmt.Sprintf("%d ", i+1)
			t.out.hang(number, t.env.shown(it.Name)+"  "+t.env.shown(interfaceText(it)))
		}
	}
	if n > listMax {
		t.out.say(fmt.Sprintf("and %d more. Type part of a name, alias or address to filter.", n-listMax))
	}
	return n
}

// interfaceText is what there is to know before an interface is chosen.
func interfaceText(it pick) string {
	facts := []string{text.LinkWord(it.Interface)}
	if it.Carrier {
		facts = append(facts, text.SpeedWord(it.SpeedMbps))
	}
	facts = append(facts, it.Kind)
	own := text.OwnAddresses(it.Interface)
	for _, p := range own[:min(len(own), 3)] {
		facts = append(facts, p.String())
	}
	if len(own) > 3 {
		facts = append(facts, fmt.Sprintf("%d more", len(own)-3))
	}
	against := ""
	switch {
	case it.refusal != "":
		against = "REFUSED: " + it.refusal
	case it.DefaultRoute:
		against = "WARNING: default route here, it carries production traffic"
	case it.Carries != "":
		against = "WARNING: " + it.Carries
	case it.Master != "":
		against = "WARNING: part of " + it.Master + ", choose that"
	}
	alias := ""
	if it.Alias != "" {
		alias = "alias " + it.Alias
	}
	return text.Join("; ", text.Join(", ", facts...), alias, against)
}

// likeliest are the interfaces that look most like the one for the sync; none where
// something speaks against each.
func (t *lineTalk) likeliest() likely.Choice {
	usable := slices.DeleteFunc(slices.Clone(t.host.list), func(i netcheck.Interface) bool { return newPick(i).refusal != "" })
	if c := likely.Of(usable); c.Dedicated {
		return c
	}
	return likely.Choice{}
}

// takeInterface takes a number of the list or a name, and says why it cannot.
func (t *lineTalk) takeInterface(f field, answer string) (problem string) {
	if n, err := strconv.Atoi(answer); err == nil && t.host.known {
		if n < 1 || n > len(t.host.list) {
			return fmt.Sprintf("The list has no number %d; type a number from it, or a name.", n)
		}
		answer = t.host.list[n-1].Name
	}
	i, found := t.host.find(answer)
	switch {
	case found && newPick(i).refusal != "":
		return cannotBeChosen(i.Name, newPick(i).refusal)
	case found && answer != t.draft.Value(f.Field):
		t.draft.ChooseInterface(i)
		return ""
	case found || answer == "":
		return ""
	case t.host.known && t.tellInterfaces(answer) > 0:
		return notOnHost(answer) + "; the names above contain it."
	case t.host.known && t.draft.Enabled() && conntrackd.CheckInterfaceName(answer) == nil:
		return notOnHost(answer) + "; type a number from the list, or a name."
	}
	t.draft.Set(f.Field, answer)
	return ""
}

// findNeighbours looks who is on the interface.
func (t *lineTalk) findNeighbours() {
	i, ok := t.host.find(t.draft.Value(conntrackd.FieldInterface))
	if !ok || t.env.effects.Neighbours == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.ctx, hostPatience)
	defer cancel()
	// Without an answer there is less to suggest, and nothing to tell.
	if neighbours, err := t.env.effects.Neighbours.Neighbours(ctx, i.Index); err == nil {
		t.host.seen, t.host.seenOn = neighbours, i.Index
	}
}
