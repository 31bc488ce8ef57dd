package tui

import (
	"context"

	"connsync/conntrackd"
	"connsync/shell"
)

// Options are what the screens start from.
type Options struct {
	// Context ends every effect when the program ends; nil is Background.
	Context context.Context
	// Table is the settings that are asked for; nil is [conntrackd.NewSettingTable].
	Table conntrackd.SettingTable
	// Saved are the settings in force, [conntrackd.Defaults] where none are.
	Saved conntrackd.Settings
	// StateUnknown says that the service could not be read, so that whether the
	// sync is enabled is not known.
	StateUnknown bool
	// Unmanaged says that the service is left alone: whatever Enable Sync says,
	// it may run with the file, so that every save of one is checked.
	Unmanaged bool
	// HalfEnabled says how the service is neither enabled nor disabled, such as one
	// that runs and does not start at boot; blank where it is one of them.
	HalfEnabled string
	// ForeignFile says that conntrackd runs with a file that holds no settings to
	// show: Disable stops it.
	ForeignFile bool

	Hostname string
	// Called is how the operator calls this program, for the commands that are named.
	Called shell.Program
	// Config is the path of the configuration file, for the eyes.
	Config string
	// Gate is why connection sync is not offered on this host; blank where it is.
	Gate string
	// StillEnabled says that the sync is enabled although it is not offered here:
	// then disabling it is all that can be done.
	StillEnabled bool
	// Setup makes it a first setup instead of the form; nil is the form.
	Setup *Setup
	// ReadOnly is why nothing can be saved, and what to do, such as for a user who
	// is not root: it is said at the start, and in the place of a save. Blank where
	// saving is possible.
	ReadOnly string
	// Notice is what has to be said before anything else, such as what became
	// of a save that was interrupted; blank in the ordinary case.
	Notice  string
	Glyphs  Glyphs
	Theme   Theme
	Effects Effects
}

// Effects are what the screens can do to the host, each an interface that is
// declared beside the screen that uses it. A nil member is an effect that this
// host does not have; the screen says so.
type Effects struct {
	Interfaces Interfaces
	Neighbours Neighbours
	Planner    Planner
	Linker     Linker
	Reviewer   Reviewer
	File       File
	Applier    Applier
	Observer   Observer
	Events     Events
	Operator   Operator
	History    History
}

// env is what the screens and the line mode are given of the options.
func (o Options) env(ctx context.Context) *env {
	return &env{
		ctx: ctx, table: o.table(), glyphs: o.Glyphs, theme: o.Theme, config: o.Config, called: o.Called,
		effects: o.Effects, unmanaged: o.Unmanaged, hostname: o.Hostname,
	}
}

func (o Options) table() conntrackd.SettingTable {
	if o.Table == nil {
		return conntrackd.NewSettingTable()
	}
	return o.Table
}
