package packaging

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// The quickstart works as it is written, on two Debians with the package: each
// block of commands that names its node is typed there, in the page's order.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	path := deb(t, goarch)
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	netA, netB := syncLink(t, "10.0.0.101/24", "10.0.0.102/24")
	machines := map[string]*lab.Machine{}
	for name, network := range map[string]*lab.Namespace{"node A": netA, "node B": netB} {
		machine, err := lab.Boot(ctx, lab.MachineOptions{Name: strings.ReplaceAll(name, " ", "-"), Network: network})
		if err != nil {
			t.Fatal(err)
		}
		defer machine.Close()
		if err := machine.CopyIn(path, "/root/connsync.deb"); err != nil {
			t.Fatal(err)
		}
		machines[name] = machine
		if out, err := machine.Run(ctx, "dpkg", "-i", "/root/connsync.deb"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	typed := 0
	for _, block := range blocksOf(t, "../docs/quickstart.md") {
		for _, node := range []string{"node A", "node B"} {
			if block.node != node && block.node != "both nodes" {
				continue
			}
			for line := range strings.Lines(block.commands) {
				typed++
				out, err := machines[node].Run(ctx, "sh", "-c", line)
				if err != nil {
					t.Fatalf("%s: %s: %v\n%s", node, line, err, out)
				}
			}
		}
	}
	if typed < 6 {
		t.Fatalf("%d commands were typed; does the page name their nodes?", typed)
	}
}

// README has the same commands.
func TestQuickstartOfReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocksOf(t, "../docs/quickstart.md") {
		for line := range strings.Lines(block.commands) {
			if strings.HasPrefix(block.node, "node") && !strings.Contains(string(readme), "\n"+line) {
				t.Errorf("README.md has no line %s", line)
			}
		}
	}
}

// block is one of commands in a page, and where they are typed.
type block struct{ node, commands string }

// blocksOf are the blocks of a page that have a comment with their node before them.
func blocksOf(t *testing.T, name string) []block {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range regexp.MustCompile("(?s)<!-- ([a-zA-Z ]+) -->\n```\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
		blocks = append(blocks, block{node: m[1], commands: m[2]})
	}
	return blocks
}
