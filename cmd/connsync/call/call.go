// Package call finds what is wrong with a call before its command runs, and reads what such
// a call asks for.
package call

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/cmd/connsync/completion"
	"connsync/cmd/connsync/flaghelp"
	"connsync/conntrackd/typed"
)

// Strict makes every wrong use of root an error that wrong makes, also where cobra is lenient:
// its help and completion take any word. A command that says nothing of its arguments takes
// none. The switches of the commands may stand before the command, as their other flags may.
func Strict(root *cobra.Command, wrong func(error) error) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// The flags of a mistyped command are read as those of the command above it,
		// which does not have them; its name is what is wrong.
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return wrong(unknownCommand(cmd, words[0]))
		}
		return wrong(flaghelp.Explain(cmd, err))
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
	adoptSwitches(root)
}

// adoptSwitches has root know the switches of its commands. Cobra takes the word behind a
// flag that it does not know for the value of that flag, and would not see the command.
func adoptSwitches(root *cobra.Command) {
	for _, c := range root.Commands() {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" && root.Flag(f.Name) == nil && f.Name != "help" {
				root.Flags().Bool(f.Name, false, "")
				root.Flags().Lookup(f.Name).Hidden = true
			}
		})
	}
}

// AsksHelp says whether the call args may ask for help or for the version.
func AsksHelp(args []string) bool {
	asks := func(arg string) bool { return slices.Contains([]string{"--help", "-h", "--version", "-v"}, arg) }
	return slices.ContainsFunc(args, asks) && !strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
}

// Check judges a call for which [AsksHelp] is true: cobra answers it whatever its other words
// are. It uses root up.
func Check(root *cobra.Command, args []string) (*cobra.Command, error) {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return cmd, err
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return cmd, cmd.FlagErrorFunc()(cmd, err)
	}
	if words := cmd.Flags().Args(); len(words) > 0 {
		err = cmd.ValidateArgs(words)
	}
	return cmd, err
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
		return fmt.Errorf("%s is one argument of several words: type them without quotes, beginning with %s %s", typed.Show(name), parent.CommandPath(), words[0])
	}
	var commands []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			commands = append(commands, c.Name())
		}
	}
	if slices.Contains(commands, name) {
		return fmt.Errorf("%s stands behind --, where no command is read: leave -- out", typed.Show(name))
	}
	return fmt.Errorf("unknown command %s%s: see %s --help", typed.Show(name), flaghelp.DidYouMean(name, "", commands), parent.CommandPath())
}

// none takes no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return switchOfCommands(cmd)
	}
	if cmd.HasSubCommands() {
		return unknownCommand(cmd, args[0])
	}
	hint := "see"
	if cmd.Flags().Lookup("interface") != nil {
		hint = "settings are flags, see"
	}
	return fmt.Errorf("%s takes no argument, got %s: %s %s --help", cmd.Name(), typed.Show(args[0]), hint, cmd.CommandPath())
}

// switchOfCommands refuses a call of the program with a switch that only its commands have.
func switchOfCommands(cmd *cobra.Command) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Hidden && err == nil {
			err = fmt.Errorf("--%s %s", f.Name, flaghelp.GoesWith(cmd, f.Name))
		}
	})
	return err
}
