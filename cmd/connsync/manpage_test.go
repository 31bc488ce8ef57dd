package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"connsync/cmd/connsync/manpage"
	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/netcheck"
)

// Every command has a page with all its parts: the flags as they are typed, and files,
// environment, verdicts, checks and keys as the documentation has them.
func TestManualPagesAreWhole(t *testing.T) {
	dir := t.TempDir()
	root := newRoot(streams{}, conntrackd.NewSettingTable())
	if err := (manpage.Source{Table: conntrackd.NewSettingTable(), Docs: "../../docs", Version: "1"}).Write(root, dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".8"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	for name := range commands(root) {
		page := read(name)
		for _, part := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "FILES", "ENVIRONMENT", "EXIT STATUS", "SEE ALSO"} {
			if strings.Count(page, "\n.SH "+part+"\n") != 1 {
				t.Errorf("%s(8) has not one part %s", name, part)
			}
		}
		if odd := regexp.MustCompile("=false|=0s|\\[=|`|\\]\\(|(?m)^\\.TP\n\n|^\\.[a-z]*[^a-zA-Z \n].*").FindString(page); odd != "" {
			t.Errorf("%s(8) has %q", name, odd)
		}
		for _, part := range strings.Split(page, "\n.nf\n")[1:] {
			asTyped, _, _ := strings.Cut(part, "\n.fi\n")
			for _, line := range strings.Split(strings.NewReplacer(`\e`, `\`, `\(aq`, "'", `\`, "").Replace(asTyped), "\n") {
				if len(line) > 80-7 { // by which man indents it
					t.Errorf("%s(8) has a line that a terminal of 80 columns does not: %q", name, line)
				}
			}
		}
	}
	page := read("connsync")
	wanted := []string{"/var/lib/connsync/prepared.json", "NO_COLOR", "Ctrl+O", "Esc"}
	for _, v := range health.Verdicts() {
		wanted = append(wanted, string(v))
	}
	for _, c := range netcheck.Plan(netcheck.Target{}) {
		wanted = append(wanted, string(c.ID), c.Title)
	}
	for _, want := range wanted {
		if !strings.Contains(strings.ReplaceAll(page, `\-`, "-"), want) {
			t.Errorf("connsync(8) does not have %q", want)
		}
	}
}
