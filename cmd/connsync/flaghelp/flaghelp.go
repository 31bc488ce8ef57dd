// Package flaghelp prints the help of connsync's commands, in lines of at most 80 columns,
// and says which flag was meant.
package flaghelp

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/conntrackd"
	"connsync/conntrackd/typed"
)

// width is what a terminal has at least.
const width = 80

// column is where what a command or flag means begins. One whose name is longer has it
// on the next line.
const column = 28

// Use has every command of root print its help by this package. Flags stand in the order
// in which they were defined, the advanced settings under a heading of their own.
//
// It prints no template: with cobra's the linker would have to keep every method of
// every type, since a template may call any of them by its name.
func Use(root *cobra.Command, t conntrackd.SettingTable) {
	root.SetUsageFunc(func(c *cobra.Command) error {
		_, err := io.WriteString(c.OutOrStderr(), usage(c, t))
		return err
	})
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		about := c.Long
		if about == "" {
			about = c.Short
		}
		_, _ = io.WriteString(c.OutOrStdout(), Wrapped(strings.TrimSpace(about), width)+"\n\n"+usage(c, t)) // what is lost of it is told at the end
	})
	var inOrder func(*cobra.Command)
	inOrder = func(c *cobra.Command) {
		c.Flags().SortFlags, c.PersistentFlags().SortFlags = false, false
		for _, sub := range c.Commands() {
			inOrder(sub)
		}
	}
	inOrder(root)
}

func usage(c *cobra.Command, t conntrackd.SettingTable) string {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.Runnable() {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", c.CommandPath())
	}
	if c.HasExample() {
		b.WriteString("\nExamples:\n")
		for line := range strings.Lines(c.Example) {
			b.WriteString(Continued(strings.TrimRight(line, "\n"), width) + "\n")
		}
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nAvailable Commands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				row(&b, "  "+sub.Name(), sub.Short)
			}
		}
	}
	for _, g := range Groups(c, t) {
		b.WriteString("\n" + g.Title + ":\n")
		for _, f := range g.Flags {
			row(&b, "  "+f.Name, f.Usage)
		}
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nUse \"%s [command] --help\" for more information about a command.\n", c.CommandPath())
	}
	return b.String()
}

// row writes a name and what it means beside it, or beneath where it is long.
func row(b *strings.Builder, name, means string) {
	for i, line := range fill(means, width-column) {
		switch {
		case i > 0:
			name = ""
		case utf8.RuneCountInString(name) > column-2:
			b.WriteString(name + "\n")
			name = ""
		}
		fmt.Fprintf(b, "%-*s%s\n", column, name, line)
	}
}

// Flag is a flag as it is shown.
type Flag struct {
	Name  string // with its value: -v, --version or --config file
	Usage string // what it means, with its default
	Value string // the word for its value; blank where it takes none
}

// Group is flags under a heading.
type Group struct {
	Title string
	Flags []Flag
}

// Groups are the flags of a command: its own, those of advanced settings, and those of
// every command.
func Groups(c *cobra.Command, t conntrackd.SettingTable) []Group {
	c.InitDefaultHelpFlag()
	groups := []Group{{Title: "Flags"}, {Title: "Advanced settings"}, {Title: "Global Flags"}}
	add := func(g *Group, f *pflag.Flag) {
		if !f.Hidden {
			g.Flags = append(g.Flags, flagOf(f))
		}
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		of := func(e conntrackd.Setting) bool { return e.Advanced && e.Field.Flag() == f.Name }
		if slices.ContainsFunc(t, of) {
			add(&groups[1], f)
		} else {
			add(&groups[0], f)
		}
	})
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) { add(&groups[2], f) })
	return slices.DeleteFunc(groups, func(g Group) bool { return len(g.Flags) == 0 })
}

func flagOf(f *pflag.Flag) Flag {
	value, usage := pflag.UnquoteUsage(f)
	if value == "string" {
		value = "value"
	}
	shown := Flag{Value: value, Name: "    --" + f.Name, Usage: usage}
	if f.Shorthand != "" {
		shown.Name = "-" + f.Shorthand + ", --" + f.Name
	}
	if value != "" {
		shown.Name += " " + value
	}
	if !slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) {
		standard := f.DefValue
		if f.Value.Type() == "duration" {
			standard = strings.TrimSuffix(standard, "0s") // of 1m0s
		}
		shown.Usage += " (default " + standard + ")"
	}
	return shown
}

// Wrapped is text of which no line has more columns: a paragraph with a longer one is
// filled again, and an indented line that is longer is broken.
func Wrapped(text string, columns int) string {
	long := func(line string) bool { return utf8.RuneCountInString(line) > columns }
	var out []string
	for _, paragraph := range strings.Split(text, "\n\n") {
		lines := strings.Split(paragraph, "\n")
		indented := slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, " ") })
		switch {
		case !slices.ContainsFunc(lines, long):
		case indented:
			for i, line := range lines {
				indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
				lines[i] = indent + strings.Join(fill(line, columns-len(indent)), "\n"+indent)
			}
		default:
			lines = fill(paragraph, columns)
		}
		out = append(out, strings.Join(lines, "\n"))
	}
	return strings.Join(out, "\n\n")
}

// Continued is a line for a shell, which goes on in the next one behind a backslash where
// it has more columns.
func Continued(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	whole := withValue().ReplaceAllString(line, "$1\x00$2")
	parts := fill(whole, columns-len(indent)-len("    ")-len(` \`))
	return strings.ReplaceAll(indent+strings.Join(parts, " \\\n"+indent+"    "), "\x00", " ")
}

// withValue is a flag and the beginning of its value, which stay in one line.
var withValue = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(--[a-z-]+) ([^-|\s])`) })

// fill breaks words into lines; a word that is longer has a line of its own. A line that
// is short enough stays as it is.
func fill(text string, columns int) []string {
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) <= columns {
		return []string{text}
	}
	var lines []string
	for _, word := range strings.Fields(text) {
		last := len(lines) - 1
		if last >= 0 && utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= columns {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// DidYouMean is what may have been meant by a word, of the words that there are,
// as the end of a sentence; blank where none is like it.
func DidYouMean(word, before string, words []string) string {
	list := &cobra.Command{SuggestionsMinimumDistance: 2}
	for _, w := range words {
		list.AddCommand(&cobra.Command{Use: w, Run: func(*cobra.Command, []string) {}})
	}
	like := list.SuggestionsFor(word)
	if len(like) == 0 {
		return ""
	}
	for i := range like {
		like[i] = before + like[i]
	}
	return " (did you mean " + strings.Join(like, " or ") + "?)"
}

// Explain says in a person's words what pflag says of a flag of cmd in those of strconv,
// which flag may have been meant, and where its help is.
func Explain(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		blank   *pflag.ValueRequiredError
		syntax  *pflag.InvalidSyntaxError
		invalid *pflag.InvalidValueError
	)
	see := "see " + cmd.CommandPath() + " --help"
	switch {
	case errors.As(err, &unknown):
		return explainUnknown(cmd, unknown, see)
	case errors.As(err, &blank):
		return fmt.Errorf("--%s needs a value: %s", blank.GetFlag().Name, see)
	case errors.As(err, &syntax):
		return fmt.Errorf("invalid flag %s: %s", typed.Show(syntax.GetSpecifiedFlag()), see)
	case !errors.As(err, &invalid):
		return err
	}
	name, got := invalid.GetFlag().Name, typed.Show(invalid.GetValue())
	switch invalid.GetFlag().Value.Type() {
	case "bool":
		return fmt.Errorf("--%s takes no value, got %s", name, got)
	case "int":
		return fmt.Errorf("--%s takes a whole number, got %s", name, got)
	case "duration":
		return fmt.Errorf("--%s takes a duration, such as 90s, got %s", name, got)
	}
	return err
}

// explainUnknown is for a flag that cmd does not have. A word behind one dash is read as
// flags of one letter each, and may be meant as one flag.
func explainUnknown(cmd *cobra.Command, err *pflag.NotExistError, see string) error {
	given, name := "--"+err.GetSpecifiedName(), err.GetSpecifiedName()
	if letters := err.GetSpecifiedShortnames(); letters != "" {
		given, name = "-"+letters, letters
	} else if with := GoesWith(cmd, name); with != "" {
		return errors.New(given + " " + with)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	like := ""
	if len(name) > 1 {
		like = DidYouMean(name, "--", names)
	}
	if shown := typed.Show(given); shown != `"`+given+`"` {
		given = shown // long, or not printable
	}
	return fmt.Errorf("unknown flag: %s%s: %s", given, like, see)
}

// GoesWith says that a flag is one of the commands below cmd, as the end of a sentence;
// blank where none has it.
func GoesWith(cmd *cobra.Command, flag string) string {
	for _, c := range cmd.Commands() {
		if f := c.LocalFlags().Lookup(flag); f != nil && c.IsAvailableCommand() {
			return fmt.Sprintf("goes with a command, such as %s --%s", c.CommandPath(), flag)
		}
	}
	return ""
}
