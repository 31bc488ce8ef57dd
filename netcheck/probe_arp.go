package netcheck

import (
	"bytes"
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
)

const arpHardwareEthernet = 1

// arp asks for an IPv4 address.
func (q inquiry) arp() wire {
	addr := q.addr.As4()
	return wire{
		protocol: unix.ETH_P_ARP,
		to:       net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		request:  arpRequest(q.link.HardwareAddr, addr),
		owner: func(b []byte, _ net.HardwareAddr) (net.HardwareAddr, bool) {
			return arpOwner(b, addr)
		},
	}
}

// arpRequest is the ARP probe of RFC 5227, 2.1.1: its sender address is
// 0.0.0.0. With our own address as sender, a host that has the same address
// stays silent, and the others learn a binding.
func arpRequest(own net.HardwareAddr, target [4]byte) []byte {
	b := make([]byte, 0, packet.ARPSize)
	b = binary.BigEndian.AppendUint16(b, arpHardwareEthernet)
	b = binary.BigEndian.AppendUint16(b, unix.ETH_P_IP)
	b = append(b, 6, 4)
	b = binary.BigEndian.AppendUint16(b, packet.ARPRequest)
	b = append(b, own...)
	b = append(b, 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, target[:]...)
}

// arpOwner reads who claims addr: the sender of any ARP packet that comes from
// it, reply or request. A probe for the same address claims nothing: the
// peer's own check sends such probes.
func arpOwner(b []byte, addr [4]byte) (net.HardwareAddr, bool) {
	if len(b) < packet.ARPSize || binary.BigEndian.Uint16(b[2:]) != unix.ETH_P_IP || b[4] != 6 || b[5] != 4 {
		return nil, false
	}
	return net.HardwareAddr(b[8:14]), bytes.Equal(b[packet.ARPSourceAt:packet.ARPSourceAt+4], addr[:])
}
