package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
)

// Switch is a network namespace with one bridge: what stands between two
// hosts. Its ports are named by whoever plugs a cable in. Faults made here are
// seen by the hosts as the network's, not as their own.
type Switch struct {
	*Namespace
}

// NewSwitch makes a switch without ports.
func NewSwitch() (*Switch, error) {
	n, err := NewNamespace()
	if err != nil {
		return nil, fmt.Errorf("make switch: %w", err)
	}
	s := &Switch{n}
	if err := s.setUp(); err != nil {
		n.Close()
		return nil, fmt.Errorf("make switch: %w", err)
	}
	return s, nil
}

const bridgeName = "br0"

func (s *Switch) setUp() error {
	err := s.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = bridgeName
		snoop := false
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snoop}); err != nil {
			return fmt.Errorf("add bridge: %w", err)
		}
		// A switch has no firewall for IP; the file is missing where the
		// kernel's bridge cannot call one anyway.
		err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("0"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return setUp(bridgeName)
	})
	if err != nil {
		return err
	}
	return s.nft("add table bridge faults\nadd chain bridge faults forward { type filter hook forward priority 0; }\n")
}

// Plug lays a cable from a new port of the switch to a new interface in n,
// both up. The MTU of the interface is mtu, or the kernel's default where mtu
// is zero; the port's is the same.
func (s *Switch) Plug(port string, n *Namespace, iface string, mtu int) error {
	if err := Veth(s.Namespace, port, n, iface); err != nil {
		return err
	}
	err := s.Do(func() error {
		link, err := netlink.LinkByName(port)
		if err != nil {
			return err
		}
		bridge, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		if mtu != 0 {
			if err := netlink.LinkSetMTU(link, mtu); err != nil {
				return err
			}
		}
		if err := netlink.LinkSetMaster(link, bridge); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
	if err == nil {
		err = n.Do(func() error {
			link, err := netlink.LinkByName(iface)
			if err != nil {
				return err
			}
			if mtu != 0 {
				if err := netlink.LinkSetMTU(link, mtu); err != nil {
					return err
				}
			}
			return netlink.LinkSetUp(link)
		})
	}
	if err != nil {
		return fmt.Errorf("plug %s into port %s: %w", iface, port, err)
	}
	return nil
}

// Cut takes the cable of a port out: the interface at its other end loses its
// carrier.
func (s *Switch) Cut(port string) error { return s.port(port, netlink.LinkSetDown) }

// Mend puts the cable back.
func (s *Switch) Mend(port string) error { return s.port(port, netlink.LinkSetUp) }

func (s *Switch) port(port string, do func(netlink.Link) error) error {
	return s.Do(func() error {
		link, err := netlink.LinkByName(port)
		if err == nil {
			err = do(link)
		}
		if err != nil {
			return fmt.Errorf("port %s: %w", port, err)
		}
		return nil
	})
}

// Drop drops, silently, what enters by a port and matches, a condition in
// nft's words for the bridge family such as "udp dport 3780" or "numgen random
// mod 100 < 30" (a loss of 30 %). Blank matches every frame, ARP included.
// Names of protocols need /etc/protocols, numbers do not: "ip protocol 1".
func (s *Switch) Drop(port, match string) error {
	return s.nft(fmt.Sprintf("add rule bridge faults forward iifname %q %s drop\n", port, match))
}

// Deliver ends every [Switch.Drop].
func (s *Switch) Deliver() error { return s.nft("flush chain bridge faults forward\n") }

func (s *Switch) nft(script string) error { return nft(s.Command("nft", "-f", "-"), script) }

// nft feeds a script to the nft program.
func nft(cmd *exec.Cmd, script string) error {
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
