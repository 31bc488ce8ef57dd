package trial

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
)

// Addresses says which links of the settings conntrackd could not open on this host as it
// is now, in the network namespace of the calling thread: it does not start without
// each of its own addresses. No port is taken.
func Addresses(s conntrackd.Settings) []string {
	var problems []string
	for _, l := range s.Links() {
		device, err := net.InterfaceByName(l.Interface)
		if err != nil {
			problems = append(problems, fmt.Sprintf("conntrackd could not start: there is no interface %s", l.Interface))
			continue
		}
		if err := takes(l, device); errors.Is(err, unix.EADDRNOTAVAIL) {
			problems = append(problems, "conntrackd could not start: "+absent(l, device))
		} else if err != nil {
			problems = append(problems, fmt.Sprintf("conntrackd could not start: the kernel does not give it %v on %s: %v", l.Current.Addr(), l.Interface, err))
		}
	}
	return problems
}

// takes asks the kernel for a UDP socket with the link's own address, at any free port.
func takes(l conntrackd.Settings, device *net.Interface) error {
	addr := l.Current.Addr().Unmap()
	family, at := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: addr.As16(), ZoneId: uint32(device.Index)})
	if addr.Is4() {
		family, at = unix.AF_INET, &unix.SockaddrInet4{Addr: addr.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, at)
}

// absent says that the kernel has no use for the link's own address, and what to do.
func absent(l conntrackd.Settings, device *net.Interface) string {
	addr := l.Current.Addr()
	assigned, _ := device.Addrs() // else it counts as not there
	for _, a := range assigned {
		if on, err := netip.ParsePrefix(a.String()); err == nil && on.Addr() == addr.WithZone("") {
			return fmt.Sprintf("%v is on %s and cannot be used there yet; ip link set dev %s up, and wait until the kernel has made sure that no other host has it", addr, l.Interface, l.Interface)
		}
	}
	if l.Current.Bits() < 0 {
		return fmt.Sprintf("%v is not on %s, and the file does not record its prefix length; ip address add %v/LENGTH dev %s", addr, l.Interface, addr.WithZone(""), l.Interface)
	}
	return fmt.Sprintf("%v is not on %s; ip address add %v/%d dev %s", addr, l.Interface, addr.WithZone(""), l.Current.Bits(), l.Interface)
}
