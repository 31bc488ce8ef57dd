package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// announce tells the network of the interface, in the calling thread's
// namespace, that addr is here now.
func announce(iface string, addr netip.Addr) error {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return fmt.Errorf("announce %s: %w", addr, err)
	}
	kind, frame, to := unix.ETH_P_ARP, gratuitousARP(ifi.HardwareAddr, addr), net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	if addr.Is6() {
		kind, frame, to = unix.ETH_P_IPV6, unsolicitedAdvertisement(ifi.HardwareAddr, addr), net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
	}
	conn, err := packet.Listen(ifi, packet.Raw, kind, nil)
	if err != nil {
		return fmt.Errorf("announce %s: %w", addr, err)
	}
	defer conn.Close()
	header := append(append([]byte{}, to...), ifi.HardwareAddr...)
	header = binary.BigEndian.AppendUint16(header, uint16(kind))
	_, err = conn.WriteTo(append(header, frame...), &packet.Addr{HardwareAddr: to})
	// A cut cable is no reason to fail: nobody could hear.
	if err != nil && !errors.Is(err, unix.ENETDOWN) {
		return fmt.Errorf("announce %s: %w", addr, err)
	}
	return nil
}

// gratuitousARP is an ARP request for the sender's own address (RFC 5227, 3).
func gratuitousARP(sender net.HardwareAddr, addr netip.Addr) []byte {
	arp := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, lengths, request
	arp = append(arp, sender...)
	arp = append(arp, addr.AsSlice()...)
	arp = append(arp, 0, 0, 0, 0, 0, 0)
	return append(arp, addr.AsSlice()...)
}

// unsolicitedAdvertisement is a neighbour advertisement to all nodes which
// overrides what they know (RFC 4861, 7.2.6), with its IPv6 header.
func unsolicitedAdvertisement(sender net.HardwareAddr, addr netip.Addr) []byte {
	advertisement := []byte{136, 0, 0, 0, 0xa0, 0, 0, 0} // router, override
	advertisement = append(advertisement, addr.AsSlice()...)
	advertisement = append(advertisement, 2, 1) // target link-layer address, in units of 8 bytes
	advertisement = append(advertisement, sender...)
	allNodes := netip.MustParseAddr("ff02::1")
	pseudo := append(addr.AsSlice(), allNodes.AsSlice()...)
	pseudo = append(pseudo, 0, 0, 0, byte(len(advertisement)), 0, 0, 0, unix.IPPROTO_ICMPV6)
	binary.BigEndian.PutUint16(advertisement[2:], internetChecksum(append(pseudo, advertisement...)))
	header := []byte{0x60, 0, 0, 0, 0, byte(len(advertisement)), unix.IPPROTO_ICMPV6, 255}
	header = append(append(header, addr.AsSlice()...), allNodes.AsSlice()...)
	return append(header, advertisement...)
}

// internetChecksum is that of RFC 1071, for an even number of bytes.
func internetChecksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
