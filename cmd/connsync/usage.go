package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/cmd/connsync/completion"
	"connsync/cmd/connsync/flaghelp"
	"connsync/conntrackd/hostfile"
	"connsync/node"
)

// strict makes every wrong use of root an error with status 64, also where
// cobra is lenient: its help and completion take any word.
func strict(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &exitError{exitUsage, flagError(cmd, err)} })
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return unknownCommand(root, args[0])
				}
				return nil
			}
		case "completion":
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknownCommand(cmd, args[0])
				}
				return nil
			}
			// Without a function of its own cobra would not look at the arguments.
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			completion.OnLinux(cmd)
			for _, shell := range cmd.Commands() {
				shell.Args = noArguments
			}
		}
	}
}

func unknownCommand(parent *cobra.Command, name string) error {
	if words := strings.Fields(name); len(words) > 1 {
		return &exitError{exitUsage, fmt.Errorf("%q is one argument of several words: type them without quotes, beginning with %s %s", name, parent.CommandPath(), words[0])}
	}
	var commands []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			commands = append(commands, c.Name())
		}
	}
	return &exitError{exitUsage, fmt.Errorf("unknown command %q%s: see %s --help", name, flaghelp.DidYouMean(name, "", commands), parent.CommandPath())}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasParent() {
		return unknownCommand(cmd, args[0])
	}
	hint := "see"
	if cmd.Flags().Lookup("interface") != nil {
		hint = "settings are flags, see"
	}
	return &exitError{exitUsage, fmt.Errorf("%s takes no argument, got %q: %s %s --help", cmd.Name(), args[0], hint, cmd.CommandPath())}
}

// flagError says in a person's words what pflag says in those of strconv, and
// which flag may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		return fmt.Errorf("%w%s", err, flaghelp.DidYouMean(unknown.GetSpecifiedName(), "--", names))
	}
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	name, got := invalid.GetFlag().Name, invalid.GetValue()
	switch invalid.GetFlag().Value.Type() {
	case "bool":
		return fmt.Errorf("--%s takes no value, got %q", name, got)
	case "int":
		return fmt.Errorf("--%s takes a whole number, got %q", name, got)
	case "duration":
		return fmt.Errorf("--%s takes a duration, such as 90s, got %q", name, got)
	}
	return err
}

// check refuses blank paths, which an unset variable in a script makes, those that lead
// nowhere, and an application that there is not.
func (g globals) check() error {
	for _, path := range []struct{ flag, value string }{
		{"config", g.Config}, {"runtime-dir", g.RuntimeDir}, {"state-dir", g.StateDir},
	} {
		if path.value == "" {
			return &exitError{exitUsage, fmt.Errorf("--%s has no value", path.flag)}
		}
		if err := hostfile.Absolute(&path.value); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--%s: %w", path.flag, err)}
		}
	}
	if g.Application != "" {
		if _, err := node.ParseApplication(g.Application, "--application", ""); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	return nil
}
