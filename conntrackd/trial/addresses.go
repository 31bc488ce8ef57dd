package trial

import (
	"errors"
	"fmt"
	"net"

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
			problems = append(problems, fmt.Sprintf("conntrackd could not start: %v is not on %s, or cannot be used there yet; ip address add %v dev %s, and ip link set dev %s up",
				l.Current.Addr(), l.Interface, l.Current, l.Interface, l.Interface))
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
