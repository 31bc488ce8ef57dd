// Package manpage writes the manual pages: from the commands, and from the tables of the
// documentation, so that both say the same. The packages' build uses it; the program does
// not have it.
package manpage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/flaghelp"
	"connsync/conntrackd"
)

// section is a part of a page that a table of the documentation has.
type section struct {
	title string
	page  string // in docs
	head  string // the first cells of the table's head, by which it is known
	term  []int  // the columns of what is explained
	says  []int  // the columns that explain it
	last  string // stands before the last of them
}

var (
	keys     = section{"KEYS", "console.md", "| key | on the form |", []int{0}, []int{1}, ""}
	status   = section{"KEYS OF THE STATUS SCREEN", "status.md", "| key | does |", []int{0}, []int{1}, ""}
	verdicts = section{"VERDICTS", "status.md", "| verdict | sentence |", []int{0, 1}, []int{2, 3}, "exit status "}
	checks   = section{"CHECKS", "checks.md", "| id | title | asks | remedy |", []int{0, 1}, []int{2, 4}, "when it fails: "}
	exits    = section{"EXIT STATUS", "commands.md", "| status | means |", []int{0}, []int{1, 2}, "status: "}
	files    = section{"FILES", "commands.md", "| file | is |", []int{0}, []int{1}, ""}
	environ  = section{"ENVIRONMENT", "commands.md", "| variable | means |", []int{0}, []int{1}, ""}
)

// own are the sections that some commands have beside those of every page, by the path of
// the command.
var own = map[string][]section{
	"connsync":        {keys, status, verdicts, checks},
	"connsync status": {verdicts, status},
	"connsync check":  {checks},
	"connsync apply":  {checks},
	"connsync setup":  {keys},
}

// Source is what the pages are made from.
type Source struct {
	Table   conntrackd.SettingTable
	Docs    string // the directory of the documentation
	Version string
}

// Write writes a page for root and for every command below it into dir.
func (s Source) Write(root *cobra.Command, dir string) error {
	page, err := s.page(root)
	if err != nil {
		return err
	}
	name := strings.ReplaceAll(root.CommandPath(), " ", "-") + ".8"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o644); err != nil {
		return err
	}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			if err := s.Write(c, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s Source) page(c *cobra.Command) (string, error) {
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 8 \"\" \"connsync %s\" \"System Administration\"\n.nh\n.ad l\n", strings.ToUpper(escaped(name)), s.Version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", escaped(name), escaped(c.Short))
	synopsis := strings.TrimSuffix(strings.TrimPrefix(c.UseLine(), c.CommandPath()), " [flags]")
	fmt.Fprintf(&b, "\\fB%s\\fP%s [\\fIflags\\fP]\n", escaped(c.CommandPath()), escaped(synopsis))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, ".br\n\\fB%s\\fP \\fIcommand\\fP [\\fIflags\\fP]\n", escaped(c.CommandPath()))
	}
	about, exit, found := strings.Cut(c.Long, "Exit status: ")
	if !found {
		return "", fmt.Errorf("the help of %s does not say its exit status", c.CommandPath())
	}
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(about))
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				entry(&b, "\\fB"+escaped(sub.Name())+"\\fP", escaped(sub.Short))
			}
		}
	}
	for _, g := range flaghelp.Groups(c, s.Table) {
		title := map[string]string{"Flags": "OPTIONS", "Global Flags": "OPTIONS OF EVERY COMMAND"}[g.Title]
		if title == "" {
			title = strings.ToUpper(g.Title)
		}
		b.WriteString(".SH " + title + "\n")
		for _, f := range g.Flags {
			option := strings.TrimSpace(f.Name)
			term := "\\fB" + escaped(option) + "\\fP"
			if f.Value != "" {
				term = "\\fB" + escaped(strings.TrimSuffix(option, " "+f.Value)) + "\\fP \\fI" + escaped(f.Value) + "\\fP"
			}
			entry(&b, term, escaped(f.Usage))
		}
	}
	b.WriteString(".SH EXAMPLES\n" + paragraphs(strings.TrimRight(c.Example, "\n")))
	for _, t := range append(slices.Clone(own[c.CommandPath()]), files, environ) {
		if err := s.table(&b, t); err != nil {
			return "", err
		}
	}
	if c.HasParent() {
		b.WriteString(".SH EXIT STATUS\n" + paragraphs(exit))
	} else if err := s.table(&b, exits); err != nil {
		return "", err
	}
	b.WriteString(".SH SEE ALSO\n" + seeAlso(c) + "\n.PP\nThe documentation in /usr/share/doc/connsync has the rest; docs/json there has a schema of what each command prints with \\fB\\-\\-json\\fP.\n")
	return b.String(), nil
}

// seeAlso are the pages above and below a command.
func seeAlso(c *cobra.Command) string {
	var pages []string
	if c.HasParent() {
		pages = append(pages, c.Parent().CommandPath())
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			pages = append(pages, sub.CommandPath())
		}
	}
	for i, p := range pages {
		pages[i] = "\\fB" + escaped(strings.ReplaceAll(p, " ", "-")) + "\\fP(8)"
	}
	return strings.Join(append(pages, "\\fBconntrackd\\fP(8)", "\\fBconntrackd.conf\\fP(5)"), ",\n")
}

// table writes a section from its table.
func (s Source) table(b *strings.Builder, t section) error {
	content, err := os.ReadFile(filepath.Join(s.Docs, t.page))
	if err != nil {
		return err
	}
	_, table, found := strings.Cut(string(content), "\n"+t.head)
	if !found {
		return fmt.Errorf("%s has no table that begins with %s", t.page, t.head)
	}
	b.WriteString(".SH " + t.title + "\n")
	for i, line := range strings.Split(table, "\n") {
		if i < 2 {
			continue // the head and the line beneath it
		}
		if !strings.HasPrefix(line, "| ") {
			break
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00"), "|")
		join := func(columns []int, by, last string) string {
			var words []string
			for i, n := range columns {
				if n >= len(cells) {
					continue
				}
				cell := strings.TrimSpace(strings.ReplaceAll(cells[n], "\x00", "|"))
				if cell != "" && i > 0 && i == len(columns)-1 {
					cell = last + cell
				}
				if cell != "" {
					words = append(words, inline(cell))
				}
			}
			return strings.Join(words, by)
		}
		entry(b, join(t.term, " \\- ", ""), join(t.says, "; ", t.last))
	}
	return nil
}

// entry is a term with what it means; both are roff.
func entry(b *strings.Builder, term, means string) {
	fmt.Fprintf(b, ".TP\n%s\n%s\n", term, means)
}

// columns are those of a line that man shows as it is: man indents it by seven, and a
// terminal has 80.
const columns = 80 - 7

// paragraphs is plain text as roff: of what is indented the lines stay, for a shell.
func paragraphs(text string) string {
	var b strings.Builder
	for i, p := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(p, " ") {
			lines := strings.Split(p, "\n")
			for i, line := range lines {
				lines[i] = flaghelp.Continued(line, columns)
			}
			b.WriteString(".nf\n" + escaped(strings.Join(lines, "\n")) + "\n.fi\n")
		} else {
			b.WriteString(escaped(p) + "\n")
		}
	}
	return b.String()
}

// inline is a cell of a table as roff: code is bold, and a link is its text.
func inline(cell string) string {
	var b strings.Builder
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			b.WriteString("\\fB" + escaped(part) + "\\fP")
			continue
		}
		for {
			before, rest, found := strings.Cut(part, "](")
			if !found {
				break
			}
			_, after, _ := strings.Cut(rest, ")")
			part = strings.Replace(before, "[", "", 1) + after
		}
		b.WriteString(escaped(strings.ReplaceAll(part, "*", "")))
	}
	return strings.TrimSpace(b.String())
}

// escaped is text in which roff sees nothing of its own.
func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
