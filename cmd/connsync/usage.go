package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/node"
)

// strict makes every wrong use of root an error with status 64, also where
// cobra is lenient: its help and completion take any word.
func strict(root *cobra.Command) {
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitUsage, flagError(err)} })
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
			for _, shell := range cmd.Commands() {
				shell.Args = noArguments
			}
		}
	}
}

func unknownCommand(parent *cobra.Command, name string) error {
	if words := strings.Fields(name); len(words) > 1 {
		return &exitError{exitUsage, fmt.Errorf("%q is several words in quotes: type them without quotes, beginning with %s %s", name, parent.CommandPath(), words[0])}
	}
	return &exitError{exitUsage, fmt.Errorf("no command is called %q: see %s --help", name, parent.CommandPath())}
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

// flagError says in a person's words what pflag says in those of strconv.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool" {
		return fmt.Errorf("--%s takes no value, got %q", invalid.GetFlag().Name, invalid.GetValue())
	}
	return err
}

// check refuses blank paths, which an unset variable in a script makes, and an
// application that there is not.
func (g globals) check() error {
	for _, path := range []struct{ flag, value string }{
		{"config", g.Config}, {"runtime-dir", g.RuntimeDir}, {"state-dir", g.StateDir},
	} {
		if path.value == "" {
			return &exitError{exitUsage, fmt.Errorf("--%s has no value", path.flag)}
		}
	}
	if g.Application != "" {
		if _, err := node.ParseApplication(g.Application, "--application", ""); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	return nil
}
