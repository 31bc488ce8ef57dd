package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/nftables"

	"connsync/netcheck/nft"
)

// The command for the peer has the addresses of every link swapped, and its own names
// for the interfaces. A prefix length that is not known is left out.
func TestInstallThere(t *testing.T) {
	link := func(name, current, peer string, bits int) Flow {
		return Flow{Interface: name, Current: netip.PrefixFrom(netip.MustParseAddr(current), bits), Peer: netip.PrefixFrom(netip.MustParseAddr(peer), bits), Port: 3780}
	}
	f := link("eth1", "10.0.0.101", "10.0.0.102", 24)
	f.Spares = []Flow{link("eth2", "10.1.0.101", "10.1.0.102", 24), link("eth3", "fd00::101", "fd00::102", -1)}
	const want = "connsync firewall --install --interface INTERFACE --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780" +
		" --spare-link 'INTERFACE 10.1.0.102/24 10.1.0.101/24 3780' --spare-link 'INTERFACE fd00::102 fd00::101 3780'"
	before := f.InstallCommand()
	if got := f.InstallThere(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if f.InstallCommand() != before {
		t.Errorf("it changed the flow: %s", f.InstallCommand())
	}
	f = link("eth1", "10.0.0.101", "10.0.0.102", -1)
	const here = "connsync firewall --install --interface eth1 --current-ip 10.0.0.101 --peer-ip 10.0.0.102 --port 3780"
	if got := f.InstallCommand(); got != here {
		t.Errorf("%s\nwant %s", got, here)
	}
}

// The remedy has every rule of iptables without which no sync passes.
func TestRemedyOfIPTables(t *testing.T) {
	search := []string{"neighbour-solicitation", "neighbour-advertisement"}
	for _, tt := range []struct {
		current, peer, group string
		want                 []string // in one command each, after that for the datagrams
	}{
		{"10.0.0.101/24", "10.0.0.102/24", "", nil},
		{"10.0.0.101/24", "10.0.0.102/24", "239.1.1.1", []string{"-p igmp"}},
		{"fd00::101/64", "fd00::102/64", "", search},
		{"fd00::101/64", "fd00::102/64", "ff02::3780", append([]string{"--icmpv6-type 130"}, search...)},
	} {
		f := Flow{Interface: "eth1", Current: netip.MustParsePrefix(tt.current), Peer: netip.MustParsePrefix(tt.peer), Port: 3780}
		if tt.group != "" {
			f.Group = netip.MustParseAddr(tt.group)
		}
		c := &chain{Chain: nft.Chain{Table: "filter", Name: "INPUT", Family: nftables.TableFamilyIPv4, Base: true, Hook: hookInput}}
		if f.Family() == 6 {
			c.Family = nftables.TableFamilyIPv6
		}
		got := f.remedy(&ruleset{}, weighed{link: f, chain: c, in: true})
		commands := strings.Split(got, "; ")
		if len(commands) != 1+len(tt.want) || !strings.Contains(commands[0], "-p udp --dport 3780") {
			t.Errorf("%v %s: %s", f.Current, tt.group, got)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(commands[1+i], want) {
				t.Errorf("%v %s: %s: want %s", f.Current, tt.group, commands[1+i], want)
			}
		}
	}
}
