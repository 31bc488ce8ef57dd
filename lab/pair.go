package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The interfaces of both nodes of a pair.
const (
	LANInterface  = "eth0" // towards the client
	SyncInterface = "eth1" // dedicated to the sync
	WANInterface  = "eth2" // towards the server; the default route leaves here
)

// Options of a pair. The zero value is the plain pair.
type Options struct {
	// MTU of the sync link; zero is the kernel's default, 1500.
	MTU int
	// NAT hides the client network behind the virtual address on the WAN.
	NAT bool
	// Masquerade does so behind an address of the node's own there, which does not move.
	Masquerade bool
	// IPv6 adds fd00::101/64 and fd00::102/64 to the sync interfaces.
	IPv6 bool
	// Kinds lets every protocol through, not TCP, UDP and ICMP alone, gives FTP and SIP
	// their helpers, and IPv6 to client, server and the virtual addresses.
	Kinds bool
	// Nodes are A and B, such as those of two machines; they stay the caller's. Nil
	// makes a new one.
	Nodes [2]*Node
}

// Pair is two firewalls side by side between a client and a server:
//
//	client 10.1.0.10 --- LAN 10.1.0.0/24 ---+--- A ---+--- WAN 10.2.0.0/24 --- server 10.2.0.10
//	                                        +--- B ---+
//	                               A eth1 --- sync --- eth1 B
//
// Both forward with stateful rules that let only a SYN open a TCP connection,
// and with nf_conntrack_tcp_loose=0, so that a connection goes on over a node
// only if that node has its state. The virtual addresses 10.1.0.1 and
// 10.2.0.1 are on one of them; see [Pair.Activate].
//
// Pairs do not see each other, nor the host's network.
type Pair struct {
	A, B           *Member
	Client, Server *Namespace
	// The switches; every host's port is "client", "server", "a" or "b".
	LAN, WAN, Sync *Switch

	echo  *echoServer
	kinds bool // as in Options
}

// Member is one node of a pair.
type Member struct {
	*Node
	// Port is the name of the node's port on each switch.
	Port string
	// Sync is the address on the sync interface, Sync6 the IPv6 one, which is
	// the zero prefix where the pair was made without.
	Sync, Sync6 netip.Prefix
	// LAN and WAN are the node's own addresses on the other interfaces.
	LAN, WAN netip.Prefix

	given bool // the node is the caller's
}

// Addresses of a pair.
var (
	clientAddress = netip.MustParsePrefix("10.1.0.10/24")
	serverAddress = netip.MustParsePrefix("10.2.0.10/24")
	virtualLAN    = netip.MustParsePrefix("10.1.0.1/32")
	virtualWAN    = netip.MustParsePrefix("10.2.0.1/32")

	clientAddress6 = netip.MustParsePrefix("fd10:1::10/64")
	serverAddress6 = netip.MustParsePrefix("fd10:2::10/64")
	virtualLAN6    = netip.MustParsePrefix("fd10:1::1/64")
	virtualWAN6    = netip.MustParsePrefix("fd10:2::1/64")
)

// ClientAddresses and ServerAddresses are those of the pair's two hosts; only
// [Options].Kinds has them use the IPv6 one.
func ClientAddresses() (v4, v6 netip.Prefix) { return clientAddress, clientAddress6 }

// ServerAddresses is [ClientAddresses] for the server.
func ServerAddresses() (v4, v6 netip.Prefix) { return serverAddress, serverAddress6 }

// NewPair makes a pair, with no conntrackd configured or running on either
// node and with the virtual addresses on A. It needs root.
func NewPair(ctx context.Context, opts Options) (*Pair, error) {
	p := &Pair{
		A: &Member{Port: "a", Sync: netip.MustParsePrefix("10.0.0.101/24"),
			LAN: netip.MustParsePrefix("10.1.0.2/24"), WAN: netip.MustParsePrefix("10.2.0.2/24")},
		B: &Member{Port: "b", Sync: netip.MustParsePrefix("10.0.0.102/24"),
			LAN: netip.MustParsePrefix("10.1.0.3/24"), WAN: netip.MustParsePrefix("10.2.0.3/24")},
	}
	if opts.IPv6 {
		p.A.Sync6 = netip.MustParsePrefix("fd00::101/64")
		p.B.Sync6 = netip.MustParsePrefix("fd00::102/64")
	}
	p.kinds = opts.Kinds
	if err := p.build(ctx, opts); err != nil {
		p.Close()
		return nil, fmt.Errorf("make pair: %w", err)
	}
	return p, nil
}

func (p *Pair) build(ctx context.Context, opts Options) (err error) {
	for _, s := range []**Switch{&p.LAN, &p.WAN, &p.Sync} {
		if *s, err = NewSwitch(); err != nil {
			return err
		}
	}
	if p.Client, err = NewNamespace(); err != nil {
		return err
	}
	if p.Server, err = NewNamespace(); err != nil {
		return err
	}
	for i, m := range []*Member{p.A, p.B} {
		if m.Node = opts.Nodes[i]; m.Node != nil {
			m.given = true
		} else if m.Node, err = NewNode(ctx, "fw-"+m.Port); err != nil {
			return err
		}
		if err := p.connect(ctx, m, opts); err != nil {
			return fmt.Errorf("%s: %w", m.Name(), err)
		}
	}
	if err := p.connectHost(p.LAN, "client", p.Client, clientAddress, virtualLAN.Addr()); err != nil {
		return err
	}
	if err := p.connectHost(p.WAN, "server", p.Server, serverAddress, virtualWAN.Addr()); err != nil {
		return err
	}
	if opts.Kinds {
		if err := p.connectIPv6(); err != nil {
			return err
		}
	}
	if err := p.Activate(p.A); err != nil {
		return err
	}
	p.echo, err = serveEcho(p.Server)
	return err
}

// connect gives a node its interfaces, addresses, route, kernel parameters
// and firewall.
func (p *Pair) connect(ctx context.Context, m *Member, opts Options) error {
	for _, c := range []struct {
		on    *Switch
		iface string
		mtu   int
	}{{p.LAN, LANInterface, 0}, {p.Sync, SyncInterface, opts.MTU}, {p.WAN, WANInterface, 0}} {
		if err := c.on.Plug(m.Port, m.Namespace, c.iface, c.mtu); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"net.ipv4.ip_forward":                  "1",
		"net.ipv4.conf.all.rp_filter":          "0",
		"net.netfilter.nf_conntrack_tcp_loose": "0",
		"net.netfilter.nf_conntrack_events":    "1",
	} {
		if err := m.Sysctl(name, value); err != nil {
			return err
		}
	}
	err := m.Do(func() error {
		for iface, addr := range map[string]netip.Prefix{LANInterface: m.LAN, SyncInterface: m.Sync, WANInterface: m.WAN} {
			if err := addAddress(iface, addr); err != nil {
				return err
			}
		}
		if m.Sync6.IsValid() {
			if err := addAddress(SyncInterface, m.Sync6); err != nil {
				return err
			}
		}
		return addDefaultRoute(serverAddress.Addr())
	})
	if err != nil {
		return err
	}
	return nft(m.CommandContext(ctx, "nft", "-f", "-"), firewall(opts))
}

// firewall is a node's rule set: everything on the sync interface is let in,
// and forwarded is what has a state or opens one properly. Protocols are
// numbers (ICMP 1, UDP 17, ICMPv6 58) because nft takes their names from
// /etc/protocols, which a small Debian does not have.
func firewall(opts Options) string {
	rules := `
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iifname { lo, ` + SyncInterface + ` } accept
		meta l4proto { 1, 58 } accept
	}
	chain opening {
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state invalid drop
		ct state established,related accept
		iifname ` + LANInterface + ` oifname ` + WANInterface + ` jump opening
	}
}
` + opening(opts.Kinds)
	if opts.Kinds {
		rules += helperRules
	}
	if opts.NAT || opts.Masquerade {
		as := "snat to " + virtualWAN.Addr().String()
		if opts.Masquerade {
			as = "masquerade"
		}
		rules += `
table ip nat {
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname ` + WANInterface + ` ` + as + `
	}
}
`
	}
	return rules
}

func (p *Pair) connectHost(s *Switch, port string, n *Namespace, addr netip.Prefix, gateway netip.Addr) error {
	if err := s.Plug(port, n, "eth0", 0); err != nil {
		return err
	}
	return n.Do(func() error {
		if err := addAddress("eth0", addr); err != nil {
			return err
		}
		return addDefaultRoute(gateway)
	})
}

// Activate puts the virtual addresses on m and takes them from the other node,
// as a failover does, and tells both networks by gratuitous ARP. It works on
// a node whose cables are cut, too.
func (p *Pair) Activate(m *Member) error {
	other := p.Other(m)
	for _, v := range p.virtualAddresses() {
		err := other.Do(func() error { return removeAddress(v.iface, v.addr) })
		if err != nil {
			return fmt.Errorf("take virtual address from %s: %w", other.Name(), err)
		}
		err = m.Do(func() error {
			if err := addAddress(v.iface, v.addr); err != nil {
				return err
			}
			return announce(v.iface, v.addr.Addr())
		})
		if err != nil {
			return fmt.Errorf("give virtual address to %s: %w", m.Name(), err)
		}
	}
	return nil
}

// Other is the node that m is not.
func (p *Pair) Other(m *Member) *Member {
	if m == p.A {
		return p.B
	}
	return p.A
}

// Close takes the pair down; when it returns, nothing of it runs. It may be
// called for a pair that is only half made, and more than once.
func (p *Pair) Close() error {
	var errs []error
	if p.echo != nil {
		errs = append(errs, p.echo.Close())
		p.echo = nil
	}
	for _, m := range []*Member{p.A, p.B} {
		if m.Node != nil && !m.given {
			errs = append(errs, m.Node.Close())
		}
	}
	for _, s := range []*Switch{p.LAN, p.WAN, p.Sync} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	for _, n := range []*Namespace{p.Client, p.Server} {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// addAddress and removeAddress work in the calling thread's namespace. An
// address that is there, or is not, already is no error.
func addAddress(iface string, addr netip.Prefix) error {
	link, err := netlink.LinkByName(iface)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", iface, err)
	}
	a := address(addr)
	if addr.Addr().Is6() {
		// Nobody else is on the wire yet; without this the address could not
		// be bound for a second.
		a.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrAdd(link, a); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add %s to %s: %w", addr, iface, err)
	}
	return nil
}

func removeAddress(iface string, addr netip.Prefix) error {
	link, err := netlink.LinkByName(iface)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", iface, err)
	}
	if err := netlink.AddrDel(link, address(addr)); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove %s from %s: %w", addr, iface, err)
	}
	return nil
}

func hasAddress(iface string, addr netip.Prefix) (bool, error) {
	link, err := netlink.LinkByName(iface)
	if err != nil {
		return false, fmt.Errorf("find interface %s: %w", iface, err)
	}
	all, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return false, fmt.Errorf("list addresses of %s: %w", iface, err)
	}
	for _, a := range all {
		if found, ok := netip.AddrFromSlice(a.IP); ok && found.Unmap() == addr.Addr() {
			return true, nil
		}
	}
	return false, nil
}

func address(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{
		IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}}
}

func addDefaultRoute(gateway netip.Addr) error {
	if err := netlink.RouteAdd(&netlink.Route{Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("add default route via %s: %w", gateway, err)
	}
	return nil
}
