// Package flaghelp puts the flags of advanced settings under a heading of their own in
// the help of a command.
package flaghelp

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/conntrackd"
)

// heading is what the advanced flags stand under.
const heading = "Advanced settings:"

// Group puts the flags of the advanced settings behind the others in the help of every
// command of root that has one.
//
// It prints no template: with cobra's the linker would have to keep every method of
// every type, since a template may call any of them by its name.
func Group(root *cobra.Command, t conntrackd.SettingTable) {
	for _, cmd := range root.Commands() {
		usual := cmd.UsageFunc()
		cmd.SetUsageFunc(func(c *cobra.Command) error {
			out := c.OutOrStderr()
			var text bytes.Buffer
			c.SetOut(&text)
			err := usual(c)
			c.SetOut(out)
			if err != nil {
				return err
			}
			_, err = out.Write(bytes.Replace(text.Bytes(), []byte(usages(c.LocalFlags())), []byte(grouped(c.LocalFlags(), t)), 1))
			return err
		})
	}
}

// grouped is the help of flags, those of the advanced settings under their heading.
func grouped(flags *pflag.FlagSet, t conntrackd.SettingTable) string {
	plain, advanced := pflag.NewFlagSet("", 0), pflag.NewFlagSet("", 0)
	flags.VisitAll(func(f *pflag.Flag) {
		of := func(e conntrackd.Setting) bool { return e.Advanced && e.Field.Flag() == f.Name }
		if slices.ContainsFunc(t, of) {
			advanced.AddFlag(f)
		} else {
			plain.AddFlag(f)
		}
	})
	if !advanced.HasFlags() {
		return usages(flags)
	}
	return usages(plain) + "\n\n" + heading + "\n" + usages(advanced)
}

// usages is the help of flags as cobra prints it.
func usages(flags *pflag.FlagSet) string {
	return strings.TrimRightFunc(flags.FlagUsages(), unicode.IsSpace)
}
