package firewall

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"

	"connsync/netcheck/nft"
	"connsync/netcheck/packet"
)

// Rules that this machine's kernel may not have: the modules of iptables, and
// queues to programs. The chain is an input chain with policy drop.
func TestFollowModules(t *testing.T) {
	t.Parallel()
	accept := &expr.Verdict{Kind: expr.VerdictAccept}
	states := func(mask uint16, invert bool) *expr.Match {
		info := &xt.ConntrackMtinfo3{}
		info.MatchFlags, info.StateMask = uint16(xt.ConntrackState|xt.ConntrackStateAlias), mask
		if invert {
			info.InvertFlags = uint16(xt.ConntrackState)
		}
		return &expr.Match{Name: "conntrack", Rev: 3, Info: info}
	}
	const established, related, fresh = 2, 4, 8
	udp := func(low, high uint16, flags xt.UdpInvFlagset) *expr.Match {
		return &expr.Match{Name: "udp", Info: &xt.Udp{SrcPorts: [2]uint16{0, 65535}, DstPorts: [2]uint16{low, high}, InvFlags: flags}}
	}
	comment := xt.Comment("sync")
	for _, tt := range []struct {
		name  string
		rules [][]expr.Any
		want  fates
	}{
		{"none", nil, drops},
		{"established", [][]expr.Any{{states(established|related, false), accept}}, drops},
		{"new", [][]expr.Any{{states(fresh, false), accept}}, accepts},
		{"not new", [][]expr.Any{{states(fresh, true), accept}}, drops},
		{"port", [][]expr.Any{{udp(3780, 3780, 0), accept}}, accepts},
		{"other port", [][]expr.Any{{udp(3781, 3790, 0), accept}}, drops},
		{"all but other ports", [][]expr.Any{{udp(3781, 3790, xt.UdpInvDestPorts), accept}}, accepts},
		{"source port", [][]expr.Any{{&expr.Match{Name: "udp", Info: &xt.Udp{SrcPorts: [2]uint16{3780, 3780}, DstPorts: [2]uint16{0, 65535}}}, accept}}, accepts | drops},
		{"comment", [][]expr.Any{{&expr.Match{Name: "comment", Info: &comment}, accept}}, accepts},
		{"established, then port", [][]expr.Any{{states(established, false), accept}, {udp(3780, 3780, 0), &expr.Counter{}, accept}}, accepts},
		{"unknown module", [][]expr.Any{{&expr.Match{Name: "geoip"}, accept}}, accepts | drops},
		{"unknown module, then port", [][]expr.Any{{&expr.Match{Name: "geoip"}, accept}, {udp(3780, 3780, 0), accept}}, accepts},
		{"log", [][]expr.Any{{&expr.Target{Name: "LOG"}}}, drops},
		{"reject", [][]expr.Any{{&expr.Target{Name: "REJECT"}}, {accept}}, drops},
		{"unknown target", [][]expr.Any{{&expr.Target{Name: "TARPIT"}}, {accept}}, accepts | drops},
		{"queue", [][]expr.Any{{&expr.Queue{Num: 1}}}, accepts | drops},
		{"a register that was never loaded", [][]expr.Any{{&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{1}}, accept}}, accepts | drops},
		{"shift", [][]expr.Any{{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0x0e, 0xc4}}, accept}}, accepts | drops},
		{"verdict register as a number", [][]expr.Any{{&expr.Immediate{Register: 0, Data: []byte{1}}, accept}}, accepts},
		{"beyond the registers", [][]expr.Any{{&expr.Cmp{Op: expr.CmpOpEq, Register: 99, Data: []byte{1}}, accept}}, accepts | drops},
	} {
		base := &chain{Chain: nft.Chain{Name: "INPUT", Table: "filter", Family: nftables.TableFamilyIPv4, Base: true, Kind: "filter", Hook: hookInput, DropPolicy: true}}
		r := &ruleset{
			rules: func(*chain) ([]rule, error) {
				var rules []rule
				for _, exprs := range tt.rules {
					r := &nftRule{}
					for _, e := range exprs {
						r.Exprs = append(r.Exprs, nft.Expression{Decoded: e})
					}
					rules = append(rules, r)
				}
				return rules, nil
			},
			set: func(nftables.TableFamily, string, string) (*nftSet, error) { return nil, errors.New("no sets here") },
		}
		p := testFlow("10.9.0.2", "10.9.0.1")
		got, where := r.follow(newWork(t.Context()), base, p, nil)
		if got != tt.want {
			t.Errorf("%s: %03b, want %03b (%s)", tt.name, got, tt.want, where)
		}
		if got != accepts && where == "" {
			t.Errorf("%s: no word about where", tt.name)
		}
	}
}

// Whether connection tracking translates a packet is not known once a rule may have it do so.
func TestStateOfTranslated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		changed   changes
		argument  string
		is, isNot truth
	}{
		{0, "DNAT", no, yes},
		{translated, "DNAT", maybe, maybe},
		{translated, "SNAT,NEW", yes, no},
		{translated, "ESTABLISHED", no, yes},
	} {
		p := testFlow("10.9.0.2", "10.9.0.1")
		p.changed = tt.changed
		w := &follower{flow: p, base: &chain{Chain: nft.Chain{Hook: hookInput}}}
		is, _ := legacyRule{"--ctstate", tt.argument}.weigh(w, w.base)
		isNot, _ := legacyRule{"!", "--ctstate", tt.argument}.weigh(w, w.base)
		if is != tt.is || isNot != tt.isNot {
			t.Errorf("%d, %s: %d and %d, want %d and %d", tt.changed, tt.argument, is, isNot, tt.is, tt.isNot)
		}
	}
}

// A chain that cannot be read, or a table of jumps without end, does not count as passed.
func TestFollowTrouble(t *testing.T) {
	t.Parallel()
	base := &chain{Chain: nft.Chain{Name: "in", Table: "f", Family: nftables.TableFamilyINet, Base: true, Kind: "filter", Hook: hookInput}}
	p := testFlow("fd09::2", "fd09::1")
	for _, tt := range []struct {
		name  string
		rules func(*chain) ([]rule, error)
		want  string
	}{
		{"unreadable", func(*chain) ([]rule, error) { return nil, unix.EINTR }, "could not be read"},
		{"endless", func(*chain) ([]rule, error) {
			return jump("in"), nil
		}, "too many jumps"},
		{"nowhere", func(*chain) ([]rule, error) {
			return jump("gone"), nil
		}, "jumps to no chain"},
	} {
		r := &ruleset{rules: tt.rules, chains: map[chainName]*chain{base.key(): base}}
		got, where := r.follow(newWork(t.Context()), base, p, nil)
		if got&drops == 0 || got&accepts == 0 || !strings.Contains(where, tt.want) {
			t.Errorf("%s: %03b, %q", tt.name, got, where)
		}
	}
}

func jump(to string) []rule {
	return []rule{&nftRule{Exprs: []nft.Expression{{Decoded: &expr.Verdict{Kind: expr.VerdictJump, Chain: to}}}}}
}

// testFlow is the sync datagrams that come in on eth1.
func testFlow(source, destination string) *firstPacket {
	p := &firstPacket{in: true, device: device{iface: "eth1", index: 2}, source: netip.MustParseAddr(source), destination: netip.MustParseAddr(destination),
		protocol: unix.IPPROTO_UDP, transport: unknowns(packet.UDPHeaderSize)}
	p.transport.put(2, 0x0e, 0xc4)
	return p
}

// What belongs to another program gets a command of that program, the rest
// connsync's own.
func TestFirewallRemedies(t *testing.T) {
	t.Parallel()
	four := Flow{Interface: "eth1", Current: netip.MustParsePrefix("10.9.0.1/24"), Peer: netip.MustParsePrefix("10.9.0.2/24"), Port: 3780}
	six := Flow{Interface: "eth1", Current: netip.MustParsePrefix("fd09::1/64"), Peer: netip.MustParsePrefix("fd09::2/64"), Port: 3780}
	group := four
	group.Group = netip.MustParseAddr("225.0.0.50")
	const v4, v6, inet = nftables.TableFamilyIPv4, nftables.TableFamilyIPv6, nftables.TableFamilyINet
	for _, tt := range []struct {
		firstPacket Flow
		chain       chain
		beside      string // another chain of the same table
		in          bool
		want        string
	}{
		{four, chain{Chain: nft.Chain{Family: v4, Table: "filter", Name: "INPUT"}}, "", true, "iptables -w -I INPUT -i eth1 -s 10.9.0.2 -d 10.9.0.1 -p udp --dport 3780 -m comment --comment connsync -j ACCEPT"},
		{six, chain{Chain: nft.Chain{Family: v6, Table: "filter", Name: "OUTPUT"}}, "", false, "ip6tables -w -I OUTPUT -o eth1 -d fd09::2 -p udp --dport 3780 -m comment --comment connsync -j ACCEPT"},
		{four, chain{Chain: nft.Chain{Family: v4, Table: "filter", Name: "INPUT"}, program: "iptables-legacy"}, "", true, "iptables-legacy -w -I INPUT -i eth1 -s 10.9.0.2 -d 10.9.0.1 -p udp --dport 3780 -m comment --comment connsync -j ACCEPT"},
		{four, chain{Chain: nft.Chain{Family: v4, Table: "filter", Name: "INPUT"}}, "ufw-before-input", true, "ufw allow in on eth1 proto udp from 10.9.0.2 to 10.9.0.1 port 3780"},
		{six, chain{Chain: nft.Chain{Family: v6, Table: "filter", Name: "OUTPUT"}}, "ufw6-before-output", false, "ufw allow out on eth1 proto udp from fd09::1 to fd09::2 port 3780"},
		{four, chain{Chain: nft.Chain{Family: inet, Table: "firewalld", Name: "filter_INPUT"}}, "", true,
			`firewall-cmd --zone="$(firewall-cmd --get-zone-of-interface=eth1 || firewall-cmd --get-default-zone)" --add-rich-rule='rule family="ipv4" source address="10.9.0.2" destination address="10.9.0.1" port port="3780" protocol="udp" accept'`},
		{group, chain{Chain: nft.Chain{Family: v4, Table: "filter", Name: "INPUT"}}, "", true, "iptables -w -I INPUT -i eth1 -s 10.9.0.2 -d 225.0.0.50 -p udp --dport 3780 -m comment --comment connsync -j ACCEPT"},
		{group, chain{Chain: nft.Chain{Family: v4, Table: "filter", Name: "OUTPUT"}}, "", false, "iptables -w -I OUTPUT -o eth1 -d 225.0.0.50 -p udp --dport 3780 -m comment --comment connsync -j ACCEPT"},
		{group, chain{Chain: nft.Chain{Family: v4, Table: "filter", Name: "OUTPUT"}}, "ufw-before-input", false, "ufw allow out on eth1 proto udp from 10.9.0.1 to 225.0.0.50 port 3780"},
		{group, chain{Chain: nft.Chain{Family: inet, Table: "filter", Name: "input"}}, "", true,
			"connsync firewall --install --interface eth1 --current-ip 10.9.0.1/24 --peer-ip 10.9.0.2/24 --port 3780 --transport multicast --multicast-group 225.0.0.50"},
		{four, chain{Chain: nft.Chain{Family: inet, Table: "filter", Name: "input"}}, "", true,
			"connsync firewall --install --interface eth1 --current-ip 10.9.0.1/24 --peer-ip 10.9.0.2/24 --port 3780"},
		{six, chain{Chain: nft.Chain{Family: v6, Table: "mine", Name: "INPUT"}}, "", false,
			"connsync firewall --install --interface eth1 --current-ip fd09::1/64 --peer-ip fd09::2/64 --port 3780"},
	} {
		r := &ruleset{chains: map[chainName]*chain{tt.chain.key(): &tt.chain}}
		if tt.beside != "" {
			c := tt.chain
			c.Name = tt.beside
			r.chains[c.key()] = &c
		}
		if got, _, _ := strings.Cut(tt.firstPacket.remedy(r, weighed{link: tt.firstPacket, chain: &tt.chain, in: tt.in}), "; "); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

// The rules of a group admit the peer to it, and the messages by which the nodes stay its
// members; everybody else is kept from the port of every address.
func TestRulesOfAGroup(t *testing.T) {
	four := Flow{Interface: "eth1", Current: netip.MustParsePrefix("10.9.0.1/24"), Peer: netip.MustParsePrefix("10.9.0.2/24"), Port: 3780, Group: netip.MustParseAddr("225.0.0.50")}
	six := Flow{Interface: "eth1", Current: netip.MustParsePrefix("fd09::1/64"), Peer: netip.MustParsePrefix("fd09::2/64"), Port: 3780, Group: netip.MustParseAddr("ff05::50")}
	for _, tt := range []struct {
		flow    Flow
		in, out []string
	}{
		{four, []string{
			`iifname "eth1" ip saddr 10.9.0.2 ip daddr 225.0.0.50 udp dport 3780`,
			`iifname "eth1" ip protocol igmp`,
			`iifname "eth1" ip saddr 10.9.0.2 ip daddr 10.9.0.1 icmp type { echo-reply, destination-unreachable, echo-request }`,
		}, []string{
			`oifname "eth1" ip daddr 225.0.0.50 udp dport 3780`,
			`oifname "eth1" ip protocol igmp`,
			`oifname "eth1" ip daddr 10.9.0.2 icmp type { echo-reply, destination-unreachable, echo-request }`,
		}},
		{six, []string{
			`iifname "eth1" ip6 saddr fd09::2 ip6 daddr ff05::50 udp dport 3780`,
			`iifname "eth1" icmpv6 type mld-listener-query`,
			`iifname "eth1" ip6 saddr fd09::2 ip6 daddr fd09::1 icmpv6 type { destination-unreachable, packet-too-big, echo-request, echo-reply }`,
			`iifname "eth1" ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }`,
		}, []string{
			`oifname "eth1" ip6 daddr ff05::50 udp dport 3780`,
			`oifname "eth1" icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report }`,
			`oifname "eth1" ip6 daddr fd09::2 icmpv6 type { destination-unreachable, packet-too-big, echo-request, echo-reply }`,
			`oifname "eth1" ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }`,
		}},
	} {
		if diff := cmp.Diff([][]string{tt.in, tt.out}, [][]string{tt.flow.Admits(true), tt.flow.Admits(false)}); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.flow.Group, diff)
		}
		if all := strings.Join(tt.flow.IPTables(), "\n"); !strings.Contains(all, "-I INPUT -p udp --dport 3780 -m comment --comment connsync -j DROP") || strings.Contains(all, "-d "+tt.flow.Current.Addr().String()+" -p udp") {
			t.Errorf("the commands of iptables:\n%s", all)
		}
	}
}
