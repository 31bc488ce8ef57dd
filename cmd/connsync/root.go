package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/call"
	"connsync/cmd/connsync/completion"
	"connsync/cmd/connsync/flaghelp"
	"connsync/cmd/connsync/fromfile"
	"connsync/cmd/connsync/upkeep"
	"connsync/conntrackd"
	"connsync/conntrackd/service"
	"connsync/conntrackd/typed"
	"connsync/node"
)

// globals are the flags that every command takes.
type globals struct {
	node.Options
	table   conntrackd.SettingTable
	ascii   bool
	noColor bool
	plain   bool
	given   func(flag string) bool // whether one of the flags of every command was given
	err     io.Writer              // for what concerns no command in particular; nil where nobody reads it
}

// exitStatuses are those of the commands that change something.
const exitStatuses = `Exit status: 0 in force, and in sync or waiting for the peer of a first node;
1 refused or failed, 2 unknown, 3 in force but not in sync, 64 wrong usage.`

const longHelp = `connsync sets up conntrackd's connection sync between two nodes: it proves that
the settings can work, writes conntrackd.conf, restarts conntrackd, and proves
from the daemon's own traffic that the nodes sync.

Without a command it opens the form, or asks line by line with --plain and where
the terminal cannot place the cursor (TERM is dumb or not set). Every setting,
check and verdict is also available as text and, with --json, as JSON.

` + exitStatuses

func newRoot(s streams, t conntrackd.SettingTable) *cobra.Command {
	g := globals{table: t, err: s.err}
	g.Program, g.ParseCommand = s.program, parseCommand
	root := &cobra.Command{
		Use:           "connsync",
		Short:         "Set up and prove conntrackd's connection sync",
		Long:          longHelp,
		Example:       "  connsync\n  connsync --plain\n  connsync status",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runForm(cmd.Context(), s, g)
		},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	flags := root.PersistentFlags()
	flags.StringVar(&g.Config, "config", node.DefaultConfig, "conntrackd's configuration `file`")
	g.given = func(flag string) bool { return flags.Lookup(flag).Changed }
	flags.StringVar(&g.RunBy, "service", "auto", "who runs conntrackd: "+strings.Join(service.Choices(), ", "))
	flags.StringVar(&g.RuntimeDir, "runtime-dir", node.DefaultRuntimeDir, "`directory` of lock and socket files")
	flags.StringVar(&g.StateDir, "state-dir", node.DefaultStateDir, "`directory` of the history")
	flags.BoolVar(&g.ascii, "ascii", false, "draw with ASCII only")
	flags.BoolVar(&g.noColor, "no-color", false, "no colour (also: NO_COLOR)")
	flags.BoolVar(&g.plain, "plain", false, "ask line by line instead of drawing the form; works from a pipe too")
	flags.StringVar(&g.Application, "application", "", "what this appliance is (LLB, WAF, ADC, GSLB), over "+node.ApplicationFile)
	root.AddCommand(newShow(s, &g), newCheck(s, &g), newApply(s, &g), newHistory(s, &g), newRollback(s, &g), newStatus(s, &g), newPeer(s, &g))
	root.AddCommand(newFailover(s, &g), newApplication(s, &g), newFirewall(s, &g), newSetup(s, &g), newCoverage(s, &g))
	root.AddCommand(upkeepCommands(s, &g)...)
	root.AddCommand(manualCommands()...)
	flaghelp.Use(root, t)
	completion.Complete(root, t, []string{formatText, formatJSON, formatMetrics}, g.saves)
	call.Strict(root, func(err error) error { return &exitError{exitUsage, err} })
	return root
}

func upkeepCommands(s streams, g *globals) []*cobra.Command {
	h := upkeep.Host{
		Out: s.out, Options: &g.Options, PrintJSON: func(v any) error { return printJSON(s.out, v) },
		Usage: func(err error) error { return &exitError{exitUsage, err} }, Failed: func() error { return &exitError{exitRefused, nil} },
		Unknown: func() error { return &exitError{exitUnknown, nil} },
		Open: func(ctx context.Context) (*node.Node, error) {
			c, err := openNode(ctx, *g)
			if err != nil {
				return nil, err
			}
			return c.Node, nil
		},
	}
	commands := []*cobra.Command{upkeep.NewRefresh(h), upkeep.NewUnprepare(h), upkeep.NewEvents(h)}
	for _, c := range commands {
		c.PreRunE = func(*cobra.Command, []string) error { return g.check() }
	}
	return commands
}

// settingFlags are the settings as flags and, under them, those of a file. What
// is not given keeps its saved value.
type settingFlags struct {
	table           conntrackd.SettingTable
	enable, disable bool
	firstNode       bool
	role            string
	defaultLink     string
	values          map[conntrackd.Field]*string // of the flags that the command has
	from            string
	given           fromfile.File
	saved           node.Saved // what the values that are not given come from
}

func (f *settingFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.enable, "enable", false, "sync now and at boot")
	flags.BoolVar(&f.disable, "disable", false, "stop the sync now and at boot; the file stays")
	f.registerValues(cmd, f.table.Fields()...)
	flags.StringVar(&f.from, "from", "", "settings from a YAML or JSON `file` with the fields of show --json, or from standard input with -; flags override it")
	flags.StringVar(&f.role, "role", "", roleHelp)
	flags.StringVar(&f.defaultLink, "default-link", "", "`interface` of the spare link that becomes the default link; the default link becomes a spare link")
	flags.BoolVar(&f.firstNode, "first-node", false, peerAbsent+"; do not require it to be reachable")
}

// registerValues registers the flags of those fields that have one.
func (f *settingFlags) registerValues(cmd *cobra.Command, fields ...conntrackd.Field) {
	f.values = map[conntrackd.Field]*string{}
	for _, e := range f.table {
		if e.Usage == "" || !slices.Contains(fields, e.Field) {
			continue
		}
		f.values[e.Field] = new(string)
		if e.Kind == conntrackd.LinksSetting {
			cmd.Flags().Var((*repeated)(f.values[e.Field]), e.Field.Flag(), e.Usage)
		} else {
			cmd.Flags().StringVar(f.values[e.Field], e.Field.Flag(), "", e.Usage)
		}
	}
}

// repeated is a list of which each use of the flag gives one.
type repeated string

func (r *repeated) String() string { return string(*r) }

func (r *repeated) Type() string { return "string" }

// Set adds one.
func (r *repeated) Set(text string) error {
	if *r != "" {
		text = string(*r) + ", " + text
	}
	*r = repeated(text)
	return nil
}

// peerAbsent is what --first-node says.
const peerAbsent = "the peer is not set up yet, or is off"

// roleHelp is the help of --role.
const roleHelp = "who forwards: primary-backup (one node at a time: external cache, and a hook) or both-active (asymmetric routing: states in both kernels)"

// withRole puts the external cache as the role wants it. The role is kept as that
// setting alone.
func (f *settingFlags) withRole(v conntrackd.Values, changed func(flag string) bool) (conntrackd.Values, error) {
	if !changed("role") {
		return v, nil
	}
	role := node.Role(f.role)
	if !role.Valid() {
		return v, &exitError{exitUsage, fmt.Errorf("--role %s is invalid: it must be %s or %s", typed.Show(f.role), node.RolePrimaryBackup, node.RoleBothActive)}
	}
	want := role.ExternalCache()
	if flag := conntrackd.FieldExternalCache.Flag(); changed(flag) && *f.values[conntrackd.FieldExternalCache] != want {
		return v, &exitError{exitUsage, fmt.Errorf("--role %s needs --%s %s", role, flag, want)}
	}
	return v.With(conntrackd.FieldExternalCache, want), nil
}

// over puts what was given over the saved values. changed tells which flags
// were given, since a blank value that was given is an error and one that was
// not is not.
func (f *settingFlags) over(saved conntrackd.Values, changed func(flag string) bool) (conntrackd.Values, error) {
	v := saved
	switch {
	case f.enable && f.disable:
		return v, valueError(conntrackd.FieldEnabled, "--enable and --disable cannot be combined")
	case changed("enable") && !f.enable:
		return v, valueError(conntrackd.FieldEnabled, "--enable takes no value; to disable, use --disable")
	case changed("disable") && !f.disable:
		return v, valueError(conntrackd.FieldEnabled, "--disable takes no value; to enable, use --enable")
	case f.enable:
		v = v.With(conntrackd.FieldEnabled, "enable")
	case f.disable:
		v = v.With(conntrackd.FieldEnabled, "disable")
	}
	v, err := f.withRole(v, changed)
	if err != nil {
		return v, err
	}
	for _, e := range f.table {
		to, flag := f.values[e.Field], e.Field.Flag()
		if to == nil || !changed(flag) {
			continue
		}
		if strings.TrimSpace(*to) == "" {
			return v, valueError(e.Field, "--"+flag+" has no value; leave the flag out to keep the saved one")
		}
		v = v.With(e.Field, *to)
	}
	return v, nil
}
