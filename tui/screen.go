// Package tui is what a person sees: the form, the interface picker, the
// checks, the review, the apply steps and the status. It makes no system
// calls; each effect that a screen needs is an interface beside that screen.
package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// screen is one full page. Screens are pointers owned by the root model, which
// draws the title line and the key line around them.
type screen interface {
	// update handles a message and says what the root has to do about it.
	update(msg tea.Msg) (outcome, tea.Cmd)
	// view draws the body. It is pure: sizes arrive by resize.
	view() string
	// resize tells the screen how many cells its body has.
	resize(width, height int)
	// help lists the bindings that work right now; the key line is made of it.
	help() []key.Binding
}

// outcome is what a screen tells the root: nil for nothing, else one of the
// types that implement it.
type outcome interface{ outcome() }
