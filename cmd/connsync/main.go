// Command connsync configures conntrackd's connection sync between two nodes,
// from a form on a console or from a script, and says truly whether it works.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"connsync/cmd/connsync/call"
	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/node"
	"connsync/outlet"
	"connsync/stalled"
	"connsync/trust"
	"connsync/tui/console"
	"connsync/tui/text"
)

// The exit statuses of every command; the documentation and scripts rely on
// them.
const (
	exitDone      = 0
	exitRefused   = 1 // refused, or failed
	exitUnknown   = 2 // could not tell
	exitNotInSync = 3 // saved and in force, and the nodes do not sync
	exitUsage     = 64
)

// exitError ends the program with a status of its own. Its cause is printed,
// unless there is none: then everything has been said.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func refused(format string, args ...any) error {
	return &exitError{exitRefused, fmt.Errorf(format, args...)}
}

// streams are where a command reads and writes.
type streams struct {
	in      *os.File
	out     io.Writer
	err     io.Writer
	environ []string
	program string                    // path of this program; blank where it cannot be started again
	stage   func(tea.Model) tea.Model // puts something before the screens, in tests; may be nil
	signals *console.Signals
	hangUp  func() // ends the context: no output waits for its line any more
}

func (s streams) staged(model tea.Model) tea.Model {
	if s.stage == nil {
		return model
	}
	return s.stage(model)
}

func main() {
	// What is written has the modes that it is given, whoever runs this.
	syscall.Umask(0o022)
	trust.SettleEnvironment()
	program, _ := os.Executable() // blank where /proc is not there
	s := streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), program: program}
	if err := hostfile.SettleFiles(); err != nil {
		os.Exit(refuse(os.Args[1:], s, err))
	}
	os.Exit(run(os.Args[1:], s))
}

// refuse is for a process that may open no files. It opens none, as signals and a bounded
// output would.
func refuse(args []string, s streams, err error) int {
	fmt.Fprintln(s.err, "connsync:", err)
	if cmd, _, _ := newRoot(s, conntrackd.NewSettingTable()).Find(args); call.AsksJSON(cmd, args) {
		_ = toldInJSON(s.out, cmd, args, err)
	}
	return exitRefused
}

// run is the program without its process: arguments in, exit status out.
func run(args []string, s streams) int {
	s.signals = console.WatchSignals(hostfile.Writing)
	defer s.signals.Stop()
	ctx, hangUp := context.WithCancel(s.signals.Context())
	defer hangUp()
	// Who does not take the output any more has hung up, as on a line.
	out, errs := outlet.New(ctx, s.out, hangUp), outlet.New(ctx, s.err, nil)
	s.out, s.err, s.hangUp = out, errs, hangUp
	if f, ok := s.screen(); ok {
		defer console.Drain(f)
	}
	defer outlet.KeepPipes()()
	cmd, err := s.execute(ctx, args)
	if s.signals.Context().Err() != nil {
		err = interrupted(cmd, err)
	}
	err = withRemedy(args, err)
	if err != nil && !out.Used() && call.AsksJSON(cmd, args) {
		err = toldInJSON(out, cmd, args, err)
	}
	return s.end(cmd, err, out, errs)
}

// execute runs the command that the arguments name. What guards the form alone reads no
// flags, and is as small and as quick as that.
func (s streams) execute(ctx context.Context, args []string) (*cobra.Command, error) {
	if line, ok := s.line(); ok && len(args) == 0 && line.Kind() != console.Dumb && !console.Guarded() {
		return &cobra.Command{Use: "connsync"}, s.guarded(line, node.DefaultStateDir)
	}
	table := conntrackd.NewSettingTable()
	root := newRoot(s, table)
	if call.AsksHelp(args) {
		if cmd, err := call.Check(newRoot(s, table), args); err != nil {
			return cmd, err
		}
	}
	root.SetArgs(args)
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if cmd.HasParent() && cmd.Name() != "setup" { // else there may be a screen
			go stalled.Tell(ctx, s.err, text.Clean)
		}
	}
	return root.ExecuteContextC(ctx)
}

// end says how the command ended, and returns its status. A reader that has read
// enough, such as head, is no fault, and nothing is said of it, unless a change did not end
// well.
func (s streams) end(cmd *cobra.Command, err error, out, errs *outlet.Outlet) int {
	if failed := out.Flush(); failed != nil {
		if f, ok := s.screen(); ok && errors.Is(failed, outlet.ErrStalled) && isTerminal(f) {
			console.Discard(f)
		}
		unsaid := errors.Is(err, failed)
		switch {
		case !errors.Is(failed, syscall.EPIPE):
			fmt.Fprintln(errs, "connsync: print the result:", failed)
			unsaid = unsaid || err == nil
		case changesHost(cmd):
			if err != nil {
				fmt.Fprintln(errs, unheard)
			}
		default: // what the reader's end has cut short is not told either
			unsaid = unsaid || err == nil || errors.Is(err, context.Canceled)
		}
		if unsaid {
			err = &exitError{unprinted(cmd), nil} // it has been said
		}
	}
	status := exitDone
	var exit *exitError
	if err != nil && !errors.As(err, &exit) {
		exit = &exitError{exitRefused, err}
	}
	if exit != nil {
		status = exit.status
		if exit.err != nil {
			fmt.Fprintln(errs, "connsync: "+text.Clean(exit.err.Error()))
		}
	}
	_ = errs.Flush() // there is nowhere else to say so
	return status
}

// interrupted is the error of a command that a signal has ended, with what is known of
// the host; the exit status stays.
func interrupted(cmd *cobra.Command, err error) error {
	exit := &exitError{exitRefused, err}
	if !errors.Is(err, context.Canceled) || errors.As(err, &exit) && exit.err == nil {
		return err
	}
	// apply and rollback say themselves how a change has ended.
	if name := cmd.Name(); changesHost(cmd) && name != "apply" && name != "rollback" {
		return &exitError{exit.status, errors.New("interrupted")}
	}
	return &exitError{exit.status, errors.New("interrupted; nothing was changed")}
}

// unheard is said of a change that failed, was cut short or is not known to work, where
// nobody read so.
const unheard = "connsync: the output was closed before the result of the change: look at the host before you repeat the command"

// changesHost says that the command may have changed the host, so that a result
// which nobody read is missed.
func changesHost(cmd *cobra.Command) bool {
	given := func(flag string) bool { f := cmd.Flags().Lookup(flag); return f != nil && f.Changed }
	if given("help") || given("dry-run") {
		return false
	}
	switch cmd.Name() {
	case "application":
		return given("enforce")
	case "firewall":
		return given("install") || given("remove")
	case "history":
		return given("forget")
	case "refresh":
		return given("stop") || given("background")
	}
	return slices.Contains([]string{"apply", "rollback", "unprepare", "failover", "setup"}, cmd.Name())
}

// unprinted is the status of a command whose result could not be printed: where
// a refusal would be a verdict, it is that there is none.
func unprinted(cmd *cobra.Command) int {
	if name := cmd.Name(); name == "status" || name == "check" {
		return exitUnknown
	}
	return exitRefused
}
