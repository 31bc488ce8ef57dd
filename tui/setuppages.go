package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/tui/text"
)

// applicationNames are what the applications are called in full.
var applicationNames = [...]string{"link load balancer", "web application firewall", "application delivery controller", "global server load balancer"}

const (
	applicationAsks  = "What is this appliance?"
	applicationHint  = "LLB and \"none of these\" have sync. The answer is written to " + text.ApplicationFile + "."
	noApplication    = "none of these"
	peerLineAsks     = "The line that the other node shows, if that node is set up:"
	peerLineHint     = "Type or paste all of it, from \"connsync apply\" to \"--enable\" (on that node, connsync peer prints it). Press Enter if the other node is not set up yet."
	peerLineQuestion = "Line of the other node:"
	peerLinePieces   = "You can paste the line in pieces, with a prompt before it, or with line breaks."
)

// peerLineQuiet is how long nothing may come after a line end before the line is
// read: a line that is pasted may come in several.
const peerLineQuiet = 400 * time.Millisecond

func (s *setup) pressApplication(k tea.KeyPressMsg) (outcome, tea.Cmd) {
	last := len(applications())
	switch {
	case s.writing:
	case key.Matches(k, formKeys.choose):
		return s.answerApplication()
	case key.Matches(k, formKeys.next, formKeys.right, formKeys.change):
		s.choice = (s.choice + 1) % (last + 1)
	case key.Matches(k, formKeys.prev, formKeys.left):
		s.choice = (s.choice + last) % (last + 1)
	}
	return nil, nil
}

// answerApplication writes the answer down. One that takes connection sync away
// is asked about first: a key too many would lock the appliance out of it.
func (s *setup) answerApplication() (outcome, tea.Cmd) {
	s.problem = ""
	word := ""
	if s.choice < len(applications()) {
		word = applications()[s.choice]
	}
	switch {
	case word == "" && s.stated == "":
		s.goTo(s.at + 1)
		return nil, nil
	case !takesSyncAway(word):
		return nil, s.state(word)
	}
	return dialogWanted{&dialog{
		text: []string{applicationQuestion(word)},
		answers: []answer{
			{label: "No, back", key: "n"},
			{label: "Yes, it is", key: "y", msg: applicationConfirmed{word}},
		},
	}}, nil
}

// takesSyncAway says that an appliance of that application has no connection
// sync; blank is none of them.
func takesSyncAway(word string) bool { return word != "" && word != applications()[0] }

// applicationQuestion asks whether an answer is meant, by its consequence.
func applicationQuestion(word string) string {
	return fmt.Sprintf("Is this appliance a %s (%s)? Connection sync will NOT be offered on it.", applicationNames[slices.Index(applications(), word)], word)
}

// state writes down the application; a blank one takes away what was written.
func (s *setup) state(word string) tea.Cmd {
	s.writing = true
	ctx, to := s.env.ctx, s.options.Appliance
	return func() tea.Msg {
		if to == nil {
			return applicationStated{err: errNoEffect}
		}
		gate, err := to.State(ctx, word)
		return applicationStated{word, gate, err}
	}
}

// noteStated goes on once the application is written down; the way back leads to
// the question again.
func (s *setup) noteStated(msg applicationStated) {
	s.writing = false
	if msg.err != nil {
		s.problem = msg.err.Error()
		return
	}
	s.stated = msg.word
	if s.gate = msg.gate; s.gate == "" {
		s.goTo(s.at + 1)
	}
}

// pressLine takes keys as text. A line end may be part of what is pasted, so it
// counts only when nothing follows it.
func (s *setup) pressLine(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, formKeys.choose):
		return s.typeLine("\n")
	case key.Matches(k, setupKeys.prev):
		return s.back()
	case k.String() == "ctrl+u" || key.Matches(k, formKeys.undo):
		s.typed, s.problem = nil, ""
	case k.String() == "backspace":
		s.typed = s.typed[:max(len(s.typed)-1, 0)]
	case k.String() == "space" || k.String() == "tab":
		return s.typeLine(" ")
	case k.Text != "":
		return s.typeLine(k.Text)
	}
	return nil
}

func (s *setup) typeLine(typed string) tea.Cmd {
	for _, b := range []byte(typed) {
		if len(s.typed) < text.PeerLineMax && b < 0x80 {
			s.typed = append(s.typed, b)
		}
	}
	s.pasting = newRun(s.pasting)
	if !strings.HasSuffix(typed, "\n") {
		return nil
	}
	current := s.pasting
	return tea.Tick(peerLineQuiet, func(time.Time) tea.Msg { return peerLineSettled{current} })
}

// readLine takes the other node's line into the draft and asks for what it
// leaves open.
func (s *setup) readLine() tea.Cmd {
	if strings.TrimSpace(string(s.typed)) == "" {
		s.typed = nil
		s.goTo(s.at + 1)
		return nil
	}
	v, err := text.ParsePeerLine(s.env.table, string(s.typed))
	if err != nil {
		var short *text.ShortPeerLineError
		if s.problem = err.Error(); !errors.As(err, &short) {
			s.problem += " Ctrl+U clears it."
		}
		return nil
	}
	takePeerLine(s.draft, s.env.table, v, s.host)
	s.showProblems(false)
	s.settle()
	s.pasted = true
	s.pages = append(s.pages[:s.at+1], s.open(false)...)
	if i, found := s.host.find(s.draft.Value(conntrackd.FieldInterface)); s.host.known && (!found || newPick(i).refusal != "") {
		s.goToField(conntrackd.FieldInterface)
	} else {
		s.goTo(s.at + 1)
	}
	return s.lookAround()
}

// takePeerLine takes the values that the other node printed for this one. The
// name of the interface is the other node's; here the one is meant that has the
// address, if there is one.
func takePeerLine(d *text.Draft, t conntrackd.SettingTable, v conntrackd.Values, h host) {
	settings, _ := t.Settings(v)
	if on := h.holder(v[conntrackd.FieldInterface], settings); on != "" {
		v = v.With(conntrackd.FieldInterface, on)
	}
	d.Take(v)
}

// holder is the interface that has Current IP; blank where none does, or where
// the named one does.
func (h host) holder(named string, s conntrackd.Settings) string {
	has := func(i netcheck.Interface) bool {
		for _, p := range i.Addresses {
			if p.Addr() == s.Current.Addr().WithZone("") {
				return true
			}
		}
		return false
	}
	if i, found := h.find(named); found && has(i) {
		return ""
	}
	for _, i := range h.list {
		if has(i) && newPick(i).refusal == "" {
			return i.Name
		}
	}
	return ""
}
