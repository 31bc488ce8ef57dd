package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

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
	if len(rows) < 8 {
		t.Fatalf("%d commands are in the table; is this where they are?", len(rows))
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
	unseen := regexp.MustCompile(`(?m)^unknown .*|^.*(?:could not check|could not be (?:seen|looked at)|not permitted|[pP]ermission denied).*$`)
	for _, row := range rows {
		set := "-all"
		if row[2] != "none" {
			for _, capability := range strings.Split(row[2], ", ") {
				set += ",+" + strings.ToLower(strings.TrimPrefix(capability, "CAP_"))
			}
		}
		words := append([]string{"setpriv", "--bounding-set=" + set, "--inh-caps=-all", "--", program}, strings.Fields(row[1])...)
		if said := unseen.FindString(run(p.A.Node, words...)); said != "" {
			t.Errorf("connsync %s with %s: %s", row[1], row[2], said)
		}
	}
}
