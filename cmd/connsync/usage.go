package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/completion"
	"connsync/cmd/connsync/flaghelp"
	"connsync/conntrackd/hostfile"
	"connsync/node"
)

// strict makes every wrong use of root an error with status 64, also where
// cobra is lenient: its help and completion take any word.
func strict(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// The flags of a mistyped command are read as those of the command above it,
		// which does not have them; its name is what is wrong.
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return unknownCommand(cmd, words[0])
		}
		return &exitError{exitUsage, flaghelp.Explain(cmd.Flags(), err)}
	})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if found, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return unknownCommand(found, rest[0])
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
