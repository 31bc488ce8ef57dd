package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"connsync/netcheck"
)

// Interfaces watches the interfaces of this host.
type Interfaces interface {
	// Watch sends the whole list at once and again when it has changed, until
	// ctx ends; then the channel is closed.
	Watch(ctx context.Context) (<-chan []netcheck.Interface, error)
}

func (m *Model) openPicker(string) tea.Cmd { return nil }
