package pairtest

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Fill puts count established TCP connections into the node's kernel table, fast enough
// to fill a table to its limit. They come from network.1.0.0 on, such as 10.1.0.0, and
// last for a quarter of an hour. The error is that of the last of them.
func (n *Node) Fill(network byte, count int) (err error) {
	n.T.Helper()
	n.Do(func() error {
		err = fill(network, count)
		return nil
	})
	return err
}

func fill(network byte, count int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i := range count {
		last := i == count-1
		if err := unix.Sendto(fd, connection(network, i, last), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return err
		}
	}
	reply := make([]byte, 4096) // errors of others may stand before
	for {
		size, _, err := unix.Recvfrom(fd, reply, 0)
		if err != nil {
			return err
		}
		if size < 20 || binary.NativeEndian.Uint32(reply[8:]) != uint32(count) {
			continue
		}
		if code := int32(binary.NativeEndian.Uint32(reply[16:])); code != 0 {
			return fmt.Errorf("put connection %d into the table: %w", count, unix.Errno(-code))
		}
		return nil
	}
}

// connection is the message that makes connection i.
func connection(network byte, i int, answered bool) []byte {
	flags := uint16(unix.NLM_F_REQUEST | unix.NLM_F_CREATE)
	if answered {
		flags |= unix.NLM_F_ACK
	}
	client := []byte{network, 1 + byte(i>>16), byte(i >> 8), byte(i)}
	server := []byte{network, 200, 0, 1}
	end := func(kind int, from, to []byte, fromPort, toPort uint16) []byte {
		return nested(kind, nested(nl.CTA_TUPLE_IP, attribute(nl.CTA_IP_V4_SRC, from), attribute(nl.CTA_IP_V4_DST, to)),
			nested(nl.CTA_TUPLE_PROTO, attribute(nl.CTA_PROTO_NUM, []byte{unix.IPPROTO_TCP}),
				attribute(nl.CTA_PROTO_SRC_PORT, binary.BigEndian.AppendUint16(nil, fromPort)),
				attribute(nl.CTA_PROTO_DST_PORT, binary.BigEndian.AppendUint16(nil, toPort))))
	}
	const established, assured = 3, 0x0e // TCP_CONNTRACK_ESTABLISHED; confirmed, assured, replied to
	body := []byte{unix.AF_INET, 0, 0, 0}
	for _, a := range [][]byte{
		end(nl.CTA_TUPLE_ORIG, client, server, 40000, 80), end(nl.CTA_TUPLE_REPLY, server, client, 80, 40000),
		attribute(nl.CTA_STATUS, binary.BigEndian.AppendUint32(nil, assured)),
		attribute(nl.CTA_TIMEOUT, binary.BigEndian.AppendUint32(nil, 900)),
		nested(nl.CTA_PROTOINFO, nested(nl.CTA_PROTOINFO_TCP, attribute(nl.CTA_PROTOINFO_TCP_STATE, []byte{established}))),
	} {
		body = append(body, a...)
	}
	head := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	head = binary.NativeEndian.AppendUint16(head, unix.NFNL_SUBSYS_CTNETLINK<<8|nl.IPCTNL_MSG_CT_NEW)
	head = binary.NativeEndian.AppendUint16(head, flags)
	head = binary.NativeEndian.AppendUint32(head, uint32(i+1))
	head = binary.NativeEndian.AppendUint32(head, 0)
	return append(head, body...)
}

func nested(kind int, inner ...[]byte) []byte {
	var all []byte
	for _, a := range inner {
		all = append(all, a...)
	}
	return attribute(kind|unix.NLA_F_NESTED, all)
}

func attribute(kind int, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, uint16(kind))
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}
