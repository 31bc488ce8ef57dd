package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/lab"
)

// The capabilities that SECURITY.md gives for a command are all that it needs: it ends
// well, and reads everything it needs.
func TestCapabilitiesSuffice(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `connsync ([^`]+)` \\| ([^|]+) \\|$").FindAllStringSubmatch(string(text), -1)
	form := regexp.MustCompile("(?m)^\\| `connsync` \\(the form\\), `connsync (setup)` \\| ([^|]+) \\|$").FindStringSubmatch(string(text))
	if len(rows) < 8 || form == nil {
		t.Fatalf("%d commands and %q are in the table; is this where they are?", len(rows), form)
	}
	for _, cmd := range newRoot(streams{}, conntrackd.NewSettingTable()).Commands() {
		of := func(row []string) bool { return strings.Fields(row[1])[0] == cmd.Name() }
		if cmd.IsAvailableCommand() && !slices.ContainsFunc(append(rows, form), of) {
			t.Errorf("SECURITY.md does not say what connsync %s needs", cmd.Name())
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	p, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	program := build(t)
	run := func(n *lab.Node, words ...string) string {
		t.Helper()
		var out strings.Builder
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Stdout, cmd.Stderr = &out, &out
		err := n.Start(cmd)
		if err == nil {
			err = cmd.Wait()
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, &out)
		}
		return out.String()
	}
	run(p.B.Node, program, "apply", "--enable", "--first-node", "--interface", "eth1", "--current-ip", "10.0.0.102/24", "--peer-ip", "10.0.0.101/24")
	run(p.A.Node, program, "apply", "--enable", "--interface", "eth1", "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24")
	// What starts conntrackd again is known of no node of the lab, whatever may be looked at.
	unmanaged := regexp.MustCompile(`(?m)^unknown .*(?:no service manager runs conntrackd|what starts it otherwise, and whether that has them sent, is not known).*$`)
	hidden := regexp.MustCompile(`(?m)^unknown .*|^.*(?:could not check|could not be (?:seen|looked at)|not permitted|[pP]ermission denied).*$`)
	unseen := func(out string) string { return hidden.FindString(unmanaged.ReplaceAllString(out, "")) }
	with := func(capabilities string, words ...string) []string {
		set := "-all"
		if capabilities != "none" {
			for _, capability := range strings.Split(capabilities, ", ") {
				set += ",+" + strings.ToLower(strings.TrimPrefix(capability, "CAP_"))
			}
		}
		return append([]string{"setpriv", "--bounding-set=" + set, "--inh-caps=-all", "--"}, words...)
	}
	for _, row := range rows {
		words := with(row[2], append([]string{program}, strings.Fields(row[1])...)...)
		if said := unseen(run(p.A.Node, words...)); said != "" {
			t.Errorf("connsync %s with %s: %s", row[1], row[2], said)
		}
	}
	typed := `printf '%s\n' enable eth1 10.0.0.101/24 10.0.0.102/24 3780 512K . y q | "$0" --plain`
	out := run(p.A.Node, with(form[2], "sh", "-c", typed, program)...)
	if said := unseen(out); said != "" || !strings.Contains(out, "Saved, and in force.") {
		t.Errorf("the form with %s: %s\n%s", form[2], said, out)
	}
}
