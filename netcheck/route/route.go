// Package route asks the kernel which way packets of one kind go. Rules may tell them apart
// by protocol and port, which netlink's own call does not name.
package route

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/trust"
)

// Question is what is asked about; only To has to be given.
type Question struct {
	To   netip.Addr
	Link int // the index of the interface through which they go
	From netip.Addr
	Port uint16 // of UDP, to which they go
	// In is the index of the interface through which they come, where this node does not
	// send them.
	In int
	// SourcePort is from where they go to Port; 0 stands for the first that a kernel gives.
	SourcePort uint16
}

// Answer is the way that the kernel has found.
type Answer struct {
	Link, Kind, Table int // Kind is RTN_UNICAST, RTN_LOCAL, ...
	Gateway, Source   netip.Addr
}

// Ask looks a route up in the network namespace of the calling thread. Its errors are the
// kernel's: ENETUNREACH where there is no route, EACCES, EINVAL and EHOSTUNREACH where one
// forbids, swallows or refuses the packets. Of packets that come in with IPv4 they are
// EINVAL where the kernel drops them for their source, and EHOSTUNREACH.
func Ask(q Question) (Answer, error) {
	to := q.To.Unmap().WithZone("")
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Dst_len: uint8(to.BitLen()), Flags: unix.RTM_F_LOOKUP_TABLE}}
	if to.Is6() {
		msg.Family = unix.AF_INET6
	}
	attributes := []*nl.RtAttr{nl.NewRtAttr(unix.RTA_DST, to.AsSlice())}
	if q.In != 0 {
		attributes = append(attributes, nl.NewRtAttr(unix.RTA_IIF, binary.NativeEndian.AppendUint32(nil, uint32(q.In))))
	} else { // as root's, whose the daemon is
		attributes = append(attributes, nl.NewRtAttr(unix.RTA_UID, make([]byte, 4)))
	}
	if q.Link != 0 {
		attributes = append(attributes, nl.NewRtAttr(unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(q.Link))))
	}
	if from := q.From.Unmap().WithZone(""); from.IsValid() {
		msg.Src_len = uint8(from.BitLen())
		attributes = append(attributes, nl.NewRtAttr(unix.RTA_SRC, from.AsSlice()))
	}
	if q.Port != 0 {
		least, _ := sourcePorts(q.In != 0)
		source := cmp.Or(q.SourcePort, least)
		attributes = append(attributes, nl.NewRtAttr(unix.RTA_IP_PROTO, []byte{unix.IPPROTO_UDP}),
			nl.NewRtAttr(unix.RTA_SPORT, binary.BigEndian.AppendUint16(nil, source)),
			nl.NewRtAttr(unix.RTA_DPORT, binary.BigEndian.AppendUint16(nil, q.Port)))
	}
	return trust.Message(func() (Answer, error) {
		req := nl.NewNetlinkRequest(unix.RTM_GETROUTE, 0)
		req.AddData(msg)
		for _, a := range attributes {
			req.AddData(a)
		}
		messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE)
		if err == nil && len(messages) != 1 {
			err = fmt.Errorf("%d answers instead of one", len(messages))
		}
		if err != nil {
			return Answer{}, err
		}
		return read(messages[0])
	})
}

func read(message []byte) (Answer, error) {
	msg := nl.DeserializeRtMsg(message)
	list, err := nl.ParseRouteAttr(message[msg.Len():])
	a := Answer{Kind: int(msg.Type), Table: int(msg.Table)}
	for _, attr := range list {
		switch attr.Attr.Type {
		case unix.RTA_OIF:
			a.Link = int(binary.NativeEndian.Uint32(attr.Value))
		case unix.RTA_TABLE:
			a.Table = int(binary.NativeEndian.Uint32(attr.Value))
		case unix.RTA_GATEWAY:
			a.Gateway = address(attr.Value)
		case unix.RTA_VIA: // of the other family (RFC 8950), behind the number of its family
			a.Gateway = address(attr.Value[2:])
		case unix.RTA_PREFSRC:
			a.Source = address(attr.Value)
		}
	}
	return a, err
}

// address is not valid where it is that of nobody.
func address(b []byte) netip.Addr {
	if a, ok := netip.AddrFromSlice(b); ok && !a.IsUnspecified() {
		return a.Unmap()
	}
	return netip.Addr{}
}
