package tui

import (
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/prepare"
	"connsync/tui/text"
)

const hookHelp = "External cache: keepalived moves the addresses here, and its hook can be written into keepalived.conf. Connections in the peer's external cache do not expire."

// hookOffer is the offer to have keepalived's hook written and the external cache
// used with it.
type hookOffer struct {
	there    bool // there is the offer
	accepted bool
	before   bool // the external cache was used without it
}

// take looks for the offer in a review that was made, and accepts it in that
// where the operator has.
func (h *hookOffer) take(r *apply.Review) {
	i, ok := r.Preparation.Item(prepare.ItemHook)
	if h.there = ok && i.State == prepare.ItemOffered && !r.Unchanged; h.there && h.accepted {
		r.Preparation = r.Preparation.Accept(prepare.ItemHook)
		r.Accepted = []prepare.ItemID{prepare.ItemHook}
	}
}

// decide turns the offer on or off and gives the settings that go with it.
func (r *review) decide() {
	if r.hook.accepted = !r.hook.accepted; r.hook.accepted {
		r.hook.before = r.settings.ExternalCache
		r.settings.ExternalCache = true
		return
	}
	r.settings.ExternalCache = r.hook.before
}

// decideHook decides and makes the review again: the file is another one.
func (r *review) decideHook() tea.Cmd {
	r.decide()
	return r.start()
}

// hookLines are the line that stays in sight, none without the offer.
func (r *review) hookLines() []string {
	if !r.hook.there {
		return nil
	}
	box := "[ ] e  "
	if r.hook.accepted {
		box = "[x] e  "
	}
	return hang(text.HookChoice, " "+r.env.mark(false)+box, r.width)
}
