package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// grace keeps what was typed ahead, and a key that is held down, from deciding
// about what has just appeared. It is over when no key that decides has come for
// [dialogGrace]. The zero value is not over.
type grace struct {
	run     *run
	over    bool
	ignored bool // a key was, and the operator is told
}

// graceEnded tells that a grace period is over.
type graceEnded struct{ run *run }

// graceText is said while keys are ignored.
const graceText = "   Key ignored: it came too early. Let go, then press again."

func (g *grace) start() tea.Cmd {
	g.over, g.ignored = false, false
	return g.wait()
}

func (g *grace) wait() tea.Cmd {
	g.run = newRun(g.run)
	current := g.run
	return tea.Tick(dialogGrace, func(time.Time) tea.Msg { return graceEnded{current} })
}

// ignore begins the period again, since a key is still coming.
func (g *grace) ignore() tea.Cmd {
	g.ignored = true
	return g.wait()
}

func (g *grace) end(msg graceEnded) {
	if msg.run == g.run {
		g.over, g.ignored = true, false
	}
}
