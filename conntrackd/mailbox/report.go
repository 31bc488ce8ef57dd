package mailbox

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"time"
)

// Cause says why a node holds less of the peer's connections than the peer has.
type Cause uint8

// The causes. Their values travel, in three bits; new ones go to the end.
const (
	CauseNone       Cause = iota
	CauseTableFull        // nf_conntrack_max is reached
	CauseCacheFull        // HashLimit is reached: the external cache takes no more
	CauseNotWritten       // the kernel refused entries for another reason
	CauseEmptied          // the peer's entries were removed from here
)

// Report is what one node tells the other. A number that is too large to travel
// arrives as the largest one that can.
type Report struct {
	Cause    Cause
	Direct   bool          // the peer's connections go straight into this node's kernel
	Sequence uint16        // grows with each report of a node
	Counted  time.Duration // how long before the report it was counted; it arrives in whole seconds
	// Daemon is the version of conntrackd, such as 1, 4, 7; zeros are not known.
	Daemon [3]uint8
	// Kernel are the connections in this node's kernel, whoever opened them, without
	// the node's own traffic, unless it goes through the peer; Foreign are those of them that are not in its internal cache.
	Kernel, Foreign uint32
	External        uint32 // entries in the external cache
	Refused         uint32 // writes of the peer's entries that failed and were not made good
	Limit           uint32 // nf_conntrack_max, or what the external cache holds at most; 0 is not known
	// Buffers and Settings are the writer's [conntrackd.SettingTable.Digests]; 0 is not known.
	Buffers, Settings uint8
	Mode              Mode // of the writer's conntrackd
	Host
}

// SpeaksFor is how many connections the node has in its internal cache too: those that it
// tells the peer of, and gives it when asked.
func (r Report) SpeaksFor() int { return int(r.Kernel - min(r.Foreign, r.Kernel)) }

const (
	// reportVersion changes when the bytes below mean something else.
	reportVersion = 3
	reportBytes   = 24 // the rest of 28 is a checksum
	largest       = 1<<24 - 1

	flagLow    = 1 << 0 // the writer has the lower one of the two sync addresses
	flagDirect = 1 << 1
	// The seconds since the count stand beside the flags, and the hook and the mode beside
	// the cause; none is a moment.
	countedBit = 2
	hookBit    = 3
	modeBit    = 6
	causeMask  = 1<<hookBit - 1
	hookMask   = 1<<(modeBit-hookBit) - 1
	// The first two numbers of a version of conntrackd share a byte.
	majorBit = 4

	// MaxCounted is the oldest count that a report can have.
	MaxCounted = 3 * time.Second
)

// prefix is the network for documentation (RFC 3849).
var prefix = [4]byte{0x20, 0x01, 0x0d, 0xb8}

// carrier is the conntrack entry that a report travels in: UDP between two
// documentation addresses. Their last twelve bytes are the report, and the ports its
// checksum.
type carrier struct {
	source, destination         netip.Addr
	sourcePort, destinationPort uint16
}

// carrier returns the entry of the report; low says that this node has the lower
// sync address.
func (r Report) carrier(low bool) carrier {
	var b [reportBytes]byte
	b[0] = reportVersion << 4
	if low {
		b[0] |= flagLow
	}
	if r.Direct {
		b[0] |= flagDirect
	}
	b[0] |= byte(min(max(r.Counted, 0), MaxCounted).Round(time.Second)/time.Second) << countedBit
	b[1] = byte(r.Cause)&causeMask | byte(r.Hook)&hookMask<<hookBit | byte(r.Mode)<<modeBit
	binary.BigEndian.PutUint16(b[2:], r.Sequence)
	if r.Daemon[0] < 1<<majorBit && r.Daemon[1] < 1<<majorBit {
		b[4], b[5] = r.Daemon[0]<<majorBit|r.Daemon[1], r.Daemon[2]
	}
	b[6] = byte(r.Helpers)
	for i, n := range []uint32{r.Kernel, r.Foreign, r.External, r.Refused, r.Limit} {
		n = min(n, largest)
		b[7+3*i], b[8+3*i], b[9+3*i] = byte(n>>16), byte(n>>8), byte(n)
	}
	b[22], b[23] = r.Buffers, r.Settings
	sum := crc32.ChecksumIEEE(b[:])
	return carrier{documentation(b[:12]), documentation(b[12:24]), uint16(sum >> 16), uint16(sum)}
}

func documentation(b []byte) netip.Addr {
	return netip.AddrFrom16([16]byte(append(prefix[:len(prefix):len(prefix)], b...)))
}

// report returns what an entry says. It is not ok for an entry that carries no report,
// or one that this version cannot read.
func (c carrier) report() (r Report, low, ok bool) {
	if !isDocumentation(c.source) || !isDocumentation(c.destination) {
		return Report{}, false, false
	}
	source, destination := c.source.As16(), c.destination.As16()
	b := append(source[4:16:16], destination[4:]...)
	if crc32.ChecksumIEEE(b) != uint32(c.sourcePort)<<16|uint32(c.destinationPort) || b[0]>>4 != reportVersion {
		return Report{}, false, false
	}
	r = Report{Cause: Cause(b[1] & causeMask), Direct: b[0]&flagDirect != 0, Sequence: binary.BigEndian.Uint16(b[2:])}
	r.Counted = time.Duration(b[0]>>countedBit&3) * time.Second
	r.Daemon = [3]uint8{b[4] >> majorBit, b[4] & (1<<majorBit - 1), b[5]}
	r.Host = Host{Hook: Hook(b[1] >> hookBit & hookMask), Helpers: Helpers(b[6])}
	for i, n := range []*uint32{&r.Kernel, &r.Foreign, &r.External, &r.Refused, &r.Limit} {
		*n = uint32(b[7+3*i])<<16 | uint32(b[8+3*i])<<8 | uint32(b[9+3*i])
	}
	r.Buffers, r.Settings, r.Mode = b[22], b[23], Mode(b[1]>>modeBit)
	return r, b[0]&flagLow != 0, true
}

func isDocumentation(a netip.Addr) bool {
	b := a.As16()
	return a.Is6() && [4]byte(b[:4]) == prefix
}
