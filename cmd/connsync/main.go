// Command connsync configures conntrackd's connection sync between two nodes,
// from a form on a console or from a script, and says truly whether it works.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/tui/console"
	"connsync/tui/text"
)

// The exit statuses of every command; the documentation and scripts rely on
// them.
const (
	exitDone    = 0
	exitRefused = 1 // refused, or failed
	exitUnknown = 2 // could not tell
	exitUsage   = 64
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
	stage   func(tea.Model) tea.Model // puts something before the screens, in tests; may be nil
}

func (s streams) staged(model tea.Model) tea.Model {
	if s.stage == nil {
		return model
	}
	return s.stage(model)
}

func main() {
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}))
}

// run is the program without its process: arguments in, exit status out.
func run(args []string, s streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	if f, ok := s.screen(); ok {
		defer console.Drain(f)
	}
	out := &outlet{Writer: s.out, lost: hangUp}
	s.out = out
	defer keepPipes()()
	root := newRoot(s, conntrackd.NewSettingTable())
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !out.used && asksJSON(cmd, args) {
		err = toldInJSON(out, cmd, err)
	}
	if out.err != nil {
		// A reader that has read enough, such as head, is no fault.
		if !errors.Is(out.err, syscall.EPIPE) || changesHost(cmd) {
			fmt.Fprintln(s.err, "connsync: print the result:", out.err)
		}
		if err == nil || errors.Is(err, out.err) {
			err = &exitError{unprinted(cmd), nil} // it has been said
		}
	}
	if err == nil {
		return exitDone
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{exitRefused, err}
	}
	if exit.err != nil {
		fmt.Fprintln(s.err, "connsync: "+text.Clean(exit.err.Error()))
	}
	return exit.status
}

// changesHost says that the command may have changed the host, so that a result
// which nobody read is missed.
func changesHost(cmd *cobra.Command) bool {
	if help := cmd.Flags().Lookup("help"); help != nil && help.Changed {
		return false
	}
	return slices.Contains([]string{"apply", "rollback", "unprepare", "firewall", "failover", "setup", "application"}, cmd.Name())
}

// unprinted is the status of a command whose result could not be printed: where
// a refusal would be a verdict, it is that there is none.
func unprinted(cmd *cobra.Command) int {
	if name := cmd.Name(); name == "status" || name == "check" {
		return exitUnknown
	}
	return exitRefused
}
