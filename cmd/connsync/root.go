package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
)

// globals are the flags that every command takes.
type globals struct {
	options
	ascii   bool
	noColor bool
	plain   bool
	err     io.Writer // for what concerns no command in particular; nil where nobody reads it
}

const (
	defaultConfig     = "/etc/conntrackd/conntrackd.conf"
	defaultRuntimeDir = "/run/connsync"
	defaultStateDir   = "/var/lib/connsync"
)

// exitStatuses are those of the commands that change something.
const exitStatuses = "Exit status: 0 done, 1 refused or failed, 2 could not tell, 64 wrong usage."

const longHelp = `connsync sets up conntrackd's connection sync between two nodes: it proves that
the settings can work, writes conntrackd.conf, restarts conntrackd, and proves
from the daemon's own traffic that the nodes sync.

Without a command it opens the form, or asks line by line with --plain and where
the terminal cannot place the cursor (TERM is dumb or not set). Every setting, check and verdict is also
there as text and, with --json, as JSON.

` + exitStatuses

func newRoot(s streams) *cobra.Command {
	g := globals{err: s.err}
	root := &cobra.Command{
		Use:           "connsync",
		Short:         "Set up and prove conntrackd's connection sync",
		Long:          longHelp,
		Version:       version(),
		Args:          noArguments,
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
	flags.StringVar(&g.config, "config", defaultConfig, "conntrackd's configuration `file`")
	flags.StringVar(&g.service, "service", "auto", "who runs conntrackd: "+strings.Join(conntrackd.ServiceChoices(), ", "))
	flags.StringVar(&g.runtimeDir, "runtime-dir", defaultRuntimeDir, "`directory` of lock and socket files")
	flags.StringVar(&g.stateDir, "state-dir", defaultStateDir, "`directory` of the history")
	flags.BoolVar(&g.ascii, "ascii", false, "draw with ASCII only")
	flags.BoolVar(&g.noColor, "no-color", false, "draw without colour, as any NO_COLOR does")
	flags.BoolVar(&g.plain, "plain", false, "ask line by line instead of drawing the form; works from a pipe too")
	flags.StringVar(&g.application, "application", "", "what this appliance is (LLB, WAF, ADC, GSLB), over "+applicationFile)
	root.AddCommand(newShow(s, &g), newCheck(s, &g), newApply(s, &g), newHistory(s, &g), newRollback(s, &g), newStatus(s, &g), newPeer(s, &g))
	root.AddCommand(newFailover(s, &g), newUnprepare(s, &g), newApplication(s, &g), newFirewall(s, &g), newSetup(s, &g))
	root.AddCommand(manualCommands()...)
	strict(root)
	return root
}

// settingFlags are the settings as flags and, under them, those of a file. What
// is not given keeps its saved value.
type settingFlags struct {
	enable, disable bool
	firstNode       bool
	values          conntrackd.Values
	from            string
	handed          handed
}

func (f *settingFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.enable, "enable", false, "sync now and at boot")
	flags.BoolVar(&f.disable, "disable", false, "stop the sync now and at boot; the file stays")
	f.registerLink(cmd)
	flags.StringVar(&f.values.SendBuffer, "send-buffer", "", "send buffer in `bytes`, such as 65536 or 128K (default 65536)")
	flags.StringVar(&f.values.ReceiveBuffer, "receive-buffer", "", "receive buffer in `bytes`, the same on both nodes (default 65536)")
	flags.StringVar(&f.values.ExternalCache, "external-cache", "", "`on` keeps the peer's states in the daemon until a failover script commits them; off puts them into the kernel (default off)")
	flags.StringVar(&f.from, "from", "", "settings from a YAML or JSON `file` with the fields of show --json, or from standard input with -; flags override it")
	flags.BoolVar(&f.firstNode, "first-node", false, "the peer is not there yet: do not insist on reaching it")
}

// over puts what was given over the saved values. changed tells which flags
// were given, since a blank value that was given is an error and one that was
// not is not.
func (f *settingFlags) over(saved conntrackd.Values, changed func(flag string) bool) (conntrackd.Values, error) {
	v := saved
	switch {
	case f.enable && f.disable:
		return v, valueError(conntrackd.FieldEnabled, "--enable and --disable exclude each other")
	case changed("enable") && !f.enable:
		return v, valueError(conntrackd.FieldEnabled, "--enable takes no value; --disable disables")
	case changed("disable") && !f.disable:
		return v, valueError(conntrackd.FieldEnabled, "--disable takes no value; --enable enables")
	case f.enable:
		v.Enabled = "enable"
	case f.disable:
		v.Enabled = "disable"
	}
	for _, s := range []struct {
		flag  string
		to    *string
		value string
	}{
		{"interface", &v.Interface, f.values.Interface},
		{"current-ip", &v.CurrentIP, f.values.CurrentIP},
		{"peer-ip", &v.PeerIP, f.values.PeerIP},
		{"port", &v.Port, f.values.Port},
		{"send-buffer", &v.SendBuffer, f.values.SendBuffer},
		{"receive-buffer", &v.ReceiveBuffer, f.values.ReceiveBuffer},
		{"external-cache", &v.ExternalCache, f.values.ExternalCache},
	} {
		if !changed(s.flag) {
			continue
		}
		if strings.TrimSpace(s.value) == "" {
			field := conntrackd.Field(strings.ReplaceAll(s.flag, "-", "_"))
			return v, valueError(field, "--"+s.flag+" has no value; leave the flag out to keep the saved one")
		}
		*s.to = s.value
	}
	return v, nil
}
