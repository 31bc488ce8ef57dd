package netcheck

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connsync/netcheck/check"
)

// A switch that looks into IGMP or MLD forwards a group to those alone whose reports it
// hears. Rules that drop the reports, or what asks for them, are told, since it cannot be
// known which switch there is.
func TestFirewallOfMembership(t *testing.T) {
	t.Parallel()
	const table = "table inet f {\nchain in { type filter hook input priority 0; policy accept\n%s\n}\nchain out { type filter hook output priority 0; policy accept\n%s\n}\n}\n"
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		words := map[int][3]string{4: {"225.0.0.50", "ip protocol igmp", "IGMP"}, 6: {"ff05::50", "icmpv6 type { mld-listener-query, mld-listener-report, mld2-listener-report }", "MLD"}}[target.Family()]
		n.port++ // of a socket that the other helpers do not open
		target.Port, target.Group = n.port, netip.MustParseAddr(words[0])
		settings := "mcast_query_response_interval 10 mcast_startup_query_interval 50 mcast_query_interval 50 mcast_membership_interval 200 mcast_last_member_interval 10"
		n.settle(n.sync.Namespace) // from whose address it asks
		n.run(n.sync.Namespace, "sh", "-ec", "ip link set br0 type bridge "+settings+"; ip link set br0 type bridge mcast_querier 1 mcast_snooping 1")
		n.run(n.peer, "ip", "route", "add", "224.0.0.0/4", "dev", "eth1")
		for _, tt := range []struct {
			name, in, out string
			arrives       bool
			status        check.Status
			detail        string
		}{
			{"nothing", "", "", true, check.Passed, ""},
			{"reports", "", words[1] + " drop", false, check.Unknown, words[2] + ") out: rule 1 in chain out"},
			{"new reports", "", map[int]string{4: "ip daddr 224.0.0.22 drop", 6: "icmpv6 type mld2-listener-report drop"}[target.Family()], true, check.Unknown, words[2] + ") out: rule 1 in chain out"},
			{"questions", words[1] + " drop", "", true, check.Unknown, words[2] + ") in: rule 1 in chain in"},
			{"all but datagrams", "", fmt.Sprintf("udp dport %d accept\n icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n drop", n.port), false, check.Unknown, words[2] + ") out: rule 3 in chain out"},
			{"another protocol", "", "ip protocol gre drop\n icmpv6 type mld-listener-done drop", true, check.Passed, ""},
			{"of iptables", "", "", false, check.Unknown, words[2] + ") out: chain OUTPUT of table filter of " + map[int]string{4: "iptables", 6: "ip6tables"}[target.Family()] + "-legacy has the policy drop"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				n.nft(n.own, "flush ruleset\n"+fmt.Sprintf(table, tt.in, tt.out))
				if tt.name == "of iptables" {
					program := map[int]string{4: "iptables-legacy", 6: "ip6tables-legacy"}[target.Family()]
					n.run(n.own, "sh", "-ec", fmt.Sprintf("%s -P OUTPUT DROP; %s -A OUTPUT -p udp --dport %d -j ACCEPT", program, program, n.port))
				}
				f := n.ask(t, target.Flow.Check)
				if f.Status != tt.status || !strings.Contains(f.Detail, tt.detail) {
					t.Errorf("%v: %s", f.Status, f.Detail)
				}
				if !n.groupArrives(t, target, tt.arrives) {
					t.Errorf("it never came to be that datagrams to the group arrive: %v", tt.arrives)
				}
				if f.Status == check.Passed {
					return
				}
				n.heal(t, target, f.Remedy)
				if f := n.ask(t, target.Flow.Check); f.Status != check.Passed || !n.groupArrives(t, target, true) {
					t.Errorf("after the remedy %v: %s", f.Status, f.Detail)
				}
			})
		}
	})
}

// groupArrives has this node join the group, and the peer send to it until it is heard
// or, where it is not to be, until it is no more.
func (n *testNet) groupArrives(t *testing.T, target Target, wanted bool) bool {
	t.Helper()
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(target.Group, target.Port))
	var heard, sender *net.UDPConn
	err := n.own.Do(func() error {
		eth1, err := net.InterfaceByName("eth1")
		if err == nil {
			heard, err = net.ListenMulticastUDP("udp", eth1, to)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	if err := n.peer.Do(func() (err error) {
		sender, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(target.Peer.Addr(), 0)), to)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	const enough = 10 // in a row
	row := 0
	for end := time.Now().Add(surely); time.Now().Before(end) && row < enough; {
		if _, err := sender.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		heard.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, _, err := heard.ReadFrom(make([]byte, 8)); (err == nil) != wanted {
			row = -1
		}
		row++
	}
	return row == enough
}
