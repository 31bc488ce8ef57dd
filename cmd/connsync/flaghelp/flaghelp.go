// Package flaghelp puts the flags of advanced settings under a heading of their own in
// the help of a command.
package flaghelp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/conntrackd"
)

// heading is what the advanced flags stand under.
const heading = "Advanced settings:"

// usual is how cobra's template prints the flags of a command.
const usual = "{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}"

// Group puts the flags of the advanced settings behind the others in the help of every
// command of root that has one.
func Group(root *cobra.Command, t conntrackd.SettingTable) {
	for _, cmd := range root.Commands() {
		cmd.InitDefaultHelpFlag()
		plain, advanced := pflag.NewFlagSet("", 0), pflag.NewFlagSet("", 0)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			of := func(e conntrackd.Setting) bool { return e.Advanced && e.Field.Flag() == f.Name }
			if slices.ContainsFunc(t, of) {
				advanced.AddFlag(f)
			} else {
				plain.AddFlag(f)
			}
		})
		if !advanced.HasFlags() {
			continue
		}
		text := func(flags *pflag.FlagSet) string {
			return "{{" + strconv.Quote(strings.TrimRight(flags.FlagUsages(), "\n")) + "}}"
		}
		cmd.SetUsageTemplate(strings.Replace(cmd.UsageTemplate(), usual, text(plain)+"\n\n"+heading+"\n"+text(advanced), 1))
	}
}
