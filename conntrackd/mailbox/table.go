package mailbox

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/coverage"
)

// put makes the entry that a report travels in; it ends after lifetime.
func (c carrier) put(lifetime time.Duration) error {
	from, to := c.source.AsSlice(), c.destination.AsSlice()
	return netlink.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET6, &netlink.ConntrackFlow{
		FamilyType: unix.AF_INET6, TimeOut: uint32(lifetime / time.Second), Mark: coverage.MessageMark,
		Forward: netlink.IPTuple{SrcIP: from, DstIP: to, Protocol: unix.IPPROTO_UDP, SrcPort: c.sourcePort, DstPort: c.destinationPort},
		Reverse: netlink.IPTuple{SrcIP: to, DstIP: from, Protocol: unix.IPPROTO_UDP, SrcPort: c.destinationPort, DstPort: c.sourcePort},
	})
}

// remove takes the entry out of the table; that it is gone already is no error.
func (c carrier) remove() error {
	r := nl.NewNetlinkRequest(int(netlink.ConntrackTable)<<8|nl.IPCTNL_MSG_CT_DELETE, unix.NLM_F_ACK)
	r.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_INET6, Version: nl.NFNETLINK_V0})
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, nil)
	addresses := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_IP, nil)
	addresses.AddRtAttr(nl.CTA_IP_V6_SRC, c.source.AsSlice())
	addresses.AddRtAttr(nl.CTA_IP_V6_DST, c.destination.AsSlice())
	protocol := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil)
	protocol.AddRtAttr(nl.CTA_PROTO_NUM, []byte{unix.IPPROTO_UDP})
	protocol.AddRtAttr(nl.CTA_PROTO_SRC_PORT, binary.BigEndian.AppendUint16(nil, c.sourcePort))
	protocol.AddRtAttr(nl.CTA_PROTO_DST_PORT, binary.BigEndian.AppendUint16(nil, c.destinationPort))
	r.AddData(tuple)
	if _, err := r.Execute(unix.NETLINK_NETFILTER, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}
