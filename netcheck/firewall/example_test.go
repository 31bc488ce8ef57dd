package firewall_test

import (
	"fmt"
	"net/netip"

	"connsync/netcheck/firewall"
)

// flow is the sync of one node: what comes from the peer to the port, and what
// goes the other way.
func flow() firewall.Flow {
	return firewall.Flow{
		Interface: "eth1",
		Current:   netip.MustParsePrefix("10.0.0.101/24"),
		Peer:      netip.MustParsePrefix("10.0.0.102/24"),
		Port:      3780,
	}
}

// Admits are the matches of the rules that let the sync through, for a rule set
// of one's own. They need no rights and read nothing from the host.
func ExampleFlow_Admits() {
	for _, match := range flow().Admits(true) {
		fmt.Println(match, "accept")
	}
	for _, match := range flow().Admits(false) {
		fmt.Println(match, "accept")
	}
	// Output:
	// iifname "eth1" ip saddr 10.0.0.102 ip daddr 10.0.0.101 udp dport 3780 accept
	// iifname "eth1" ip saddr 10.0.0.102 ip daddr 10.0.0.101 icmp type { echo-reply, destination-unreachable, echo-request } accept
	// oifname "eth1" ip daddr 10.0.0.102 udp dport 3780 accept
	// oifname "eth1" ip daddr 10.0.0.102 icmp type { echo-reply, destination-unreachable, echo-request } accept
}

// NftFile is a complete file for nft. The openings are the chains of the host
// that drop the sync; here its input chain.
func ExampleFlow_NftFile() {
	input := firewall.Opening{Family: "inet", Table: "filter", Chain: "input", In: true}
	fmt.Print(flow().NftFile([]firewall.Opening{input}))
	// Output:
	// # Written by connsync firewall --install for eth1, 10.0.0.101 and 10.0.0.102, UDP port 3780.
	// # It is replaced as a whole; connsync firewall --remove removes it.
	//
	// table inet connsync
	// delete table inet connsync
	// table inet connsync {
	// 	chain untrack-in {
	// 		type filter hook prerouting priority -300; policy accept;
	// 		iifname "eth1" ip saddr 10.0.0.102 ip daddr 10.0.0.101 udp dport 3780 notrack comment "connsync 8e7eec9d"
	// 	}
	// 	chain untrack-out {
	// 		type filter hook output priority -300; policy accept;
	// 		oifname "eth1" ip daddr 10.0.0.102 udp dport 3780 notrack comment "connsync 8e7eec9d"
	// 	}
	// 	chain refuse {
	// 		type filter hook input priority -10; policy accept;
	// 		iifname "eth1" ip saddr 10.0.0.102 ip daddr 10.0.0.101 udp dport 3780 accept comment "connsync 8e7eec9d"
	// 		ip daddr 10.0.0.101 udp dport 3780 drop comment "connsync 8e7eec9d"
	// 	}
	// }
	//
	// # The host's own chain, to whose beginning the rules go.
	// table inet filter {
	// 	chain input {
	// 	}
	// }
	// insert rule inet filter input iifname "eth1" ip saddr 10.0.0.102 ip daddr 10.0.0.101 icmp type { echo-reply, destination-unreachable, echo-request } accept comment "connsync 48e34cd4"
	// insert rule inet filter input iifname "eth1" ip saddr 10.0.0.102 ip daddr 10.0.0.101 udp dport 3780 accept comment "connsync 26871beb"
}

// IPTables are the commands for a host whose rules are those of iptables.
func ExampleFlow_IPTables() {
	for _, command := range flow().IPTables() {
		fmt.Println(command)
	}
	// Output:
	// iptables -w -I INPUT -d 10.0.0.101 -p udp --dport 3780 -m comment --comment connsync -j DROP
	// iptables -w -I INPUT -i eth1 -s 10.0.0.102 -d 10.0.0.101 -p udp --dport 3780 -m comment --comment connsync -j ACCEPT
	// iptables -w -I INPUT -i eth1 -s 10.0.0.102 -d 10.0.0.101 -p icmp --icmp-type destination-unreachable -m comment --comment connsync -j ACCEPT
	// iptables -w -I INPUT -i eth1 -s 10.0.0.102 -d 10.0.0.101 -p icmp --icmp-type echo-request -m comment --comment connsync -j ACCEPT
	// iptables -w -I INPUT -i eth1 -s 10.0.0.102 -d 10.0.0.101 -p icmp --icmp-type echo-reply -m comment --comment connsync -j ACCEPT
	// iptables -w -I OUTPUT -o eth1 -d 10.0.0.102 -p udp --dport 3780 -m comment --comment connsync -j ACCEPT
	// iptables -w -I OUTPUT -o eth1 -d 10.0.0.102 -p icmp --icmp-type destination-unreachable -m comment --comment connsync -j ACCEPT
	// iptables -w -I OUTPUT -o eth1 -d 10.0.0.102 -p icmp --icmp-type echo-request -m comment --comment connsync -j ACCEPT
	// iptables -w -I OUTPUT -o eth1 -d 10.0.0.102 -p icmp --icmp-type echo-reply -m comment --comment connsync -j ACCEPT
	// iptables -w -t raw -I PREROUTING -i eth1 -s 10.0.0.102 -d 10.0.0.101 -p udp --dport 3780 -m comment --comment connsync -j CT --notrack
	// iptables -w -t raw -I OUTPUT -o eth1 -d 10.0.0.102 -p udp --dport 3780 -m comment --comment connsync -j CT --notrack
}

// InstallCommand is the command of connsync that puts the rules in place.
func ExampleFlow_InstallCommand() {
	fmt.Println(flow().InstallCommand())
	// Output:
	// connsync firewall --install --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24 --port 3780
}
