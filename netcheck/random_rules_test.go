package netcheck

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// randomRules makes up rules. Each is a line that begins with a blank or with -A.
type randomRules struct {
	*rand.Rand
	words *strings.Replacer
}

func (r *randomRules) of(list ...string) string { return list[r.IntN(len(list))] }

func (r *randomRules) perhaps(percent int) bool { return r.IntN(100) < percent }

// tables are some of nftables; mostly what is connected is tracked in any case.
func (r *randomRules) tables() string {
	var b strings.Builder
	if r.perhaps(70) {
		b.WriteString("table inet tracks {\nchain c { type filter hook forward priority 0\n ct state invalid counter\n}\n}\n")
	}
	for i := range 1 + r.IntN(2) {
		family := r.of("inet", "inet", "FAMILY", "FAMILY", "netdev")
		fmt.Fprintf(&b, "table %s t%d {\n%s", family, i, randomElements)
		for sub := range 2 {
			fmt.Fprintf(&b, "chain sub%d {\n%s}\n", sub, r.rules("", sub+1))
		}
		for c := range 1 + r.IntN(3) {
			place := r.place(family)
			fmt.Fprintf(&b, "chain base%d { type %s\n%s}\n", c, place, r.rules(place, 0))
		}
		b.WriteString("}\n")
	}
	return r.words.Replace(b.String())
}

// place is where a base chain stands. One that drops lets the nodes find each other.
func (r *randomRules) place(family string) string {
	priority := r.of("-300", "-300", "-225", "-150", "0", "0", "10", "300")
	place := fmt.Sprintf("filter hook %s priority %s", r.of("prerouting", "input", "input", "output", "output", "postrouting"), priority)
	switch {
	case family == "netdev":
		place = r.of("filter hook ingress device eth1 priority 0", "filter hook egress device eth1 priority 0")
	case family == "inet" && r.perhaps(10):
		place = "filter hook ingress device eth1 priority 0"
	case r.perhaps(15):
		return fmt.Sprintf("nat hook %s priority %s", r.of("prerouting", "input", "output", "postrouting"), r.of("-100", "100"))
	case r.perhaps(10):
		place = "route hook output priority " + priority
	}
	if r.perhaps(25) {
		place += "; policy drop\n icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n ether type arp accept"
	}
	return place
}

// rules are some for a chain from which those with a number of at least sub may be jumped to.
func (r *randomRules) rules(place string, sub int) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		for range r.IntN(3) {
			b.WriteString(" " + r.match())
		}
		for r.perhaps(35) {
			b.WriteString(" " + r.of(randomStatements...))
		}
		b.WriteString(" " + r.verdict(place, sub) + "\n")
	}
	return b.String()
}

func (r *randomRules) match() string {
	if r.perhaps(40) {
		return r.of("iifname eth1", "oifname eth1", "iifname eth0", "udp dport 3780", "udp dport 3781", "FAMILY saddr PEER", "FAMILY daddr PEER", "FAMILY saddr OWN",
			"FAMILY daddr OWN", "meta l4proto udp", "ct state new", "ct state established,related", "ct state untracked", "ct state invalid")
	}
	return r.of(randomMatches...)
}

func (r *randomRules) verdict(place string, sub int) string {
	jump := func() string {
		if sub > 1 {
			return "return"
		}
		return fmt.Sprintf("%s sub%d", r.of("jump", "goto"), sub+r.IntN(2-sub))
	}
	switch r.IntN(10) {
	case 0, 1, 2:
		return jump()
	case 3:
		return fmt.Sprintf(r.of("udp dport vmap { 22 : drop, 3780 : %s }", "FAMILY saddr vmap { PEER : %s, OWN : accept }", "iifname vmap { eth1 : %s, lo : accept }",
			"oifname . udp dport vmap { eth1 . 3780 : %s }", "meta mark vmap { 0 : %s, 7 : drop }", "ct state vmap { new : %s, untracked : accept, invalid : drop }",
			"udp dport vmap { 1-3779 : drop, 3780-4000 : %s, * : drop }", "numgen inc mod 2 vmap { 0 : %s, 1 : accept }"), r.of("accept", "drop", "continue", jump()))
	case 4:
		if strings.HasPrefix(place, "nat") {
			return r.of("redirect to :9", "redirect", "dnat to OWN", "dnat to THIRD", "masquerade", "snat to OWN", "snat to THIRD", "snat to PEER")
		}
		return r.of("reject", "queue num 3 bypass", "tproxy to :9", "fwd to lo")
	}
	return r.of("accept", "accept", "accept", "drop", "return", "continue", "")
}

const randomElements = `set ports { type inet_service; elements = { 22, 3780 }; }
set ranges { type inet_service; flags interval; elements = { 1-1000, 3700-3800 }; }
set hosts { type ADDRESS; elements = { PEER, OWN }; }
set nets { type ADDRESS; flags interval; elements = { NET }; }
set both { type ADDRESS . inet_service; flags interval; elements = { NET . 3000-4000 }; }
set seen { type ADDRESS; flags dynamic; }
set names { type ifname; flags interval; elements = { "eth*", "lo" }; }
map marks { type inet_service : mark; elements = { 3780 : 7, 22 : 8 }; }
counter c1 { }
quota q1 { over 1 mbytes }
limit l1 { rate 1/hour burst 1 packets }
`

var randomMatches = []string{
	"iifname != eth1", "oifname != eth1", "oifname { eth0, eth1 }", "iif eth1", "oif eth1", "meta iifgroup 0", "meta oifgroup 0", "meta iiftype ether", "meta oiftype ether", "iifname @names", "oifname @names", "meta iifkind veth",
	"FAMILY saddr != PEER", "FAMILY daddr != { THIRD, OWN }", "FAMILY saddr @hosts", "FAMILY daddr @hosts", "FAMILY saddr != @hosts", "FAMILY daddr @nets", "FAMILY saddr @seen", "FAMILY daddr @seen",
	"FAMILY saddr . udp dport @both", "FAMILY daddr . udp dport @both", "FAMILY saddr . FAMILY daddr { PEER . OWN }", "FAMILY saddr > THIRD", "FAMILY daddr <= PEER", "FAMILY saddr . iifname { PEER . eth1 }",
	"udp dport @ports", "udp dport @ranges", "udp dport != @ports", "udp dport 3000-4000", "udp dport != 3000-4000", "udp dport & 1 == 0", "udp dport & 0xf0 != 0xc0", "udp dport < 3780", "udp dport ^ 1 == 3781",
	"udp sport 1024-65535", "udp sport 3780", "udp length 9", "th dport 3780", "@th,16,16 3780", "@th,64,8 0x78", "@nh,0,4 4", "@ll,96,16 0x0800", "@th,400,8 1",
	"meta l4proto { tcp, udp }", "meta nfproto ipv4", "meta nfproto ipv6", "meta protocol { ip, ip6 }", "meta protocol arp", "ip protocol udp", "ip6 nexthdr udp", "ip ttl 64", "ip frag-off & 0x1fff == 0", "ip6 hoplimit 64", "ip6 hoplimit 255",
	"ether type ip", "ether type ip6", "ether saddr 02:00:00:00:00:01", "vlan id 5", "ct state { new, untracked }", "ct state != new", "ct status dnat", "ct status != confirmed", "ct direction original", "ct direction reply",
	"ct mark 0", "ct mark 7", "ct zone 1", "ct original FAMILY saddr PEER", "ct protocol udp", "ct expiration > 1s", "ct packets > 0", "ct helper ftp", "ct count over 1000", "ct label 1",
	"meta mark 0", "meta mark 7", "meta mark != 7", "meta mark & 0x6 == 0x6", "ct mark & 3 == 3", "meta pkttype host", "meta pkttype multicast", "meta skuid 0", "meta length < 2000", "meta random <= 1", "rt classid 0", "socket transparent 1",
	"numgen inc mod 2 0", "jhash FAMILY saddr mod 1 == 0", "limit rate 1/hour burst 1 packets", "limit rate over 1000/second", "quota over 100 mbytes", "limit name l1", "quota name q1",
	"exthdr frag missing", "exthdr hbh exists", "ip option rr exists", "ip option rr missing", "tcp option maxseg exists", "tcp option maxseg missing", "tcp dport 3780", "icmpv6 type nd-neighbor-solicit", "meta l4proto . th dport { udp . 3780 }",
	"udp dport . meta mark { 3781 . 0 }", "FAMILY saddr . meta mark { THIRD . 7, PEER . 7 }", "arp operation request",
}

var randomStatements = []string{
	"counter", "counter", "counter name c1", "meta mark set 7", "meta mark set 0", "meta mark set meta mark or 0x6", "meta mark set meta mark xor 0x7", "ct mark set ct mark or 0x3", "meta mark set ct mark", "FAMILY saddr set PEER", "ct mark set 7", "ct mark set meta mark", "meta priority set 1", "notrack", "notrack", "ct zone set 1", "ct event set new", "ct label set 1",
	"ip dscp set cs1", "ip ttl set 5", "ip6 hoplimit set 5", "add @seen { FAMILY saddr }", "update @seen { FAMILY saddr }", "add @seen { FAMILY daddr }", "delete @seen { FAMILY saddr }", "add @seen { FAMILY saddr limit rate 1/hour burst 1 packets }",
	"meta pkttype set host", "meta pkttype set other", "udp dport set 3780", "udp dport set 9", "udp sport set 9", "FAMILY saddr set THIRD", "FAMILY daddr set OWN", "udp checksum set 0", "log", "tcp option maxseg size set 100", "reset tcp option sack-perm",
	"meta mark set udp dport map @marks", "ct mark set udp dport map @marks", "meta mark set numgen inc mod 2", "ether daddr set 02:00:00:00:00:01", "ip id set 1", "ip protocol set 6",
}

// iptables are some tables of iptables.
func (r *randomRules) iptables(family int) string {
	var b strings.Builder
	for _, t := range []struct {
		name   string
		chains []string
		often  int
	}{
		{"raw", []string{"PREROUTING", "OUTPUT"}, 50},
		{"mangle", []string{"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}, 30},
		{"nat", []string{"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}, 20},
		{"filter", []string{"INPUT", "OUTPUT"}, 90},
	} {
		if !r.perhaps(t.often) {
			continue
		}
		fmt.Fprintf(&b, "*%s\n", t.name)
		policy := "ACCEPT"
		if t.name == "filter" && r.perhaps(40) {
			policy = "DROP"
		}
		fmt.Fprintf(&b, ":%s %s\n:sub0 -\n:sub1 -\n", strings.Join(t.chains, " "+policy+"\n:"), policy)
		for _, c := range t.chains {
			if family == 6 {
				fmt.Fprintf(&b, "-A %s -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT\n-A %s -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT\n", c, c)
			}
		}
		for range 2 + r.IntN(5) {
			c := r.of(append(t.chains, "sub0", "sub1")...)
			match, target := r.of(randomOptions...), r.of(randomTargets...)
			if r.perhaps(40) {
				match += " " + r.of(randomOptions...)
			}
			switch {
			case t.name == "nat" && r.perhaps(50):
				target = r.of("-j DNAT --to-destination THIRD", "-j REDIRECT", "-j REDIRECT --to-ports 9", "-j SNAT --to-source THIRD", "-j SNAT --to-source PEER", "-j MASQUERADE")
			case r.perhaps(30) && !strings.HasPrefix(c, "sub"):
				target = r.of("-j sub0", "-j sub1", "-g sub0")
			}
			fmt.Fprintf(&b, "-A %s %s %s\n", c, match, target)
		}
		b.WriteString("COMMIT\n")
	}
	return r.words.Replace(b.String())
}

var randomOptions = []string{
	"", "-i eth1", "-o eth1", "! -i eth1", "! -o eth1", "-i eth+", "-i eth0", "-s PEER", "-d PEER", "-s OWN", "-d OWN", "! -s PEER", "! -d THIRD", "-s NET", "! -s NET", "-p udp", "! -p udp", "-p tcp",
	"-p udp -m udp --dport 3780", "-p udp -m udp ! --dport 3780", "-p udp -m udp --dport 3000:4000", "-p udp -m udp ! --sport 3780", "-p udp -m udp --sport 1024:65535 ! --dport 3780", "-p udp -m multiport --dports 22,3780",
	"-p udp -m multiport ! --dports 22,3780", "-p udp -m multiport --ports 3780", "-p udp -m multiport --dports 3000:4000,5000", "-m conntrack --ctstate NEW", "-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED",
	"-m conntrack --ctstate INVALID", "-m conntrack --ctstate UNTRACKED", "-m conntrack ! --ctstate NEW", "-m conntrack ! --ctstate DNAT", "-m conntrack --ctproto udp", "-m conntrack --ctdir REPLY", "-m conntrack --ctstate NEW --ctdir REPLY",
	"-m state --state NEW", "-m state --state ESTABLISHED", "-m addrtype --dst-type LOCAL", "-m addrtype ! --dst-type LOCAL", "-m addrtype --src-type UNICAST", "-m mark --mark 0", "-m mark --mark 7", "-m mark ! --mark 7", "-m mark --mark 6/6", "-m connmark --mark 7", "-m connmark --mark 3/3", "-m owner --uid-owner 0",
	"-m iprange --src-range OWN-THIRD", "-m limit --limit 1/h --limit-burst 1", "-m string --algo bm --string -j", "-m statistic --mode random --probability 0.5", "-m length --length 1:100", "-m pkttype --pkt-type multicast", "-m mac ! --mac-source 02:00:00:00:00:01",
	"-m rpfilter", "-m rpfilter --invert", "-m rpfilter --loose", "-m comment --comment -j", "-m hl --hl-eq 64", "-m ttl --ttl-eq 64",
}

var randomTargets = []string{
	"-j ACCEPT", "-j ACCEPT", "-j ACCEPT", "-j DROP", "-j DROP", "-j REJECT", "-j RETURN", "", "-j MARK --set-mark 7", "-j MARK --or-mark 6", "-j CONNMARK --set-mark 7", "-j CONNMARK --save-mark", "-j CONNMARK --restore-mark", "-j CONNMARK --save-mark --nfmask 3 --ctmask 3", "-j NOTRACK", "-j CT --notrack", "-j CT --notrack", "-j CT --zone 1", "-j CT --helper ftp", "-j LOG",
	"-j TTL --ttl-set 5", "-j HL --hl-set 5", "-j TOS --set-tos 0x10", "-j NFQUEUE --queue-num 3 --queue-bypass", "-j TPROXY --on-port 9",
}
