package netcheck

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"connsync/netcheck/check"
)

// randomSets is how many sets of rules are made up for each family and program, always the
// same. More find more, such as a few thousand after a change of how rules are followed.
const randomSets = 60

// Rules that are made up of everything that mostly concerns the sync. What the check says of
// them is compared with what the kernel does to datagrams, before and after the remedy.
func TestFirewallOfRandomRules(t *testing.T) {
	t.Parallel()
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("nft/ipv%d", family), func(t *testing.T) {
			t.Parallel()
			randomly(t, family, func(n *testNet, dice *randomRules) {
				n.loaded(n.own.Command("nft", "-f", "-"), "flush ruleset\n"+dice.tables(), nftRefusal)
			})
		})
		for _, tool := range []string{"nft", "legacy"} {
			t.Run(fmt.Sprintf("iptables-%s/ipv%d", tool, family), func(t *testing.T) {
				t.Parallel()
				program := map[int]string{4: "iptables", 6: "ip6tables"}[family] + "-" + tool + "-restore"
				randomly(t, family, func(n *testNet, dice *randomRules) {
					n.run(n.own, "nft", "flush ruleset") // of the remedy before
					n.loaded(n.own.Command(program, "-w"), noRules+dice.iptables(family), iptablesRefusal)
				})
			})
		}
	}
}

func randomly(t *testing.T, family int, load func(*testNet, *randomRules)) {
	n := newTestNet(t, 0)
	n.settle(n.own, n.peer)
	target := n.families[family]
	seen := map[check.Status]int{}
	for seed := range uint64(randomSets) {
		dice := &randomRules{rand.New(rand.NewPCG(seed, uint64(family))), strings.NewReplacer("FAMILY", target.NftFamily(), "ADDRESS", fmt.Sprintf("ipv%d_addr", family),
			"PEER", target.Peer.Addr().String(), "OWN", target.Current.Addr().String(), "THIRD", target.Peer.Addr().Next().String(), "NET", target.Peer.Masked().String())}
		load(n, dice)
		f := n.ask(t, target.Flow.Check)
		seen[f.Status]++
		n.mustBe(t, target, f, seed)
		if f.Status != check.Failed || f.Remedy != target.InstallCommand() {
			continue
		}
		n.heal(t, target, f.Remedy)
		if f = n.ask(t, target.Flow.Check); f.Status == check.Failed {
			t.Errorf("set %d: after the remedy: %s\n%s", seed, f.Detail, n.run(n.own, "nft", "list", "ruleset"))
		}
		n.mustBe(t, target, f, seed)
	}
	if seen[check.Passed] < randomSets/6 || seen[check.Failed] < randomSets/6 {
		t.Errorf("too little was told: %v", seen)
	}
}

// mustBe holds a finding against datagrams.
func (n *testNet) mustBe(t *testing.T, target Target, f check.Finding, seed uint64) {
	t.Helper()
	if f.Status == check.Unknown {
		return
	}
	passes := n.passes(target, map[check.Status]time.Duration{check.Passed: surely, check.Failed: quick}[f.Status])
	if (f.Status == check.Passed) != (passes == "in and out") {
		t.Errorf("set %d: %v: %s, but datagrams pass %s\n%s", seed, f.Status, f.Detail, passes, n.run(n.own, "sh", "-c", "nft list ruleset; iptables-legacy-save; ip6tables-legacy-save"))
	}
}

// nftRefusal and iptablesRefusal find the number of a line in what a program says of it.
var (
	nftRefusal      = regexp.MustCompile(`(?m)^[^:\n]*:(\d+):\d+-\d+: Error`)
	iptablesRefusal = regexp.MustCompile(`line:? ?(\d+)`)
)

// loaded loads rules, without the lines that the program refuses.
func (n *testNet) loaded(program *exec.Cmd, rules string, refusal *regexp.Regexp) {
	n.t.Helper()
	lines := strings.Split(rules, "\n")
	for {
		cmd := exec.Command(program.Path, program.Args[1:]...)
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
		out, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		last, some := -1, false
		for i, l := range lines {
			if isRule(l) {
				last = i
			}
		}
		for _, m := range refusal.FindAllSubmatch(out, -1) {
			at, _ := strconv.Atoi(string(m[1]))
			if at > 0 && at <= len(lines) && isRule(lines[at-1]) {
				lines[at-1], some = "", true
			}
		}
		switch {
		case some:
		case last < 0:
			n.t.Fatalf("%s: %v: %s", program, err, out)
		default: // which it was is not told
			lines[last] = ""
		}
	}
}

// isRule says that a line is a rule, as they are made up here.
func isRule(line string) bool { return strings.HasPrefix(line, " ") || strings.HasPrefix(line, "-A ") }
