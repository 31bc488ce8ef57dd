package netcheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"connsync/lab"
	"connsync/netcheck/check"
)

// The same rules of iptables in the tables of nftables and in the kernel's
// older ones, as iptables-restore takes them. ND is where IPv6 may look for its
// neighbours, FILTER the head of a table in which the way in is closed.
func TestFirewallOfIptables(t *testing.T) {
	const closed = "*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
	const open = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
	in := func(rules ...string) string {
		return closed + "ND" + "-A INPUT " + strings.Join(rules, "\n-A INPUT ") + "\nCOMMIT\n"
	}
	mark := func(target string) string { return "*mangle\n-A PREROUTING -j " + target + "\nCOMMIT\n" }
	cases := []firewallCase{
		{"nothing", open + "COMMIT\n", check.Passed, ""},
		{"policy drop", closed + "NDCOMMIT\n", check.Failed, "chain INPUT of table filter"},
		{"forward alone", "*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\nCOMMIT\n", check.Passed, ""},
		{"the exact rule", in("-i eth1 -s PEER -p udp -m udp --dport 3780 -j ACCEPT"), check.Passed, ""},
		{"other port", in("-i eth1 -s PEER -p udp -m udp --dport 3781 -j ACCEPT"), check.Failed, "policy drop"},
		{"other interface", in("-i eth0 -j ACCEPT"), check.Failed, "policy drop"},
		{"interfaces", in("-i eth+ -j ACCEPT"), check.Passed, ""},
		{"not another interface", in("! -i eth0 -j ACCEPT"), check.Passed, ""},
		{"subnet", in("-s NET -j ACCEPT"), check.Passed, ""},
		{"not another subnet", in("! -s OTHER -j ACCEPT"), check.Passed, ""},
		{"other subnet", in("-s OTHER -j ACCEPT"), check.Failed, "policy drop"},
		{"port range", in("-p udp -m udp --dport 3700:3800 -j ACCEPT"), check.Passed, ""},
		{"not another port", in("-p udp -m udp ! --dport 22 -j ACCEPT"), check.Passed, ""},
		{"ports", in("-p udp -m multiport --dports 22,3780 -j ACCEPT"), check.Passed, ""},
		{"ranges of ports", in("-p udp -m multiport --dports 22,3700:3800 -j ACCEPT"), check.Passed, ""},
		{"other ports", in("-p udp -m multiport --dports 22,3700:3779 -j ACCEPT"), check.Failed, "policy drop"},
		{"not other ports", in("-p udp -m multiport ! --dports 22,23 -j ACCEPT"), check.Passed, ""},
		{"source ports", in("-p udp -m multiport --sports 22,3780 -j ACCEPT"), check.Unknown, "rule"},
		{"source port", in("-p udp -m udp --sport 3780 -j ACCEPT"), check.Unknown, "rule"},
		{"tcp", in("-p tcp -m tcp --dport 3780 -j ACCEPT"), check.Failed, "policy drop"},
		{"established", in("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"), check.Failed, "policy drop"},
		{"established, the old way", in("-m state --state RELATED,ESTABLISHED -j ACCEPT"), check.Failed, "policy drop"},
		{"new", in("-m conntrack --ctstate NEW -j ACCEPT"), check.Passed, ""},
		{"not invalid", in("-m conntrack ! --ctstate INVALID -j ACCEPT"), check.Passed, ""},
		{"comment", in(`-p udp -m udp --dport 3780 -m comment --comment "a \"b\" -j DROP" -j ACCEPT`), check.Passed, ""},
		{"comment like a negation", in(`-p udp -m comment --comment "!" -m udp --dport 3780 -j ACCEPT`), check.Passed, ""},
		{"comment like a target", in(`-p udp -m comment --comment -j -m udp --dport 3780 -j ACCEPT`), check.Passed, ""},
		{"comment like a target, other port", in(`-p udp -m comment --comment -j -m udp --dport 3781 -j ACCEPT`), check.Failed, "policy drop"},
		{"name like a target", in(`-p udp -m udp --dport 3780 -m recent --set --name -g --rsource -j ACCEPT`), check.Unknown, "rule"},
		{"for this node", in("-m addrtype --dst-type LOCAL -j ACCEPT"), check.Passed, ""},
		{"limit", in("-m limit --limit 100/sec -j ACCEPT"), check.Unknown, "rule"},
		{"mark", in("-m mark --mark 0x7 -j ACCEPT"), check.Unknown, "rule"},
		{"log, then accept", in("-j LOG --log-prefix \"in \"", "-p udp -m udp --dport 3780 -j ACCEPT"), check.Passed, ""},
		{"return to the policy", in("-p udp -m udp --dport 3780 -j RETURN", "-j ACCEPT"), check.Failed, "policy drop"},
		{"drop", open + "-A INPUT -p udp -m udp --dport 3780 -j DROP\nCOMMIT\n", check.Failed, "rule 1 in chain INPUT"},
		{"reject", open + "ND-A INPUT -i eth1 -j REJECT\nCOMMIT\n", check.Failed, "in chain INPUT"},
		{"chain", closed + ":web - [0:0]\nND-A INPUT -j web\n-A web -p udp -m udp --dport 3780 -j ACCEPT\nCOMMIT\n", check.Passed, ""},
		{"chain that drops", open + ":web - [0:0]\nND-A INPUT -j web\n-A web -p udp -m udp --dport 3780 -j DROP\nCOMMIT\n", check.Failed, "rule 1 in chain web"},
		{"goto", closed + ":web - [0:0]\nND-A INPUT -g web\n-A INPUT -j ACCEPT\n-A web -p tcp -j ACCEPT\nCOMMIT\n", check.Failed, "policy drop"},
		{"output drop", "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT DROP\nNDOUTCOMMIT\n", check.Failed, "datagrams out"},
		{"output", "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT DROP\nNDOUT-A OUTPUT -o eth1 -d PEER -p udp -m udp --dport 3780 -j ACCEPT\nCOMMIT\n", check.Passed, ""},
		{"untracked", "*raw\n-A PREROUTING -p udp -m udp --dport 3780 -j CT --notrack\nCOMMIT\n" + in("-m conntrack --ctstate NEW -j ACCEPT"), check.Failed, "policy drop"},
		{"untracked is accepted", "*raw\n-A PREROUTING -p udp -m udp --dport 3780 -j CT --notrack\nCOMMIT\n" + in("-m conntrack --ctstate UNTRACKED -j ACCEPT"), check.Passed, ""},
		{"in a zone, not untracked", "*raw\n-A PREROUTING -j CT --zone 1\n-A PREROUTING -p udp -j CT --notrack\nCOMMIT\n" + in("-m conntrack --ctstate UNTRACKED -j ACCEPT"), check.Failed, "policy drop"},
		{"raw drop", "*raw\n-A PREROUTING -p udp -m udp --dport 3780 -j DROP\nCOMMIT\n", check.Failed, "table raw"},
		{"mangle output drop", "*mangle\n-A OUTPUT -p udp -m udp --dport 3780 -j DROP\nCOMMIT\n", check.Failed, "table mangle"},
		{"reverse path", "*raw\n-A PREROUTING -m rpfilter --invert -j DROP\nCOMMIT\n", check.Passed, ""},
		{"redirected", "*nat\n-A PREROUTING -p udp -m udp --dport 3780 -j REDIRECT --to-ports 9\nCOMMIT\n", check.Unknown, "table nat"},
		{"another source is translated later", "*nat\n-A INPUT -p udp -j SNAT --to-source THIRD\nCOMMIT\n" + in("-s PEER -j ACCEPT"), check.Passed, ""},
		{"another source is translated", "*nat\n-A POSTROUTING -p udp -j SNAT --to-source THIRD\nCOMMIT\n*filter\n:OUTPUT DROP\nNDOUT-A OUTPUT -s OWN -j ACCEPT\nCOMMIT\n", check.Passed, ""},
		{"not translated", "*mangle\n-A INPUT -p udp -m conntrack ! --ctstate DNAT -j DROP\nCOMMIT\n", check.Failed, "table mangle"},
		{"translated to the peer's address", "*nat\n-A POSTROUTING -p udp -j SNAT --to-source PEER\nCOMMIT\n", check.Unknown, "table nat"},
		{"a mark that was given", mark("MARK --set-mark 7") + in("-m mark --mark 7 -j ACCEPT"), check.Passed, ""},
		{"another mark was given", mark("MARK --set-mark 7") + in("-m mark --mark 8 -j ACCEPT"), check.Failed, "policy drop"},
		{"not the mark that was given", mark("MARK --set-mark 7") + in("-m mark ! --mark 8 -j ACCEPT"), check.Passed, ""},
		{"bits of a mark", mark("MARK --set-xmark 0x17/0x1f") + in("-m mark --mark 7/0xf -j ACCEPT"), check.Passed, ""},
		{"the mark of a connection", mark("CONNMARK --set-mark 5") + in("-m connmark --mark 5 -j ACCEPT"), check.Passed, ""},
		{"a mark that a connection keeps", "*mangle\n-A PREROUTING -j MARK --set-mark 7\n-A PREROUTING -j CONNMARK --save-mark\n-A PREROUTING -j MARK --set-mark 0\n-A PREROUTING -j CONNMARK --restore-mark\nCOMMIT\n" + in("-m mark --mark 7 -j ACCEPT"), check.Passed, ""},
		{"a mark of some bits that a connection keeps", "*mangle\n-A PREROUTING -j MARK --set-mark 0x17\n-A PREROUTING -j CONNMARK --save-mark --nfmask 0xf --ctmask 0xf\nCOMMIT\n" + in("-m connmark --mark 7/0xf -j ACCEPT"), check.Passed, ""},
		{"others are redirected", "*nat\n-A PREROUTING -p udp -m udp --dport 3781 -j REDIRECT --to-ports 9\nCOMMIT\n", check.Passed, ""},
		{"like ufw", likeUFW, check.Failed, ""},
		{"like ufw with its rule", strings.Replace(likeUFW, "-A ufw-user-input -p tcp", "-A ufw-user-input -i eth1 -p udp -m udp -s PEER -d OWN --dport 3780 -j ACCEPT\n-A ufw-user-input -p tcp", 1), check.Passed, ""},
	}
	// With IPv6 an address has to be of every type that is no question of routes.
	drop := func(match string) string {
		return open + "ND-A INPUT -p udp -m addrtype " + match + " -j DROP\nCOMMIT\n"
	}
	ofFamily := map[int][]firewallCase{
		4: {
			{"for this node or a group", drop("--dst-type LOCAL,MULTICAST"), check.Failed, "in chain INPUT"},
			{"not for a group or everybody", drop("! --dst-type BROADCAST,MULTICAST"), check.Failed, "in chain INPUT"},
			{"from a host or this node", drop("--src-type UNICAST,LOCAL"), check.Failed, "in chain INPUT"},
			{"for a host", drop("--dst-type UNICAST"), check.Passed, ""},
			{"for nobody", drop("--dst-type BLACKHOLE,PROHIBIT"), check.Passed, ""},
		},
		6: {
			{"for this node or a group", drop("--dst-type LOCAL,MULTICAST"), check.Passed, ""},
			{"for a host of this node", drop("--dst-type UNICAST,LOCAL"), check.Failed, "in chain INPUT"},
			{"from a host or this node", drop("--src-type UNICAST,LOCAL"), check.Passed, ""},
			{"for a host", drop("--dst-type UNICAST"), check.Failed, "in chain INPUT"},
			{"with a hop limit", open + "ND-A INPUT -p udp -m hl --hl-eq 64 -j DROP\nCOMMIT\n", check.Unknown, "in chain INPUT"},
			{"not for a group", drop("! --dst-type MULTICAST"), check.Failed, "in chain INPUT"},
		},
	}
	for _, tool := range []string{"nft", "legacy"} {
		for _, family := range []int{4, 6} {
			t.Run(fmt.Sprintf("%s/ipv%d", tool, family), func(t *testing.T) {
				t.Parallel()
				n := newTestNet(t, 0)
				n.settle(n.own, n.peer)
				for _, tt := range slices.Concat(cases, ofFamily[family]) {
					t.Run(tt.name, func(t *testing.T) { n.iptablesCase(t, tool, family, tt) })
				}
			})
		}
	}
}

// noRules empties the tables of iptables.
const noRules = "*raw\nCOMMIT\n*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n"

func (n *testNet) iptablesCase(t *testing.T, tool string, family int, c firewallCase) {
	target := n.families[family]
	neighbours := func(chain string) string {
		if family == 4 {
			return ""
		}
		const rule = "-A %s -p ipv6-icmp -m icmp6 --icmpv6-type %d -j ACCEPT\n"
		return fmt.Sprintf(rule+rule, chain, 135, chain, 136)
	}
	words := strings.NewReplacer("NDOUT", neighbours("OUTPUT"), "ND-A", neighbours("INPUT")+"-A", "NDCOMMIT", neighbours("INPUT")+"COMMIT",
		"THIRD", target.Peer.Addr().Next().String(), "PEER", target.Peer.Addr().String(), "OWN", target.Current.Addr().String(),
		"NET", target.Peer.Masked().String(), "OTHER", map[int]string{4: "10.8.0.0/16", 6: "fd08::/16"}[family])
	n.restore(map[int]string{4: "iptables", 6: "ip6tables"}[family]+"-"+tool+"-restore", noRules+words.Replace(c.rules))
	n.judged(t, target, c.status, c.detail)
}

func (n *testNet) restore(program, rules string) {
	n.t.Helper()
	cmd := n.own.Command(program, "-w")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v: %s\n%s", program, err, out, rules)
	}
}

// A table that nobody can read does not count as passed.
func TestFirewallOfLegacyWithoutItsProgram(t *testing.T) {
	n := newTestNet(t, 0)
	n.restore("iptables-legacy-restore", "*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n")
	f := n.ask(t, func(ctx context.Context) check.Finding {
		if err := lab.Cover("", "/usr/sbin/iptables-legacy-save", "/usr/sbin/iptables-save"); err != nil {
			t.Error(err)
		}
		return n.families[4].Flow.Check(ctx)
	})
	if f.Status != check.Unknown || !strings.Contains(f.Detail, "iptables-legacy") || !strings.HasPrefix(f.Remedy, "iptables-legacy -w -I INPUT") {
		t.Errorf("%v: %s; %s", f.Status, f.Detail, f.Remedy)
	}
}

// likeUFW is the way in through ufw's rules.
const likeUFW = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-after-input - [0:0]
:ufw-user-input - [0:0]
:ufw-not-local - [0:0]
:ufw-skip-to-policy-input - [0:0]
:ufw-before-output - [0:0]
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A OUTPUT -j ufw-before-output
-A ufw-before-output -o lo -j ACCEPT
-A ufw-before-output -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
ND-A INPUT -m comment --comment "the end" -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -j ufw-user-input
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-not-local -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A ufw-after-input -p udp -m udp --dport 137 -j ufw-skip-to-policy-input
-A ufw-skip-to-policy-input -j DROP
COMMIT
`
