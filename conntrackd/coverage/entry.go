package coverage

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Tuple is one direction of a conntrack entry. What identifies a flow of a protocol
// without ports stands in their place: the ICMP identifier as the source port, type and
// code as the destination port, the two keys of GRE. Zero where there is neither.
type Tuple struct {
	Source, Destination         netip.Addr
	SourcePort, DestinationPort uint16
	Zone                        uint16
}

// Entry is one row of the kernel's table or of a cache of conntrackd.
type Entry struct {
	Protocol  uint8 // layer 4, as in /etc/protocols
	Original  Tuple
	Reply     Tuple  // what the replies look like: NAT shows in it
	State     uint8  // of TCP, SCTP and DCCP, as the kernel counts them
	HasState  bool   // the entry said its state
	Seen      bool   // a reply was seen
	Dying     bool   // the kernel is removing it
	Mark      uint32 // zero for none
	Timeout   uint32 // seconds; zero where it was not said
	Recovered bool   // of TCP: an entry that was not begun by a SYN here, such as the peer's
	Written   bool   // a program wrote it into the table, and no packet began it; see tellsWritten
}

// Bits of CTA_STATUS (linux/netfilter/nf_conntrack_common.h).
const (
	statusSeenReply = 1 << 1
	statusDying     = 1 << 9
)

// key identifies an entry by all that conntrackd has to replicate of its addresses.
func (e *Entry) key(seed maphash.Seed) uint64 {
	var b [2*(2*16+2*2+2) + 2]byte
	b[0] = e.Protocol
	if e.Original.Source.Is4() {
		b[1] = 4
	}
	at := 2
	for _, t := range [...]*Tuple{&e.Original, &e.Reply} {
		source, destination := t.Source.As16(), t.Destination.As16()
		at += copy(b[at:], source[:])
		at += copy(b[at:], destination[:])
		for _, n := range [...]uint16{t.SourcePort, t.DestinationPort, t.Zone} {
			binary.BigEndian.PutUint16(b[at:], n)
			at += 2
		}
	}
	return maphash.Bytes(seed, b[:])
}

// The kernel's TCP states (linux/netfilter/nf_conntrack_tcp.h) under the names that
// conntrack prints.
var tcpStates = [...]string{"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"}

const (
	tcpSynSent     = 1
	tcpSynRecv     = 2
	tcpEstablished = 3
	tcpFinWait     = 4
	tcpCloseWait   = 5
	tcpLastAck     = 6
	tcpTimeWait    = 7
	tcpClose       = 8
	tcpSynSent2    = 9
)

// The kernel's SCTP states (linux/netfilter/nf_conntrack_sctp.h).
var sctpStates = [...]string{"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"}

const (
	sctpClosed          = 1
	sctpEstablished     = 4
	sctpShutdownSent    = 5
	sctpShutdownRecd    = 6
	sctpShutdownAckSent = 7
	sctpHeartbeatSent   = 8
)

// The kernel's DCCP states (linux/netfilter/nf_conntrack_dccp.h).
var dccpStates = [...]string{"NONE", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE", "INVALID"}

const (
	dccpRespond  = 2
	dccpPartOpen = 3
	dccpOpen     = 4
	dccpCloseReq = 5
	dccpClosing  = 6
)

// StateName is the state as conntrack prints it; blank where there is none.
func (e *Entry) StateName() string {
	names := stateNames(e.Protocol)
	if !e.HasState || int(e.State) >= len(names) {
		return ""
	}
	return names[e.State]
}

func stateNames(protocol uint8) []string {
	switch protocol {
	case unix.IPPROTO_TCP:
		return tcpStates[:]
	case unix.IPPROTO_SCTP:
		return sctpStates[:]
	case unix.IPPROTO_DCCP:
		return dccpStates[:]
	}
	return nil
}

// oneWayZone says that an entry has a zone in one direction alone, or two of them.
func (e *Entry) oneWayZone() bool { return e.Original.Zone != e.Reply.Zone }

// Family is ipv4 or ipv6.
func (e *Entry) Family() string {
	if e.Original.Source.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// protocolNames are the names that conntrack prints.
var protocolNames = map[uint8]string{
	unix.IPPROTO_ICMP: "icmp", unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_DCCP: "dccp", unix.IPPROTO_GRE: "gre",
	unix.IPPROTO_ESP: "esp", unix.IPPROTO_ICMPV6: "icmpv6", unix.IPPROTO_SCTP: "sctp", unix.IPPROTO_UDPLITE: "udplite",
}

// ProtocolName is the name of a layer 4 protocol that conntrack prints, or its number.
func ProtocolName(protocol uint8) string {
	if name, known := protocolNames[protocol]; known {
		return name
	}
	return strconv.Itoa(int(protocol))
}

// String is the entry in one line, such as "tcp 10.1.0.2:40001 -> 10.2.0.2:80
// ESTABLISHED", with where its replies come from and go to where NAT changes that.
func (e *Entry) String() string {
	words := []string{ProtocolName(e.Protocol), e.end(e.Original.Source, e.Original.SourcePort), "->", e.end(e.Original.Destination, e.Original.DestinationPort)}
	if e.NAT() {
		words = append(words, "NAT", e.end(e.Reply.Destination, e.Reply.DestinationPort), "->", e.end(e.Reply.Source, e.Reply.SourcePort))
	}
	if state := e.StateName(); state != "" {
		words = append(words, state)
	}
	if e.Mark != 0 {
		words = append(words, fmt.Sprintf("mark=%d", e.Mark))
	}
	if e.Original.Zone != 0 || e.Reply.Zone != 0 {
		words = append(words, fmt.Sprintf("zone=%d", max(e.Original.Zone, e.Reply.Zone)))
	}
	return strings.Join(words, " ")
}

func (e *Entry) end(a netip.Addr, port uint16) string {
	switch {
	case isICMP(e.Protocol), port == 0:
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

// NAT says that the replies have other addresses or ports than the packets of the
// original direction would have.
func (e *Entry) NAT() bool {
	o, r := &e.Original, &e.Reply
	if o.Source != r.Destination || o.Destination != r.Source {
		return true
	}
	return !isICMP(e.Protocol) && (o.SourcePort != r.DestinationPort || o.DestinationPort != r.SourcePort)
}

func isICMP(protocol uint8) bool {
	return protocol == unix.IPPROTO_ICMP || protocol == unix.IPPROTO_ICMPV6
}
