package netcheck

import (
	"fmt"
	"strings"
	"testing"

	"connsync/netcheck/check"
)

// Rules that the datagrams meet on the way from the sync interface to the wire: on a
// bridge, on its ports, and on what a macvlan is on.
func TestFirewallBelowTheInterface(t *testing.T) {
	hook := func(family, hook, rules string) string {
		return fmt.Sprintf("table %s f {\nchain c { type filter hook %s priority 0; policy accept\n %s\n}\n}\n", family, hook, rules)
	}
	const drop = "udp dport 3780 drop"
	eth1 := func(hook string) string { return hook + " device eth1" }
	untracked := strings.Replace(hook("inet", "input", "udp dport 3780 ct state untracked drop"), " f {", " g {", 1)
	bridged := []firewallCase{
		{"bridge in", hook("bridge", "input", drop), check.Failed, "rule 1 in chain c"},
		{"bridge before routing", hook("bridge", "prerouting", drop), check.Failed, "rule 1 in chain c"},
		{"bridge out", hook("bridge", "output", drop), check.Failed, "datagrams out"},
		{"bridge after routing", hook("bridge", "postrouting", drop), check.Failed, "datagrams out"},
		{"bridge through", hook("bridge", "forward", drop), check.Passed, "no firewall rules"},
		{"bridge, another port", hook("bridge", "input", "udp dport 3781 drop"), check.Passed, ""},
		{"bridge, by its port", hook("bridge", "input", "iifname eth1 "+drop), check.Failed, "rule 1 in chain c"},
		{"bridge, by its name", hook("bridge", "input", "iifname sync0 "+drop), check.Passed, ""},
		{"port in", hook("netdev", eth1("ingress"), drop), check.Failed, "rule 1 in chain c"},
		{"port in, inet", hook("inet", eth1("ingress"), drop), check.Failed, "rule 1 in chain c"},
		{"port out", hook("netdev", eth1("egress"), drop), check.Failed, "datagrams out"},
		{"port in, another port", hook("netdev", eth1("ingress"), "udp dport 3781 drop"), check.Passed, ""},
		{"port in, packet type", hook("netdev", eth1("ingress"), "meta pkttype other "+drop), check.Unknown, "rule 1 in chain c"},
		{"port and bridge", hook("netdev", "ingress devices = { eth1, sync0 }", "iifname eth1 "+drop), check.Failed, "rule 1 in chain c"},
		{"port in, untracked", hook("netdev", eth1("ingress"), "notrack") + untracked, check.Failed, "rule 1 in chain c of table g"},
		{"bridge in, untracked", hook("bridge", "input", "notrack") + untracked, check.Unknown, "rule 1 in chain c of table g"},
		{"bridge itself, untracked", hook("netdev", "ingress device sync0", "notrack") + untracked, check.Unknown, "rule 1 in chain c of table g"},
		{"bridge itself, by state", hook("inet", "ingress device sync0", "udp dport 3780 ct state invalid drop"), check.Unknown, "rule 1 in chain c"},
		{"bridge itself", hook("netdev", "ingress device sync0", "iifname sync0 "+drop), check.Failed, "rule 1 in chain c"},
	}
	several := []firewallCase{
		{"port in, untracked", hook("netdev", eth1("ingress"), "notrack") + untracked, check.Unknown, "rule 1 in chain c of table g"},
		{"bridge in", hook("bridge", "input", drop), check.Failed, "rule 1 in chain c"},
		{"bridge, by a port", hook("bridge", "input", "iifname eth1 "+drop), check.Unknown, "rule 1 in chain c"},
		{"bridge, by another port", hook("bridge", "input", "iifname eth2 "+drop), check.Unknown, "rule 1 in chain c"},
		{"port in", hook("netdev", eth1("ingress"), drop), check.Unknown, "rule 1 in chain c"},
		{"another port in", hook("netdev", "ingress device eth2", drop), check.Unknown, "rule 1 in chain c"},
		{"port out", hook("netdev", eth1("egress"), drop), check.Unknown, "datagrams out"},
	}
	macvlan := []firewallCase{
		{"in", hook("netdev", eth1("ingress"), drop), check.Unknown, "rule 1 in chain c"},
		{"out", hook("netdev", eth1("egress"), drop), check.Unknown, "datagrams out"},
		{"another port", hook("netdev", eth1("ingress"), "udp dport 3781 drop"), check.Passed, ""},
	}
	for _, of := range []struct {
		name, setUp string
		cases       []firewallCase
	}{
		{"bridge", "ip link add sync0 type bridge && ip link set eth1 master sync0", bridged},
		{"bridge of two", "ip link add sync0 type bridge && ip link set eth1 master sync0 && ip link add eth2 type veth peer name other && ip link set eth2 master sync0 up", several},
		{"macvlan", "ip link add link eth1 name sync0 type macvlan mode bridge", macvlan},
	} {
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 0)
			n.run(n.own, "sh", "-ec", "ip address flush dev eth1; "+of.setUp+"; ip link set sync0 up")
			n.address(n.own, "sync0", own4)
			n.address(n.own, "sync0", own6)
			n.settle(n.own, n.peer)
			for _, family := range []int{4, 6} {
				target := n.families[family]
				target.Interface = "sync0"
				n.families[family] = target
				for _, tt := range of.cases {
					t.Run(fmt.Sprintf("ipv%d/%s", family, tt.name), func(t *testing.T) { n.firewallCase(t, family, tt) })
				}
			}
		})
	}
}
