package netcheck

import (
	"connsync/netcheck/check"
)

// firewallCases are rules of the rarer kinds; those that begin with a table
// stand as they are.
func firewallCases() []firewallCase {
	const drop = "type filter hook input priority 0; policy drop\n"
	const open = "type filter hook input priority 0; policy accept\n"
	mark := func(rules string) string {
		return "chain pre { type filter hook prerouting priority -150\n udp dport 3780 " + rules + "\n}\n"
	}
	in := func(rules string) string { return "chain in {" + drop + rules + "\n}" }
	return []firewallCase{
		// Sets, maps and concatenations.
		{"named verdict map", "map m { type inet_service : verdict; elements = { 22 : drop, 3780 : accept } }\n" + in("udp dport vmap @m"), check.Passed, ""},
		{"verdict map that drops", "map m { type inet_service : verdict; elements = { 3780 : drop } }\nchain in {" + open + "udp dport vmap @m\n}", check.Failed, "rule 1 in chain in"},
		{"verdict map with goto", "chain sub { tcp dport 1 accept\n}\n" + in("udp dport vmap { 3780 : goto sub }\n accept"), check.Failed, "policy drop"},
		{"verdict map of ranges", "map m { type inet_service : verdict; flags interval; elements = { 1-3000 : drop, 3001-4000 : accept } }\n" + in("udp dport vmap @m"), check.Passed, ""},
		{"the rest of a verdict map", in("udp dport vmap { 22 : drop, * : accept }"), check.Passed, ""},
		{"the rest of a verdict map drops", "chain in {" + open + "udp dport vmap { 22 : accept, * : drop }\n}", check.Failed, "rule 1 in chain in"},
		{"concatenation of ranges", "set s { typeof @ saddr . udp dport; flags interval; elements = { NET . 3000-4000 } }\n" + in("@ saddr . udp dport @s accept"), check.Passed, ""},
		{"concatenation of other ranges", "set s { typeof @ saddr . udp dport; flags interval; elements = { NET . 3000-3779, OTHER . 3000-4000 } }\n" + in("@ saddr . udp dport @s accept"), check.Failed, "policy drop"},
		{"interface, subnet and port", in("iifname . @ saddr . udp dport { \"eth0\" . OTHER . 1-9, \"eth1\" . NET . 3780 } accept"), check.Passed, ""},
		{"verdict map of a concatenation", in("@ saddr . udp dport vmap { PEER . 3780 : accept }"), check.Passed, ""},
		{"concatenation with the source port", in("udp sport . udp dport { 3780 . 3780 } accept"), check.Unknown, "rule 1"},
		{"blocked by a set", "set s { type inet_service; elements = { 22, 3780 } }\nchain in {" + open + "udp dport @s drop\n}", check.Failed, "rule 1 in chain in"},
		{"empty set", "set s { type inet_service; }\n" + in("udp dport @s accept"), check.Failed, "policy drop"},
		{"dynamic set", "set s { typeof @ saddr; flags dynamic; }\n" + in("update @s { @ saddr } accept"), check.Passed, ""},
		{"dynamic set with a limit", "set s { typeof @ saddr; flags dynamic; }\n" + in("update @s { @ saddr limit rate 100/second } accept"), check.Unknown, "rule 1"},
		{"full dynamic set", "set s { typeof @ saddr; flags dynamic; size 2; elements = { OWN, THIRD } }\n" + in("update @s { @ saddr } accept"), check.Unknown, "rule 1"},
		{"full dynamic set that has it", "set s { typeof @ saddr; flags dynamic; size 2; elements = { PEER, THIRD } }\n" + in("update @s { @ saddr } accept"), check.Passed, ""},
		{"dynamic set that limits", "set s { typeof @ saddr; flags dynamic; limit rate 1/hour burst 1 packets; }\n" + in("update @s { @ saddr } accept"), check.Unknown, "rule 1"},
		{"elements with a limit", "set s { typeof @ saddr; limit rate 1/hour burst 1 packets; elements = { PEER limit rate 1/hour burst 1 packets } }\n" + in("@ saddr @s udp dport 3780 accept"), check.Unknown, "rule 1"},
		{"elements with a counter", "set s { typeof @ saddr; counter; elements = { PEER } }\n" + in("@ saddr @s udp dport 3780 accept"), check.Passed, ""},
		{"others with a limit", "set s { typeof @ saddr; limit rate 1/hour burst 1 packets; elements = { THIRD limit rate 1/hour burst 1 packets } }\n" + in("@ saddr @s udp dport 3780 accept"), check.Failed, "policy drop"},
		{"map with a limit", "map m { typeof @ saddr : verdict; limit rate 1/hour burst 1 packets; elements = { PEER limit rate 1/hour burst 1 packets : drop } }\nchain in {" + open + "udp dport 3780 @ saddr vmap @m\n}", check.Unknown, "rule 1"},
		{"added, then looked up", "set s { typeof @ saddr; flags dynamic; }\nchain in {" + open + "udp dport 3780 add @s { @ saddr }\n udp dport 3780 @ saddr @s drop\n}", check.Unknown, "rule 2"},
		{"looked up, then added", "set s { typeof @ saddr; flags dynamic; }\nchain in {" + open + "udp dport 3780 @ saddr @s drop\n udp dport 3780 add @s { @ saddr }\n}", check.Unknown, "rule 1"},
		{"others are added", "set s { typeof @ saddr; flags dynamic; }\nchain in {" + open + "@ saddr @s drop\n udp dport 22 add @s { @ saddr }\n}", check.Passed, ""},
		// Parts of the header.
		{"raw bytes", in("@th,16,16 3780 accept"), check.Passed, ""},
		{"masked port", in("udp dport & 0xff00 == 0x0e00 accept"), check.Passed, ""},
		{"masked other port", in("udp dport & 0xff00 == 0x0f00 accept"), check.Failed, "policy drop"},
		{"length", in("meta length 1-1500 accept"), check.Unknown, "rule 1"},
		{"packet type", in("meta pkttype host accept"), check.Passed, ""},
		{"interface type", in("meta iiftype ether accept"), check.Passed, ""},
		{"interface group", in("meta iifgroup 0 accept"), check.Passed, ""},
		{"other interface group", in("meta iifgroup 7 accept"), check.Failed, "policy drop"},
		{"mark that is tested after a port", in("udp dport 3780 socket mark 9 accept"), check.Unknown, "rule 1"},
		{"for this node", in("fib daddr type local accept"), check.Passed, ""},
		{"for everybody", in("fib daddr type broadcast accept"), check.Failed, "policy drop"},
		{"reverse path", "chain raw { type filter hook prerouting priority -300\n fib saddr . iif oif missing drop\n}", check.Passed, ""},
		// Connection tracking.
		{"untracked is accepted", "chain raw { type filter hook prerouting priority -300\n udp dport 3780 notrack\n}\n" + in("ct state untracked accept"), check.Passed, ""},
		{"untracked too late", "chain raw { type filter hook prerouting priority 0\n udp dport 3780 notrack\n}\n" + in("ct state new accept"), check.Passed, ""},
		{"untracked with a limit", "chain raw { type filter hook prerouting priority -300\n limit rate 1/second notrack\n}\n" + in("ct state new accept"), check.Unknown, "the effect of rule 1 in chain in"},
		{"state before tracking", "chain raw { type filter hook prerouting priority -300\n ct state invalid drop\n}", check.Failed, "chain raw"},
		{"state after tracking", "chain raw { type filter hook prerouting priority -150\n ct state invalid drop\n}", check.Passed, ""},
		{"not new", "chain in {" + open + "ct state != { established, related, untracked } drop\n}", check.Failed, "rule 1"},
		{"translated", in("ct status dnat accept"), check.Failed, "policy drop"},
		{"direction", in("ct direction original accept"), check.Passed, ""},
		{"untracked by a rule that may not be met", "chain sub { notrack\n}\nchain raw { type filter hook prerouting priority -300\n meta mark 1 jump sub\n}\n" + in("ct state untracked accept"), check.Unknown, "rule 1 in chain in"},
		{"untracked behind what may accept", "chain raw { type filter hook prerouting priority -300\n udp sport 1-65535 accept\n notrack\n}\n" + in("ct state untracked accept"), check.Unknown, "rule 1 in chain in"},
		{"untracked at the device", "chain early { type filter hook ingress device eth1 priority 0\n notrack\n}\n" + in("ct state new accept"), check.Failed, "policy drop"},
		{"untracked, then in a zone", "chain raw { type filter hook prerouting priority -300\n notrack ct zone set 1\n}\n" + in("ct state untracked accept"), check.Failed, "policy drop"},
		{"in a zone, not untracked", "chain raw { type filter hook prerouting priority -300\n ct zone set 1 notrack\n}\n" + in("ct state untracked accept"), check.Failed, "policy drop"},
		{"untracked, in a zone too late, dropped before translation", "chain raw { type filter hook prerouting priority -300\n udp dport 3780 notrack\n}\nchain early { type filter hook input priority 0\n udp dport 3780 ct zone set 1\n}\nchain nat { type nat hook input priority 100\n udp dport 3780 drop\n}", check.Unknown, "rule 1 in chain nat"},
		{"untracked, in a zone too late", "chain raw { type filter hook prerouting priority -300\n udp dport 3780 notrack\n}\nchain early { type filter hook input priority -10\n udp dport 3780 ct zone set 1\n}\n" + in("ct state untracked accept"), check.Unknown, "rule 1 in chain in"},
		{"state in a zone", "chain raw { type filter hook prerouting priority -300\n ct zone set 1 ct state invalid accept\n udp dport 3780 drop\n}", check.Failed, "rule 2 in chain raw"},
		{"a connection's mark is written before tracking", "chain raw { type filter hook prerouting priority -300\n udp dport 3780 ct mark set 7 drop\n}", check.Failed, "rule 1 in chain raw"},
		{"a connection's events are written", in("udp dport 3780 ct event set new accept"), check.Passed, ""},
		{"redirected", "chain nat { type nat hook prerouting priority -100\n udp dport 3780 redirect to :9\n}", check.Unknown, "rule 1 in chain nat"},
		{"others are redirected", "chain nat { type nat hook prerouting priority -100\n udp dport 3781 redirect to :9\n}", check.Passed, ""},
		{"count", "chain in {" + open + "ct count over 1 drop\n}", check.Unknown, "rule 1"},
		{"limit over", "chain in {" + open + "limit rate over 1/hour drop\n}", check.Unknown, "rule 1"},
		{"quota", in("quota 10 mbytes accept"), check.Unknown, "rule 1"},
		{"taken to another device", "table netdev f {\nchain early { type filter hook ingress device eth1 priority 0\n udp dport 3780 fwd to lo\n}\n}", check.Unknown, "rule 1 in chain early"},
		{"others are taken to another device", "table netdev f {\nchain early { type filter hook ingress device eth1 priority 0\n udp dport 3781 fwd to lo\n}\n}", check.Passed, ""},
		{"taken to another socket", "chain early { type filter hook prerouting priority -150\n udp dport 3780 tproxy to :9 accept\n}", check.Unknown, "rule 1 in chain early"},
		// What rules write.
		{"another port is written", "chain pre { type filter hook prerouting priority -300\n udp dport 3780 udp dport set 9999\n}", check.Unknown, "rule 1 in chain pre"},
		{"another port is written, and admitted", "chain pre { type filter hook prerouting priority -300\n udp dport 3780 udp dport set 9999\n}\n" + in("udp dport 9999 accept"), check.Unknown, "in chain pre"},
		{"the same port is written", "chain pre { type filter hook prerouting priority -300\n udp dport 3780 udp dport set 3780\n}", check.Passed, ""},
		{"another destination is written", "chain out { type filter hook output priority -300\n udp dport 3780 @ daddr set OWN\n}", check.Unknown, "rule 1 in chain out"},
		{"the same source is written", "chain out { type filter hook output priority -300\n udp dport 3780 @ saddr set OWN\n}\nchain late { type filter hook output priority 0\n @ saddr != OWN udp dport 3780 drop\n}", check.Passed, ""},
		{"another source is written", "chain out { type filter hook output priority -300\n udp dport 3780 @ saddr set THIRD\n}\nchain late { type filter hook output priority 0\n @ saddr OWN accept\n udp dport 3780 drop\n}", check.Unknown, "rule 1 in chain late"},
		{"another class is written", "chain out { type filter hook output priority -300\n @ dscp set cs1\n}", check.Passed, ""},
		{"another time to live is written", "chain out { type filter hook output priority -300\n ip ttl set 9\n}", check.Passed, ""},
		{"a mark is written", "chain pre { type filter hook prerouting priority -300\n meta mark set 7\n}", check.Passed, ""},
		{"another packet type is written", "table netdev f {\nchain early { type filter hook ingress device eth1 priority 0\n udp dport 3780 meta pkttype set other\n}\n}", check.Unknown, "rule 1 in chain early"},
		{"the same packet type is written", "table netdev f {\nchain early { type filter hook ingress device eth1 priority 0\n udp dport 3780 meta pkttype set host\n}\n}", check.Passed, ""},
		{"another source is translated", "chain nat { type nat hook postrouting priority 100\n oifname eth1 snat @ to THIRD\n}\nchain late { type filter hook postrouting priority 300\n @ saddr OWN accept\n udp dport 3780 drop\n}", check.Unknown, "in chain late"},
		{"another source is translated on the way in", "chain nat { type nat hook input priority 100\n udp dport 3780 snat @ to THIRD\n}\nchain late { type filter hook input priority 200\n @ saddr PEER accept\n udp dport 3780 drop\n}", check.Unknown, "in chain late"},
		{"another source is translated later", "chain nat { type nat hook input priority 100\n udp dport 3780 snat @ to THIRD\n}\n" + in("@ saddr PEER accept"), check.Passed, ""},
		{"the peer's address is written as the source", "chain out { type filter hook output priority -300\n udp dport 3780 @ saddr set PEER\n}", check.Unknown, "rule 1 in chain out"},
		{"a source of another network is written", "chain out { type filter hook output priority -300\n udp dport 3780 @ saddr set FAR\n}", check.Unknown, "rule 1 in chain out"},
		{"translated to the peer's address", "chain nat { type nat hook postrouting priority 100\n udp dport 3780 snat @ to PEER\n}", check.Unknown, "rule 1 in chain nat"},
		{"translated to one of several addresses", "chain nat { type nat hook postrouting priority 100\n udp dport 3780 snat @ to PEER-THIRD\n}", check.Unknown, "rule 1 in chain nat"},
		{"translated to Current IP", "chain nat { type nat hook postrouting priority 100\n udp dport 3780 snat @ to OWN\n}", check.Passed, ""},
		// Marks that rules give are followed to the rules that ask for them.
		{"a mark that was given", mark("meta mark set 7") + in("meta mark 7 accept"), check.Passed, ""},
		{"another mark was given", mark("meta mark set 7") + in("meta mark 8 accept"), check.Failed, "policy drop"},
		{"a mark that was given to others", "chain pre { type filter hook prerouting priority -300\n udp dport 3781 meta mark set 7\n}\n" + in("meta mark 7 accept"), check.Unknown, "rule 1"},
		{"a mark that a limit gives", mark("limit rate 1/hour burst 1 packets meta mark set 7") + in("meta mark 7 accept"), check.Unknown, "rule 1"},
		{"bits of a mark", mark("meta mark set 0x17") + in("meta mark & 0xf == 7 accept"), check.Passed, ""},
		{"bits that were added to a mark", mark("meta mark set meta mark or 0x10") + in("meta mark & 0x10 == 0x10 accept"), check.Passed, ""},
		{"bits beside those that were added", mark("meta mark set meta mark or 0x10") + in("meta mark 0x10 accept"), check.Unknown, "rule 1"},
		{"a mark from a map", mark("meta mark set udp dport map { 22 : 1, 3780 : 7 }") + in("meta mark vmap { 1 : drop, 7 : accept }"), check.Passed, ""},
		{"the mark of a connection", mark("ct mark set 5") + in("ct mark 5 accept"), check.Passed, ""},
		{"the mark of a connection as a packet's", mark("ct mark set 5 meta mark set ct mark") + in("meta mark 5 accept"), check.Passed, ""},
		{"a mark that a chain gives again", "chain sub { meta mark set 7\n}\n" + in("meta mark set 0 jump sub\n meta mark set 0 jump sub\n meta mark 7 accept"), check.Passed, ""},
		{"a mark that was given on the way out", "chain out { type filter hook output priority -300\n udp dport 3780 meta mark set 7\n}\nchain late { type filter hook postrouting priority 0\n meta mark 7 drop\n}", check.Failed, "rule 1 in chain late"},
		// Chains of the type nat see what is tracked.
		{"dropped before translation, tracked", "chain nat { type nat hook prerouting priority -100\n udp dport 3780 drop\n}\nchain in { type filter hook input priority 0\n ct state established accept\n}", check.Failed, "rule 1 in chain nat"},
		{"dropped before translation, not known to be tracked", "chain nat { type nat hook prerouting priority -100\n udp dport 3780 drop\n}", check.Unknown, "rule 1 in chain nat of table f counts only while this node tracks connections"},
		// Families, hooks and priorities.
		{"own family", "table @ f {\nchain in {" + drop + "udp dport 3780 accept\n}\n}", check.Passed, ""},
		{"own family drops", "table @ f {\nchain in {" + drop + "}\n}", check.Failed, "policy drop"},
		{"an accept in another table", "table inet a {\nchain in { type filter hook input priority -10\n accept\n}\n}\ntable inet f {\nchain in {" + drop + "}\n}", check.Failed, "chain in of table f"},
		{"an accept after the drop", "table inet a {\nchain in { type filter hook input priority 10\n accept\n}\n}\ntable @ f {\nchain in {" + drop + "}\n}", check.Failed, "chain in of table f"},
		{"a table that is switched off", "table inet f {\nflags dormant\nchain in {" + drop + "}\n}", check.Passed, ""},
		{"ingress of a device", "table netdev f {\nchain early { type filter hook ingress device eth1 priority 0\n udp dport 3780 drop\n}\n}", check.Failed, "rule 1 in chain early"},
		{"ingress of several devices", "table netdev f {\nchain early { type filter hook ingress devices = { lo, eth1 } priority 0\n udp dport 3780 drop\n}\n}", check.Failed, "rule 1 in chain early"},
		{"egress of a device", "table netdev f {\nchain late { type filter hook egress device eth1 priority 0\n udp dport 3780 drop\n}\n}", check.Failed, "datagrams out"},
		{"postrouting", "chain late { type filter hook postrouting priority 0\n oifname eth1 udp dport 3780 drop\n}", check.Failed, "datagrams out"},
		{"egress by the type of the link layer", "table netdev f {\nchain late { type filter hook egress device eth1 priority 0\n ether type { ip, ip6 } udp dport 3780 drop\n}\n}", check.Unknown, "rule 1 in chain late"},
		{"postrouting by the type of the interface", "chain late { type filter hook postrouting priority 0\n iiftype ether udp dport 3780 drop\n}", check.Unknown, "rule 1 in chain late"},
		{"output by the type of the interface", "chain late { type filter hook output priority 0\n iiftype ether udp dport 3780 drop\n}", check.Passed, ""},
		{"routed output", "chain late { type route hook output priority -150\n @ daddr PEER drop\n}", check.Failed, "datagrams out"},
		{"output by interface", "chain out { type filter hook output priority 0; policy drop\n oif eth1 accept\n}", check.Passed, ""},
		{"output of incoming interface", "chain out { type filter hook output priority 0; policy drop\n iifname eth1 accept\n}", check.Failed, "datagrams out"},
		{"dropped one way, new the other", in("ct state new udp dport 3780 accept") + "\nchain out { type filter hook output priority 0; policy drop\n}", check.Failed, "datagrams out"},
		{"both ways dropped", in("") + "\nchain out { type filter hook output priority 0; policy drop\n}", check.Failed, "policy drop"},
		{"like firewalld", likeFirewalld, check.Failed, "rule 7 in chain filter_INPUT of table firewalld"},
	}
}

// likeFirewalld is the way in through firewalld's rules, with eth1 in the zone
// public.
const likeFirewalld = `table inet firewalld {
chain mangle_PREROUTING { type filter hook prerouting priority -140; policy accept
 icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
 meta nfproto ipv6 fib saddr . mark . iif oif missing drop
}
chain filter_INPUT { type filter hook input priority 10; policy accept
 ct state { established, related } accept
 ct status dnat accept
 iifname "lo" accept
 jump filter_INPUT_ZONES
 meta l4proto { icmp, ipv6-icmp } accept
 ct state invalid drop
 reject with icmpx admin-prohibited
}
chain filter_INPUT_ZONES { iifname "eth1" goto filter_IN_public
 goto filter_IN_public
}
chain filter_IN_public { jump filter_IN_public_allow
 meta l4proto { icmp, ipv6-icmp } accept
}
chain filter_IN_public_allow { tcp dport 22 accept
}
chain filter_OUTPUT { type filter hook output priority 10; policy accept
 ct state { established, related } accept
 oifname "lo" accept
 ip6 daddr { ::/96, ::ffff:0.0.0.0/96 } reject with icmpv6 addr-unreachable
}
}
`
