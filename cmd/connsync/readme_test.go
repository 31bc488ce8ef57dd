package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/conntrackd"
	"connsync/netcheck/check"
	"connsync/node"
)

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The table of checks in the README is the plan: every id, in order, with what
// a failure means.
func TestReadmeListsTheChecks(t *testing.T) {
	n, err := node.Find(t.Context(), node.Options{Config: "/nowhere/conntrackd.conf", RunBy: "none"})
	if err != nil {
		t.Fatal(err)
	}
	severity := func(firstNode bool) ([]check.ID, map[check.ID]check.Severity) {
		var ids []check.ID
		of := map[check.ID]check.Severity{}
		for _, c := range n.Plan(t.Context(), conntrackd.Defaults(), firstNode) {
			ids = append(ids, c.ID)
			of[c.ID] = c.Severity
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
		want = append(want, string(id)+": "+meaning)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| .* \\| ((?:blocker|warning).*) \\|$").FindAllStringSubmatch(readme(t), -1) {
		got = append(got, row[1]+": "+row[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-plan +README):\n%s", diff)
	}
}

func TestReadmeNamesEveryCommandAndFlag(t *testing.T) {
	text := readme(t)
	root := newRoot(streams{}, conntrackd.NewSettingTable())
	for _, cmd := range append([]*cobra.Command{root}, root.Commands()...) {
		if cmd.Name() == "help" {
			continue
		}
		if !strings.Contains(text, "`"+cmd.CommandPath()+"`") {
			t.Errorf("command %q is not in the README", cmd.CommandPath())
		}
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !regexp.MustCompile("--"+regexp.QuoteMeta(f.Name)+`\b`).MatchString(text) {
				t.Errorf("flag --%s of %s is not in the README", f.Name, cmd.CommandPath())
			}
		})
	}
}
