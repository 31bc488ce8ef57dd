// Package call finds what is wrong with a call before its command runs, and reads what such
// a call asks for.
package call

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/completion"
	"connsync/cmd/connsync/flaghelp"
)

// Strict makes every wrong use of root an error that wrong makes, also where cobra is lenient:
// its help and completion take any word. A command that says nothing of its arguments takes
// none.
func Strict(root *cobra.Command, wrong func(error) error) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// The flags of a mistyped command are read as those of the command above it,
		// which does not have them; its name is what is wrong.
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return wrong(unknownCommand(cmd, words[0]))
		}
		return wrong(flaghelp.Explain(cmd.Flags(), err))
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
			// Without a function of its own cobra would not look at the arguments.
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			completion.OnLinux(cmd)
			for _, c := range append(cmd.Commands(), cmd) {
				c.Args = nil
			}
		}
	}
	judge(root, wrong)
}

// judge has the arguments of cmd and of those below it judged.
func judge(cmd *cobra.Command, wrong func(error) error) {
	takes := cmd.Args
	if takes == nil {
		takes = none
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := takes(cmd, args); err != nil {
			return wrong(err)
		}
		return nil
	}
	for _, c := range cmd.Commands() {
		judge(c, wrong)
	}
}

func unknownCommand(parent *cobra.Command, name string) error {
	if words := strings.Fields(name); len(words) > 1 {
		return fmt.Errorf("%q is one argument of several words: type them without quotes, beginning with %s %s", name, parent.CommandPath(), words[0])
	}
	var commands []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			commands = append(commands, c.Name())
		}
	}
	return fmt.Errorf("unknown command %q%s: see %s --help", name, flaghelp.DidYouMean(name, "", commands), parent.CommandPath())
}

// none takes no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return unknownCommand(cmd, args[0])
	}
	hint := "see"
	if cmd.Flags().Lookup("interface") != nil {
		hint = "settings are flags, see"
	}
	return fmt.Errorf("%s takes no argument, got %q: %s %s --help", cmd.Name(), args[0], hint, cmd.CommandPath())
}
