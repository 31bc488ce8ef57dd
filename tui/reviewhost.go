package tui

import (
	"connsync/tui/text"
)

// preparable says whether there is anything to decide about the host.
func (r *review) preparable() bool { return len(r.review.Preparation.Missing()) > 0 }

// decideHost turns the preparation on or off.
func (r *review) decideHost() {
	r.review.PrepareHost = !r.review.PrepareHost
	r.layOut()
}

// hostDecision is the line that stays in sight.
func (r *review) hostDecision() []string {
	box := "[ ] h  "
	if r.review.PrepareHost {
		box = "[x] h  "
	}
	lines := hang(text.HostChoice(len(r.review.Preparation.Missing())), " "+r.env.mark(r.focus == itemHost)+box, r.width)
	if r.review.OnlyHost && !r.review.PrepareHost && r.focus == itemApply {
		lines = append(lines, "   "+r.blocked())
	}
	return lines
}
