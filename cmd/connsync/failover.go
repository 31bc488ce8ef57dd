package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"connsync/cmd/connsync/flaghelp"
	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
	"connsync/node"
	"connsync/node/failoverlog"
	"connsync/outlet"
	"connsync/trust"
	"connsync/tui/text"
)

const failoverHelp = `failover tells conntrackd that this node has become primary (the connections
come here now), backup, or faulty. It is the hook for keepalived, on the sync
group that holds all instances:

    notify_master "/usr/sbin/connsync failover primary" root
    notify_backup "/usr/sbin/connsync failover backup" root
    notify_fault "/usr/sbin/connsync failover fault" root

or, in their place, notify "/usr/sbin/connsync failover" root, to which
keepalived adds what has changed: INSTANCE or GROUP, its name, the state and
the priority.

It talks only to the daemon's control socket, starts nothing and changes no
file. Each step is judged by its effect and reported on the standard output, in
the system log unless the output is a terminal, and in failover.log in the state
directory. On a faulty node without a daemon, it only records the role.

Exit status: 0 done, 1 failed, 2 an effect is unknown, such as the answer
of a peer that is down, 64 wrong usage.`

func newFailover(s streams, g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "failover primary|backup|fault",
		Short:   "Take over connections or hand them over (the hook for keepalived)",
		Example: "  connsync failover primary\n  connsync failover backup",
		Long:    failoverHelp,
		Args: func(_ *cobra.Command, args []string) error {
			_, err := failover.ParseRole(args)
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			started := failover.Clock()
			if err := g.check(); err != nil {
				return err
			}
			role, err := failover.ParseRole(args)
			if err != nil {
				return err
			}
			return runFailover(cmd.Context(), s, *g, role, failoverCall{started: started, asJSON: asJSON})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// parseCommand reads a command line as [run] would, and runs nothing.
func parseCommand(arguments []string) (node.Command, error) {
	root := newRoot(streams{out: io.Discard, err: io.Discard}, conntrackd.NewSettingTable())
	cmd, rest, err := root.Find(arguments)
	if err != nil {
		return node.Command{}, err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return node.Command{}, flaghelp.Explain(cmd, err)
	}
	words := cmd.Flags().Args()
	switch help := cmd.Flags().Lookup("help"); {
	case help != nil && help.Changed:
		return node.Command{Name: "help"}, nil
	case cmd == root && len(words) == 0:
		return node.Command{}, nil
	}
	if err := cmd.ValidateArgs(words); err != nil {
		return node.Command{}, err
	}
	flag := func(name string) string { return cmd.Flag(name).Value.String() }
	c := node.Command{Name: cmd.Name(), Config: flag("config")}
	g := globals{Options: node.Options{Config: c.Config, RuntimeDir: flag("runtime-dir"), StateDir: flag("state-dir")}}
	if err = g.check(); err == nil && c.Name == "failover" {
		c.Role, err = failover.ParseRole(words)
	}
	return c, err
}

// watched says that what is printed is seen or kept: on a terminal, or in the
// journal, to which systemd connects the output of its units.
func watched(s streams) bool {
	out, ok := s.screen()
	if !ok {
		return false
	}
	if _, err := unix.IoctlGetTermios(int(out.Fd()), unix.TCGETS); err == nil {
		return true
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(out.Fd()), &stat); err != nil {
		return false
	}
	for _, v := range s.environ {
		if v == fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino) {
			return true
		}
	}
	return false
}

// failoverCall is how failover was called.
type failoverCall struct {
	started time.Duration
	asJSON  bool
}

func runFailover(ctx context.Context, s streams, g globals, role failover.Role, call failoverCall) error {
	log := failoverlog.Open(g.StateDir, role, !watched(s))
	defer log.Close()
	say := func(line string) {
		log.Write(text.Clean(line))
		if !call.asJSON {
			fmt.Fprintln(s.out, line)
		}
	}
	f, err := g.failover(call.started)
	if err != nil {
		log.Write(text.Clean(err.Error()))
		return &exitError{exitRefused, err}
	}
	waits := outlet.Beside(s.out)
	outcome := f.Run(ctx, role, func(progress step.Step) {
		if progress.Status != step.Running {
			say(text.StepLine(progress))
		}
	})
	waits()
	if outcome.Unlocked != nil {
		say(text.Clean("Done without the failover lock: " + outcome.Unlocked.Error()))
	}
	say(text.FailoverSentence(outcome))
	if call.asJSON {
		if err := printJSON(s.out, failedOverOf(outcome)); err != nil {
			return err
		}
	}
	switch {
	case outcome.Failed():
		return &exitError{exitRefused, nil}
	case outcome.Unseen():
		return &exitError{exitUnknown, nil}
	}
	return nil
}

// failover reads what the hook has to know from the file in force. It asks no
// service manager: at a failover there is no time for one that hangs.
func (g globals) failover(started time.Duration) (*failover.Failover, error) {
	content, err := trust.ReadFile(g.Config, conntrackd.MaxFileBytes)
	if err != nil {
		return nil, err
	}
	f, _ := conntrackd.Parse(g.Config, content)
	socket := f.ControlSocket()
	if socket == "" {
		socket = g.ControlSocket()
	}
	return &failover.Failover{
		Client: control.NewClient(socket), Mode: f.Mode(), RuntimeDir: g.RuntimeDir, Started: started, Elsewhere: func() error { return service.ServesHere(g.Config) },
	}, nil
}

// failedOver is what failover --json prints.
type failedOver struct {
	Role          failover.Role      `json:"role"`
	ExternalCache bool               `json:"external_cache"`
	Stopped       bool               `json:"stopped,omitempty"` // no daemon runs, and none has to
	Steps         []text.AppliedStep `json:"steps"`
	SupersededBy  failover.Role      `json:"superseded_by,omitempty"`
	Error         string             `json:"error,omitempty"`
}

func failedOverOf(o failover.Outcome) failedOver {
	f := failedOver{Role: o.Role, ExternalCache: o.ExternalCache, Stopped: o.Stopped, Steps: []text.AppliedStep{}, SupersededBy: o.SupersededBy}
	for _, s := range o.Steps {
		f.Steps = append(f.Steps, text.StepOf(s))
	}
	if o.Err != nil {
		f.Error = o.Err.Error()
	}
	return f
}
