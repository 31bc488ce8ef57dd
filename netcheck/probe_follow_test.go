package netcheck

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
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
		policy := nftables.ChainPolicyDrop
		chain := &nftables.Chain{Name: "INPUT", Table: &nftables.Table{Name: "filter", Family: nftables.TableFamilyIPv4},
			Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Type: nftables.ChainTypeFilter, Policy: &policy}
		r := &ruleset{
			rules: func(*nftables.Chain) ([]*nftables.Rule, error) {
				var rules []*nftables.Rule
				for _, exprs := range tt.rules {
					rules = append(rules, &nftables.Rule{Exprs: exprs})
				}
				return rules, nil
			},
			elements: func(*nftables.Table, string) (*nftables.Set, []nftables.SetElement, error) {
				return nil, nil, errors.New("no sets here")
			},
		}
		f := &flow{in: true, iface: "eth1", index: 2, source: netip.MustParseAddr("10.9.0.2"), destination: netip.MustParseAddr("10.9.0.1"), port: 3780}
		got, where := r.follow(chain, f)
		if got != tt.want {
			t.Errorf("%s: %03b, want %03b (%s)", tt.name, got, tt.want, where)
		}
		if got != accepts && where == "" {
			t.Errorf("%s: no word about where", tt.name)
		}
	}
}

// A chain that cannot be read, or a table of jumps without end, is no pass.
func TestFollowTrouble(t *testing.T) {
	t.Parallel()
	table := &nftables.Table{Name: "f", Family: nftables.TableFamilyINet}
	chain := &nftables.Chain{Name: "in", Table: table, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Type: nftables.ChainTypeFilter}
	f := &flow{in: true, iface: "eth1", source: netip.MustParseAddr("fd09::2"), destination: netip.MustParseAddr("fd09::1"), port: 3780}
	for _, tt := range []struct {
		name  string
		rules func(*nftables.Chain) ([]*nftables.Rule, error)
		want  string
	}{
		{"unreadable", func(*nftables.Chain) ([]*nftables.Rule, error) { return nil, unix.EINTR }, "could not be read"},
		{"endless", func(*nftables.Chain) ([]*nftables.Rule, error) {
			return []*nftables.Rule{{Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: "in"}}}}, nil
		}, "too many jumps"},
		{"nowhere", func(*nftables.Chain) ([]*nftables.Rule, error) {
			return []*nftables.Rule{{Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: "gone"}}}}, nil
		}, "a jump goes to no chain"},
	} {
		r := &ruleset{rules: tt.rules, chains: map[chainName]*nftables.Chain{{table.Family, "f", "in"}: chain}}
		got, where := r.follow(chain, f)
		if got&drops == 0 || got&accepts == 0 || !strings.Contains(where, tt.want) {
			t.Errorf("%s: %03b, %q", tt.name, got, where)
		}
	}
}

func TestLegacyVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ listing, want string }{
		{"-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n", ""},
		{"-P INPUT ACCEPT\n-P FORWARD DROP\n-A FORWARD -j DROP\n", ""},
		{"-P INPUT DROP\n", "-P INPUT DROP"},
		{"-P INPUT ACCEPT\n-N web\n-A web -j DROP\n", ""},
		{"-P INPUT ACCEPT\n-A INPUT -j web\n", "-A INPUT -j web"},
		{"-P PREROUTING ACCEPT\n-A PREROUTING -p udp -j DROP\n", "-A PREROUTING -p udp -j DROP"},
		{"", ""},
	} {
		if got := legacyVerdicts(tt.listing); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.listing, got, tt.want)
		}
	}
}

// Chains of iptables get a command of iptables.
func TestFirewallRemedies(t *testing.T) {
	t.Parallel()
	target := Target{Interface: "eth1", Current: prefix("10.9.0.1/24"), Peer: prefix("10.9.0.2/24"), Port: 3780}
	six := Target{Interface: "eth1", Current: prefix("fd09::1/64"), Peer: prefix("fd09::2/64"), Port: 3780}
	chain := func(family nftables.TableFamily, table, name string) *nftables.Chain {
		return &nftables.Chain{Name: name, Table: &nftables.Table{Name: table, Family: family}}
	}
	for _, tt := range []struct {
		target Target
		chain  *nftables.Chain
		in     bool
		want   string
	}{
		{target, chain(nftables.TableFamilyIPv4, "filter", "INPUT"), true, "iptables -I INPUT -i eth1 -s 10.9.0.2 -p udp --dport 3780 -j ACCEPT"},
		{six, chain(nftables.TableFamilyIPv6, "filter", "OUTPUT"), false, "ip6tables -I OUTPUT -o eth1 -d fd09::2 -p udp --dport 3780 -j ACCEPT"},
		{target, chain(nftables.TableFamilyINet, "filter", "input"), true, `nft insert rule inet filter input iifname "eth1" ip saddr 10.9.0.2 udp dport 3780 accept`},
		{six, chain(nftables.TableFamilyIPv6, "mine", "out"), false, `nft insert rule ip6 mine out oifname "eth1" ip6 daddr fd09::2 udp dport 3780 accept`},
	} {
		if got := tt.target.allow(weighed{chain: tt.chain, in: tt.in}); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
