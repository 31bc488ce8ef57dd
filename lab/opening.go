package lab

import (
	"fmt"
	"net/netip"
)

// opening fills the chain of the rules that let a connection begin. A TCP
// connection begins with a SYN alone.
func opening(kinds bool) string {
	others := "{ 1, 17 }"
	if kinds {
		others = "!= 6"
	}
	return `
add rule inet filter opening ct state new tcp flags & (fin | syn | rst | ack) == syn accept
add rule inet filter opening ct state new meta l4proto ` + others + ` accept
`
}

// helperRules give FTP and SIP their helpers.
const helperRules = `
table inet helpers {
	ct helper ftp {
		type "ftp" protocol tcp
	}
	ct helper sip {
		type "sip" protocol udp
	}
	chain prerouting {
		type filter hook prerouting priority filter;
		tcp dport 21 ct helper set "ftp"
		udp dport 5060 ct helper set "sip"
	}
}
`

// Freeze lets no connection begin any more, through neither node: what goes on
// has its state, or is expected by one. It is the way to see of UDP and ICMP,
// too, that a state is there: their packets look alike, the first and the others.
func (p *Pair) Freeze() error { return p.openings("flush chain inet filter opening\n") }

// Thaw ends [Pair.Freeze].
func (p *Pair) Thaw() error {
	return p.openings("flush chain inet filter opening\n" + opening(p.kinds))
}

func (p *Pair) openings(script string) error {
	for _, m := range []*Member{p.A, p.B} {
		if err := nft(m.Command("nft", "-f", "-"), script); err != nil {
			return fmt.Errorf("%s: %w", m.Name(), err)
		}
	}
	return nil
}

// connectIPv6 gives both hosts and both nodes IPv6 on either side.
func (p *Pair) connectIPv6() error {
	for last, m := range map[string]*Member{"2": p.A, "3": p.B} {
		if err := m.Sysctl("net.ipv6.conf.all.forwarding", "1"); err != nil {
			return err
		}
		err := m.Do(func() error {
			if err := addAddress(LANInterface, netip.MustParsePrefix("fd10:1::"+last+"/64")); err != nil {
				return err
			}
			return addAddress(WANInterface, netip.MustParsePrefix("fd10:2::"+last+"/64"))
		})
		if err != nil {
			return err
		}
	}
	for _, host := range []struct {
		n       *Namespace
		addr    netip.Prefix
		gateway netip.Prefix
	}{{p.Client, clientAddress6, virtualLAN6}, {p.Server, serverAddress6, virtualWAN6}} {
		err := host.n.Do(func() error {
			if err := addAddress("eth0", host.addr); err != nil {
				return err
			}
			return addDefaultRoute(host.gateway.Addr())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// AddClientAddress gives the client one more address of its network.
func (p *Pair) AddClientAddress(addr netip.Addr) error {
	return p.Client.Do(func() error { return addAddress("eth0", netip.PrefixFrom(addr, clientAddress.Bits())) })
}

// AddServerAddress is [Pair.AddClientAddress] for the server.
func (p *Pair) AddServerAddress(addr netip.Addr) error {
	return p.Server.Do(func() error { return addAddress("eth0", netip.PrefixFrom(addr, serverAddress.Bits())) })
}
