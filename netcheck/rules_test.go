package netcheck

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connsync/netcheck/check"
)

// Rules that mark the datagrams send them another way, where a policy rule asks for marks.
func TestMarkedWay(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		program := map[int]string{4: "iptables", 6: "ip6tables"}[target.Family()]
		nft := func(kind string) string {
			return "nft 'table inet f { chain c { type " + kind + " hook output priority -150; udp dport 3780 meta mark set 7; }; }'"
		}
		for _, tt := range []struct {
			name, do string
			status   check.Status // where a rule asks for marks
		}{
			{"route", nft("route"), check.Unknown},
			{"filter", nft("filter"), check.Passed},
			{"iptables-nft", program + "-nft -t mangle -A OUTPUT -p udp -j MARK --set-mark 7", check.Unknown},
			{"iptables-legacy", program + "-legacy -t mangle -A OUTPUT -p udp -j MARK --set-mark 7", check.Unknown},
		} {
			n.run(n.own, "sh", "-ec", tt.do)
			rule := fmt.Sprintf("-%d", target.Family())
			for i, want := range []check.Status{check.Passed, tt.status} {
				if i > 0 {
					n.run(n.own, "ip", rule, "rule", "add", "fwmark", "7", "blackhole", "pref", "9")
				}
				within := map[bool]time.Duration{true: surely, false: quick}[want == check.Passed]
				got, f := n.passes(target, within), n.ask(t, target.Flow.Check)
				if f.Status != want || (got == "in and out") != (want == check.Passed) {
					t.Errorf("%s: %v: %s; datagrams pass %s", tt.name, f.Status, f.Detail, got)
				}
			}
			n.run(n.own, "sh", "-ec", "nft flush ruleset; "+program+"-legacy -t mangle -F; ip "+rule+" rule del pref 9")
		}
	})
}

// Rules that read the way back of what comes in ask for the answer's, from this node's address
// and through any interface.
func TestReversePath(t *testing.T) {
	t.Parallel()
	const nft = "nft 'table inet f { chain c { type filter hook prerouting priority -300; udp dport 3780 fib saddr . iif oif missing drop; }; }'"
	const rpfilter = " -t raw -A PREROUTING -p udp -m rpfilter --invert -j DROP"
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		ip, program := fmt.Sprintf("ip -%d ", target.Family()), map[int]string{4: "iptables", 6: "ip6tables"}[target.Family()]
		n.run(n.own, "sh", "-ec", "ip link add eth2 type veth peer name other; ip link set eth2 up; ip link set other up; "+
			ip+"route add default dev eth2 table 100; "+ip+"rule add pref 50 from "+target.Current.Addr().String()+" lookup 100")
		for _, rules := range []string{nft, program + "-nft" + rpfilter, program + "-legacy" + rpfilter} {
			n.run(n.own, "sh", "-ec", rules)
			for _, tt := range []struct {
				do     string // to the table that is asked
				status check.Status
				passes string
			}{{"", check.Unknown, "out"}, {"add", check.Passed, "in and out"}, {"del", check.Unknown, "out"}} {
				if tt.do != "" {
					n.run(n.own, "sh", "-ec", fmt.Sprintf("%sroute %s %v dev eth1 table 100", ip, tt.do, target.Peer.Masked()))
				}
				got, f := n.passes(target, map[bool]time.Duration{true: surely, false: quick}[tt.status == check.Passed]), n.ask(t, target.Flow.Check)
				if f.Status != tt.status || got != tt.passes {
					t.Errorf("%s: %v: %s; datagrams pass %s, want %s", rules, f.Status, f.Detail, got, tt.passes)
				}
			}
			n.run(n.own, "sh", "-ec", "nft flush ruleset; "+program+"-legacy -t raw -F")
		}
	})
}

// Policy rules, whatever they ask for. What the check of the route says is compared with
// what becomes of datagrams, before and after the command that it advises.
func TestPolicyRules(t *testing.T) {
	t.Parallel()
	// Behind the rules that are added, what comes in is looked up again.
	const late = "ip rule add pref 200 lookup local; ip rule del pref 0; "
	const elsewhere = "ip route add default dev eth2 table 100; "
	for _, tt := range []struct {
		name, do string
		passes   string // at every try; blank where that is chance
		status   check.Status
		detail   string
		left     string // of the rules, after the remedy
	}{
		{"two of one preference", "ip rule add pref 50 to THIRD prohibit; ip rule add pref 50 to PEER prohibit", "in", check.Failed, "prohibit route or rule forbids", "from all to THIRD prohibit"},
		{"two of one preference, the other way round", "ip rule add pref 50 to PEER prohibit; ip rule add pref 50 to THIRD prohibit", "in", check.Failed, "prohibit route or rule forbids", "from all to THIRD prohibit"},
		{"several of one preference", "ip rule add pref 50 ipproto udp dport 3000-3779 blackhole; ip rule add pref 50 ipproto udp dport 3780-4000 blackhole; ip rule add pref 50 ipproto tcp blackhole", "in", check.Failed,
			"blackhole route or rule swallows", "ipproto udp dport 3000-3779 blackhole"},
		{"one that is more special before it", "ip rule add pref 50 to PEER fwmark 9 prohibit; ip rule add pref 50 to PEER prohibit", "in", check.Failed, "prohibit route or rule forbids", "fwmark 0x9 prohibit"},
		{"from Current IP", "ip rule add pref 50 from OWN prohibit", "in and out", check.Failed, "prohibit route or rule forbids packets to PEER from OWN", ""},
		{"from Current IP, unreachable", "ip rule add pref 50 from OWN unreachable", "in and out", check.Failed, "an unreachable policy rule refuses packets to PEER from OWN", ""},
		{"another from Current IP before it", "ip rule add pref 40 from OWN prohibit; ip rule add pref 50 to PEER unreachable", "in", check.Failed, "an unreachable policy rule refuses packets to PEER", "from OWN prohibit"},
		{"unreachable", "ip rule add pref 50 to PEER unreachable", "in", check.Failed, "an unreachable policy rule refuses packets to PEER", ""},
		{"unreachable for a port", "ip rule add pref 50 ipproto udp dport 3780 unreachable", "in", check.Failed, "an unreachable policy rule refuses packets to PEER", ""},
		{"unreachable for what this node sends", "ip rule add pref 50 iif lo unreachable", "in", check.Failed, "an unreachable policy rule refuses packets to PEER", ""},
		{"unreachable for root", "ip rule add pref 50 uidrange 0-9 unreachable", "in", check.Failed, "an unreachable policy rule refuses packets to PEER", ""},
		{"unreachable for all without a mark", "ip rule add pref 50 fwmark 0/0xff unreachable", "in", check.Failed, "an unreachable policy rule refuses packets to PEER", ""},
		{"unreachable for all ports that are given", "ip rule add pref 50 ipproto udp sport 1024-65534 unreachable", "in", check.Failed, "an unreachable policy rule refuses packets to PEER", ""},
		{"unreachable through the interface", "ip rule add pref 50 oif eth1 unreachable", "in and out", check.Failed, "an unreachable policy rule refuses packets to PEER through eth1", ""},
		{"prohibited through the interface", "ip rule add pref 50 oif eth1 prohibit", "in and out", check.Failed, "a prohibit route or rule forbids packets to PEER through eth1", ""},
		{"unreachable through another interface", "ip rule add pref 50 oif eth2 unreachable", "in and out", check.Passed, "", ""},
		{"for what comes in", "ip rule add pref 50 iif eth1 prohibit", "in and out", check.Passed, "", ""},
		{"for what comes in, before this node's addresses", late + "ip rule add pref 50 iif eth1 prohibit", "out", check.Failed, "a policy rule keeps what comes from PEER to OWN on eth1 from this node", ""},
		{"for what comes in elsewhere", late + "ip rule add pref 50 iif eth2 prohibit", "in and out", check.Passed, "", ""},
		{"for a mark", "ip rule add pref 50 fwmark 7 prohibit", "in and out", check.Passed, "", ""},
		{"for all without a mark", "ip rule add pref 50 fwmark 0/0xff prohibit", "in", check.Failed, "prohibit route or rule forbids", ""},
		{"for root", "ip rule add pref 50 uidrange 0-0 prohibit", "in", check.Failed, "prohibit route or rule forbids", ""},
		{"for another user", "ip rule add pref 50 uidrange 1-60000 prohibit", "in and out", check.Passed, "", ""},
		{"for another class", "ip rule add pref 50 tos 0x10 prohibit", "in and out", check.Passed, "", ""},
		{"for a port that is given to none", "ip rule add pref 50 ipproto udp sport 3780 prohibit", "in and out", check.Passed, "", ""},
		{"for all ports that are given", "ip rule add pref 50 ipproto udp sport 1024-65534 prohibit", "in", check.Failed, "prohibit route or rule forbids", ""},
		{"for some ports that are given", "ip rule add pref 50 ipproto udp sport 33000-50000 prohibit", "", check.Unknown, "by the source port", ""},
		{"for some ports that are given, with all the same", "ip rule add pref 50 ipproto udp sport 33000-50000 lookup main", "in and out", check.Passed, "", ""},
		{"for some ports of the peer", late + "ip rule add pref 50 iif eth1 ipproto udp sport 33000-50000 prohibit", "", check.Unknown, "by the source port", ""},
		{"suppressed", "ip rule add pref 50 lookup main suppress_prefixlength 24; ip rule add pref 60 prohibit", "in", check.Failed, "prohibit route or rule forbids", ""},
		{"the default route is suppressed", "ip rule add pref 50 lookup main suppress_prefixlength 0; ip rule add pref 60 prohibit", "in and out", check.Passed, "", ""},
		{"strict", elsewhere + "sysctl -qw net.ipv4.conf.eth1.rp_filter=1; ip rule add pref 50 from OWN lookup 100", "out", check.Failed, "(rp_filter)", ""},
		{"loose", elsewhere + "sysctl -qw net.ipv4.conf.eth1.rp_filter=2; ip rule add pref 50 from OWN lookup 100", "in and out", check.Failed, "a policy rule sends packets from OWN to PEER through eth2", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			try := func(t *testing.T, n *testNet, target Target) {
				do := tt.do
				if target.Family() == 6 {
					do = strings.NewReplacer("ip rule", "ip -6 rule", "ip route", "ip -6 route", "suppress_prefixlength 24", "suppress_prefixlength 64").Replace(do)
				}
				words := strings.NewReplacer("THIRD", target.Peer.Addr().Next().String(), "PEER", target.Peer.Addr().String(), "OWN", target.Current.Addr().String())
				n.run(n.own, "sh", "-ec", "ip link add eth2 type veth peer name other; ip link set eth2 up; ip link set other up; "+words.Replace(do))
				within := map[bool]time.Duration{true: surely, false: quick}[tt.passes == "in and out"]
				passes := tt.passes
				if target.Family() == 6 && strings.Contains(tt.detail, "keeps what comes") {
					passes = "not at all" // the neighbour's answers are kept away, too
				}
				if got := n.passes(target, within); passes != "" && got != passes {
					t.Errorf("datagrams pass %s, want %s", got, tt.passes)
				}
				r := n.one(n.own, question{Target: target, ID: CheckRoute})
				if r.Status != tt.status || !strings.Contains(r.Detail, words.Replace(tt.detail)) {
					t.Errorf("%v: %s; %s", r.Status, r.Detail, r.Remedy)
				}
				if tt.status != check.Failed {
					return
				}
				if tt.passes == "in and out" && target.Family() == 4 { // with IPv6 the probes are kept away
					there := n.opened(n.peer, at(target.Peer))
					if report := n.plan(t, target); report.Verdict() != check.VerdictWarn {
						t.Errorf("a save is %s:\n%s", report.Verdict(), format(report))
					}
					there.Close()
				}
				n.run(n.own, "sh", "-c", r.Remedy)
				named := !strings.HasPrefix(r.Remedy, target.ip("route get")) // else there is none for the rule alone
				if got := n.passes(target, map[bool]time.Duration{true: surely, false: quick}[named]); named != (got == "in and out") {
					t.Errorf("after the remedy %q datagrams pass %s", r.Remedy, got)
				}
				if rules := n.run(n.own, "ip", fmt.Sprintf("-%d", target.Family()), "rule"); !strings.Contains(rules, words.Replace(tt.left)) {
					t.Errorf("%q left:\n%s", r.Remedy, rules)
				}
			}
			if !strings.Contains(tt.do, "oif eth1") { // for which IPv4 takes the peer to be on the link
				inFamily(t, 4, 0, try)
			}
			if !strings.Contains(tt.do, "rp_filter") { // which IPv6 has not
				inFamily(t, 6, 0, try)
			}
		})
	}
}
