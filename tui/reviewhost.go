package tui

import (
	"fmt"

	"connsync/conntrackd"
)

// hostLines lists what a save does about the host, beside the file, and what
// it leaves alone there.
func (r *review) hostLines() []string {
	var lines []string
	first := " host  "
	if !r.review.PrepareHost {
		first = " skip  "
	}
	for _, i := range r.review.Preparation.Missing() {
		lines = append(lines, hang(r.env.shown(i.Title+": "+i.Reason+"."), first, r.width)...)
		for _, command := range i.Commands {
			lines = append(lines, hang(r.env.shown(command), "         ", r.width)...)
		}
		first = "       "
	}
	for _, i := range r.review.Preparation.Items {
		detail := i.Detail
		switch i.State {
		case conntrackd.ItemUnknown: // an error does not say what it stood in the way of
			detail = string(i.ID) + ": " + detail
		case conntrackd.ItemForeign:
		default:
			continue
		}
		lines = append(lines, r.env.styled(wordWarn, hang(r.env.shown(detail), " ! stays  ", r.width))...)
	}
	return lines
}

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
	items := fmt.Sprintf("%d items", len(r.review.Preparation.Missing()))
	if items == "1 items" {
		items = "1 item"
	}
	text := "Prepare the host (" + items + " above); connsync unprepare takes it back."
	lines := hang(text, " "+r.env.mark(r.focus == itemHost)+box, r.width)
	if r.review.OnlyHost && !r.review.PrepareHost && r.focus == itemApply {
		lines = append(lines, "   "+r.blocked())
	}
	return lines
}
