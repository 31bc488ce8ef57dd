package coverage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/plural"
)

// Attributes that the netlink package does not name (linux/netfilter/nfnetlink_conntrack.h).
const (
	ctaHelp              = 5
	ctaHelpName          = 1
	ctaTupleZone         = 3
	ctaMarkMask          = 21
	ctaSynproxy          = 24
	ctaProtoICMPID       = 4
	ctaProtoICMPType     = 5
	ctaProtoICMPCode     = 6
	ctaProtoICMPv6ID     = 7
	ctaProtoICMPv6Type   = 8
	ctaProtoICMPv6Code   = 9
	ctaProtoinfoDCCP     = 2
	ctaProtoinfoSCTP     = 3
	ctaProtoinfoState    = 1 // of TCP, SCTP and DCCP
	tcpFlagBeLiberal     = 0x08
	netfilterHeader      = 4 // struct nfgenmsg stands before the attributes
	attributeHeader      = 4
	attributeTypeMask    = 0x3fff
	attributeAlignmentUp = 3
)

// Dump calls each with every entry of the kernel's table, in the network namespace of
// the calling thread; the entry is valid during the call. It needs CAP_NET_ADMIN. Entries
// that come and go meanwhile may be missing. An error is an [conntrackd.ErrCannotLook].
func Dump(ctx context.Context, each func(*Entry)) error { return dump(ctx, nil, each) }

// DumpMarked is [Dump] of the entries with a mark alone.
func DumpMarked(ctx context.Context, mark uint32, each func(*Entry)) error {
	return dump(ctx, []*nl.RtAttr{
		nl.NewRtAttr(nl.CTA_MARK, binary.BigEndian.AppendUint32(nil, mark)),
		nl.NewRtAttr(ctaMarkMask, binary.BigEndian.AppendUint32(nil, ^uint32(0))),
	}, func(e *Entry) {
		if e.Mark == mark { // a kernel that cannot choose lists all
			each(e)
		}
	})
}

func dump(ctx context.Context, chosen []*nl.RtAttr, each func(*Entry)) error {
	var e Entry
	return messages(ctx, chosen, func(message []byte) bool {
		ok := e.parse(message)
		if ok {
			each(&e)
		}
		return ok
	})
}

// messages calls each with every message of the kernel's dump; it says whether it could
// read the message.
func messages(ctx context.Context, chosen []*nl.RtAttr, each func([]byte) bool) error {
	r := nl.NewNetlinkRequest(int(netlink.ConntrackTable)<<8|nl.IPCTNL_MSG_CT_GET, unix.NLM_F_DUMP)
	r.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	for _, a := range chosen {
		r.AddData(a)
	}
	malformed := 0
	err := r.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(message []byte) bool {
		if !each(message) {
			malformed++
		}
		return ctx.Err() == nil
	})
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, nl.ErrDumpInterrupted):
		err = nil // the table changed while it was read, as it does all the time
	case err == nil && malformed > 0:
		err = fmt.Errorf("%s could not be read", plural.Of(malformed, "entry", "entries"))
	}
	if err != nil {
		return fmt.Errorf("%w: list the kernel's connection table: %w", conntrackd.ErrCannotLook, err)
	}
	return nil
}

// attribute takes the first attribute of b; ok is false where there is none.
func attribute(b []byte) (kind uint16, value, rest []byte, ok bool) {
	if len(b) < attributeHeader {
		return 0, nil, nil, false
	}
	length := int(binary.NativeEndian.Uint16(b))
	if length < attributeHeader || length > len(b) {
		return 0, nil, nil, false
	}
	kind = binary.NativeEndian.Uint16(b[2:]) & attributeTypeMask
	next := min((length+attributeAlignmentUp)&^attributeAlignmentUp, len(b))
	return kind, b[attributeHeader:length], b[next:], true
}

// parse reads a message of the kernel; false where it is not an entry with addresses
// of both directions.
func (e *Entry) parse(message []byte) bool {
	if len(message) < netfilterHeader {
		return false
	}
	*e = Entry{}
	rest := message[netfilterHeader:]
	for {
		kind, value, more, ok := attribute(rest)
		if !ok {
			break
		}
		rest = more
		switch kind {
		case nl.CTA_TUPLE_ORIG:
			e.Protocol = e.Original.parse(value)
		case nl.CTA_TUPLE_REPLY:
			e.Reply.parse(value)
		case nl.CTA_PROTOINFO:
			e.parseProtocol(value)
		case nl.CTA_STATUS:
			status := uint32At(value)
			e.Seen, e.Dying = status&statusSeenReply != 0, status&statusDying != 0
		case nl.CTA_TIMEOUT:
			e.Timeout = uint32At(value)
		case nl.CTA_MARK:
			e.Mark = uint32At(value)
		case nl.CTA_ZONE:
			e.Original.Zone = uint16At(value)
			e.Reply.Zone = e.Original.Zone
		case ctaSynproxy:
			e.Written = true
		}
	}
	return e.valid()
}

// valid says that all addresses are there and of one family.
func (e *Entry) valid() bool {
	for _, a := range [...]netip.Addr{e.Original.Destination, e.Reply.Source, e.Reply.Destination} {
		if !a.IsValid() || a.Is4() != e.Original.Source.Is4() {
			return false
		}
	}
	return e.Original.Source.IsValid()
}

// parse reads a tuple and returns its layer 4 protocol.
func (t *Tuple) parse(b []byte) (protocol uint8) {
	for {
		kind, value, rest, ok := attribute(b)
		if !ok {
			return protocol
		}
		b = rest
		switch kind {
		case nl.CTA_TUPLE_IP:
			t.parseAddresses(value)
		case nl.CTA_TUPLE_PROTO:
			protocol = t.parsePorts(value)
		case ctaTupleZone:
			t.Zone = uint16At(value)
		}
	}
}

func (t *Tuple) parseAddresses(b []byte) {
	for {
		kind, value, rest, ok := attribute(b)
		if !ok {
			return
		}
		b = rest
		a, _ := netip.AddrFromSlice(value)
		switch kind {
		case nl.CTA_IP_V4_SRC, nl.CTA_IP_V6_SRC:
			t.Source = a
		case nl.CTA_IP_V4_DST, nl.CTA_IP_V6_DST:
			t.Destination = a
		}
	}
}

func (t *Tuple) parsePorts(b []byte) (protocol uint8) {
	for {
		kind, value, rest, ok := attribute(b)
		if !ok {
			return protocol
		}
		b = rest
		switch kind {
		case nl.CTA_PROTO_NUM:
			protocol = uint8At(value)
		case nl.CTA_PROTO_SRC_PORT, ctaProtoICMPID, ctaProtoICMPv6ID:
			t.SourcePort = uint16At(value)
		case nl.CTA_PROTO_DST_PORT:
			t.DestinationPort = uint16At(value)
		case ctaProtoICMPType, ctaProtoICMPv6Type:
			t.DestinationPort |= uint16(uint8At(value)) << 8
		case ctaProtoICMPCode, ctaProtoICMPv6Code:
			t.DestinationPort |= uint16(uint8At(value))
		}
	}
}

// parseProtocol reads what TCP, SCTP and DCCP have to say.
func (e *Entry) parseProtocol(b []byte) {
	of, value, _, ok := attribute(b)
	if !ok || of != nl.CTA_PROTOINFO_TCP && of != ctaProtoinfoSCTP && of != ctaProtoinfoDCCP {
		return
	}
	original, reply := uint8(0), uint8(0)
	for {
		kind, field, rest, ok := attribute(value)
		if !ok {
			break
		}
		value = rest
		switch {
		case kind == ctaProtoinfoState:
			e.State, e.HasState = uint8At(field), true
		case of == nl.CTA_PROTOINFO_TCP && kind == nl.CTA_PROTOINFO_TCP_FLAGS_ORIGINAL:
			original = uint8At(field)
		case of == nl.CTA_PROTOINFO_TCP && kind == nl.CTA_PROTOINFO_TCP_FLAGS_REPLY:
			reply = uint8At(field)
		}
	}
	e.Recovered = original&reply&tcpFlagBeLiberal != 0
}

func uint8At(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

func uint16At(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

func uint32At(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}
