package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
)

// commands are root and all commands below it, with their names from connsync on.
func commands(root *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{root.CommandPath(): root}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			for name, below := range commands(c) {
				all[name] = below
			}
		}
	}
	return all
}

// The help of every command fits into a terminal, has an example and says the exit
// statuses. No flag has a default that says nothing.
func TestHelpFitsAndIsWhole(t *testing.T) {
	for name := range commands(newRoot(streams{}, conntrackd.NewSettingTable())) {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			root := newRoot(streams{out: &out, err: &out}, conntrackd.NewSettingTable())
			root.SetArgs(append(strings.Fields(name)[1:], "--help"))
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			help := out.String()
			for line := range strings.Lines(help) {
				if columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); columns > 80 {
					t.Errorf("%d columns: %s", columns, line)
				}
			}
			for _, part := range []string{"\nUsage:\n  connsync", "\nExit status: ", "\nExamples:\n  ", "\nFlags:\n", " help for "} {
				if !strings.Contains(help, part) {
					t.Errorf("it does not have %q:\n%s", part, help)
				}
			}
			if odd := regexp.MustCompile(`\[=|default (false|0s?|"")\)|-- string|true\|false`).FindString(help); odd != "" {
				t.Errorf("it has %q:\n%s", odd, help)
			}
		})
	}
}

// A flag stands behind the one that its help leans on.
func TestHelpHasTheFlagsInTheirOrder(t *testing.T) {
	var out strings.Builder
	root := newRoot(streams{out: &out, err: &out}, conntrackd.NewSettingTable())
	root.SetArgs([]string{"apply", "--help"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, flag := range []string{"enable", "disable", "interface", "current-ip", "peer-ip", "port", "send-buffer", "receive-buffer", "netlink-buffer-size", "netlink-buffer-max-growth", "config"} {
		next := strings.Index(out.String()[at:], "  --"+flag+" ")
		if next < 0 {
			t.Errorf("--%s is not behind the ones before it", flag)
			continue
		}
		at += next
	}
}
