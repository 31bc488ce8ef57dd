package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/live"
	"connsync/node"
	"connsync/tui/text"
)

// page is a file of the documentation.
func page(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// pages are README and all of docs, by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(names) < 10 {
		t.Fatalf("docs has %d pages: %v", len(names), err)
	}
	all := map[string]string{"README.md": page(t, "README.md")}
	for _, name := range names {
		name = "docs/" + filepath.Base(name)
		all[name] = page(t, name)
	}
	return all
}

// mildly are the blockers with a finding that is [check.Finding.Mild].
var mildly = []check.ID{
	netcheck.CheckCarrier, netcheck.CheckDuplicateAddress, netcheck.CheckSameSubnet, netcheck.CheckRoute, netcheck.CheckPeerPing, netcheck.CheckPeerPort, netcheck.CheckConntrack, "daemon",
}

// The table of checks is the plan: every id, in order, with what a failure means, and
// where it is a warning of a blocker.
func TestPagesListTheChecks(t *testing.T) {
	n, err := node.Find(t.Context(), node.Options{Config: "/nowhere/conntrackd.conf", RunBy: "none"})
	if err != nil {
		t.Fatal(err)
	}
	titles := map[check.ID]string{}
	severity := func(firstNode bool) ([]check.ID, map[check.ID]check.Severity) {
		var ids []check.ID
		of := map[check.ID]check.Severity{}
		for _, c := range n.Plan(t.Context(), conntrackd.Defaults(), firstNode) {
			ids = append(ids, c.ID)
			of[c.ID], titles[c.ID] = c.Severity, c.Title
		}
		return ids, of
	}
	ids, always := severity(false)
	_, first := severity(true)
	var want, got []string
	for _, id := range ids {
		meaning := "warning"
		switch {
		case first[id] == check.Blocker:
			meaning = "blocker"
		case always[id] == check.Blocker:
			meaning = "blocker; warning with `--first-node`"
		}
		if slices.Contains(mildly, id) {
			meaning += ", where"
		}
		want = append(want, string(id)+": "+titles[id]+": "+meaning)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([^|]+) \\| [^|]+ \\| [^|]+ \\| ((?:blocker|warning)[^|]*) \\|$")
	for _, m := range row.FindAllStringSubmatch(page(t, "docs/checks.md"), -1) {
		meaning := m[3]
		for _, mild := range []string{"; warning where ", ", or where "} {
			if before, _, ok := strings.Cut(meaning, mild); ok {
				meaning = before + ", where"
			}
		}
		got = append(got, m[1]+": "+m[2]+": "+meaning)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-plan +docs/checks.md):\n%s", diff)
	}
	for _, c := range live.Plan(netcheck.Target{}) {
		if row := "\n| `" + string(c.ID) + "` | " + c.Title + " | "; !strings.Contains(page(t, "docs/checks.md"), row) {
			t.Errorf("docs/checks.md has no row %s", row)
		}
	}
}

// The table of settings is the program's: label, flags and default of each, in
// order. README's shorter one has those that the form asks for.
func TestPagesListTheSettings(t *testing.T) {
	table := conntrackd.NewSettingTable()
	defaults := table.Values(table.Defaults())
	var all, asked []string
	for _, e := range table {
		flags, standard := "`--"+e.Field.Flag()+"`", defaults[e.Field]
		if e.Field == conntrackd.FieldEnabled {
			flags, standard = "`--enable`, `--disable`", "disabled"
		}
		if e.Optional {
			standard = e.Standard
		}
		row := e.Label + " | " + flags + " | " + standard
		all = append(all, row)
		if !e.Advanced {
			asked = append(asked, row)
		}
	}
	for name, want := range map[string][]string{"docs/settings.md": all, "README.md": asked} {
		var got []string
		row := regexp.MustCompile("(?m)^\\| ([A-Z][A-Za-z ]+)[,:]?[^|]* \\| (`--[^|]+`) \\|(?: .* \\|)? ([^|]+) \\|$")
		for _, m := range row.FindAllStringSubmatch(page(t, name), -1) {
			standard := m[3]
			if standard == "blank" || standard == "none" && m[1] != "Ignored Addresses" {
				standard = ""
			}
			got = append(got, m[1]+" | "+m[2]+" | "+standard)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings (-program +%s):\n%s", name, diff)
		}
	}
}

// What the fingerprint is over is said from the table of settings: in the help of peer, in
// its advice where the fingerprints differ, and in the page.
func TestFingerprintIsExplainedFromTheTable(t *testing.T) {
	table := conntrackd.NewSettingTable()
	covers := text.FingerprintCovers(table)
	for _, e := range table {
		if e.Shared != strings.Contains(covers, e.Label) {
			t.Errorf("%s: shared %t; the fingerprint is said to be over %s", e.Label, e.Shared, covers)
		}
	}
	var out strings.Builder
	different := false
	_ = peered{text.Peered{Fingerprint: "0000-0000", Expected: "1111-1111", Equal: &different}}.print(streams{out: &out}, table, nil, "", false)
	for name, said := range map[string]string{"peer --help": peerHelp(table), "peer --expect": out.String(), "docs/settings.md": page(t, "docs/settings.md")} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), covers) {
			t.Errorf("%s does not have %q:\n%s", name, covers, said)
		}
	}
}

func TestPagesNameEveryCommandAndFlag(t *testing.T) {
	text := ""
	for _, page := range pages(t) {
		text += page
	}
	root := newRoot(streams{}, conntrackd.NewSettingTable())
	for _, cmd := range append([]*cobra.Command{root}, root.Commands()...) {
		if cmd.Name() == "help" {
			continue
		}
		for _, name := range []string{"README.md", "docs/commands.md"} {
			if !strings.Contains(page(t, name), "\n| `"+cmd.CommandPath()+"` | ") {
				t.Errorf("%s: command %q is not in the table", name, cmd.CommandPath())
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !regexp.MustCompile("--"+regexp.QuoteMeta(f.Name)+`\b`).MatchString(text) {
				t.Errorf("flag --%s of %s is in no page", f.Name, cmd.CommandPath())
			}
		})
	}
}

// commandLines are the calls of connsync that a page shows: in code, in tables and
// in text.
func commandLines(text string) []string {
	var lines []string
	blocks := strings.Split(text, "```")
	for i, block := range blocks {
		if i%2 == 1 {
			for line := range strings.Lines(block) {
				lines = append(lines, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|;#\"\n", r) })...)
			}
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(block, -1) {
			lines = append(lines, strings.FieldsFunc(m[1], func(r rune) bool { return r == '|' || r == '"' })...)
		}
	}
	var calls []string
	for _, line := range lines {
		if m := regexp.MustCompile(`(?:^|[\s/])connsync( [a-z-].*)$`).FindStringSubmatch(line); m != nil {
			calls = append(calls, strings.TrimSpace(m[1]))
		}
	}
	return calls
}

// Every call of connsync in the pages is one that the program takes as it stands there.
func TestPagesCommandsAreAccepted(t *testing.T) {
	calls := 0
	for name, text := range pages(t) {
		for _, call := range commandLines(text) {
			calls++
			root := newRoot(streams{}, conntrackd.NewSettingTable())
			root.InitDefaultCompletionCmd()
			root.InitDefaultVersionFlag()
			words := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(call, -1)
			if i := slices.Index(words, "N"); i >= 0 {
				words[i] = "12" // the number of a save
			}
			cmd, args, err := root.Find(words)
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err == nil && cmd.Flags().NArg() > 0 {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: connsync %s: %v", name, call, err)
			}
		}
	}
	if calls < 50 {
		t.Errorf("%d calls were found; is this where they are?", calls)
	}
}
