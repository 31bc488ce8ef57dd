package tui

import (
	"context"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/tui/text"
)

// Operation is something that the status screen can have done to the running
// daemon.
type Operation int

// The operations.
const (
	Resync  Operation = iota // request the peer's states and send this node's
	Flush                    // empty the daemon's caches
	Restart                  // restart the daemon, then resync
)

// Operator carries out operations. It says in a sentence what was done and what
// came of it; an error says what was not.
type Operator interface {
	Operate(ctx context.Context, o Operation) (string, error)
}

// operatePatience is how long an operation may take; a restart with a full
// cache takes seconds.
const operatePatience = 30 * time.Second

// offer is how an operation is offered and asked about.
type offer struct {
	binding key.Binding
	title   string
	asks    []string
	button  string
}

var offers = [...]offer{
	Resync: {
		binding: statusKeys.resync, title: "Resync", button: "Resync",
		asks: []string{"Resync now?", "This node asks the peer for all of its states and sends all of its own. On a large table the sync link is busy for a moment."},
	},
	Flush: {
		binding: statusKeys.flush, title: "Flush caches", button: "Flush",
		asks: []string{"Flush the caches of conntrackd?", "The daemon forgets the states of both nodes; the kernel's table stays as it is. Until a resync a failover would lose what only the caches held."},
	},
	Restart: {
		binding: statusKeys.restart, title: "Restart", button: "Restart",
		asks: []string{"Restart conntrackd?", "Sync stops for about a second. The caches start empty; a resync follows at once."},
	},
}

// operationAgreed is the answer that lets an operation begin.
type operationAgreed struct {
	screen    *status
	operation Operation
}

// operated is what came of one.
type operated struct {
	screen    *status
	operation Operation
	text      string
	err       error
}

// operable says that there is a daemon to operate on, and nothing under way.
func (s *status) operable() bool {
	return s.env.effects.Operator != nil && s.pulse.seen && s.pulse.health.Service.Active && !s.operating
}

// pressed returns the question about the operation that a key stands for.
func (s *status) pressed(msg tea.KeyPressMsg) (outcome, bool) {
	for operation := range offers {
		if s.operable() && key.Matches(msg, offers[operation].binding) {
			return dialogWanted{s.question(Operation(operation))}, true
		}
	}
	return nil, false
}

func (s *status) question(operation Operation) *dialog {
	o := offers[operation]
	return &dialog{text: o.asks, answers: []answer{
		{label: "No", key: "n"},
		{label: o.button, key: "y", msg: operationAgreed{s, operation}},
	}}
}

// operate begins an operation. It ends even when the screen is left.
func (s *status) operate(operation Operation) tea.Cmd {
	if !s.operable() {
		return nil
	}
	s.operating = true
	s.note(text.Pending, offers[operation].title+" is under way.")
	parent, operator := s.env.ctx, s.env.effects.Operator
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, operatePatience)
		defer cancel()
		text, err := operator.Operate(ctx, operation)
		return operated{s, operation, text, err}
	}
}

// took shows what came of an operation, and looks at once.
func (s *status) took(msg operated) tea.Cmd {
	s.operating = false
	title := offers[msg.operation].title
	if msg.err != nil {
		s.note(text.Fail, title+": "+s.env.shown(msg.err.Error()))
	} else {
		s.note(text.OK, title+": "+s.env.shown(msg.text))
	}
	return s.start()
}

func (s *status) note(word, text string) {
	s.noteWord, s.noteText = word, text
	s.scroll(0)
}

// noted is the line about the last operation; empty when there was none.
func (s *status) noted() []string {
	if s.noteText == "" {
		return nil
	}
	return hang(s.noteText, " "+s.env.word(s.noteWord), s.width)
}
