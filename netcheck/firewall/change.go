package firewall

import (
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
)

// changes are what rules may have done to a packet. None is ever undone.
type changes uint8

const (
	// translated says that connection tracking rewrote an address.
	translated changes = 1 << iota
	// otherSource says that the source is not known any more.
	otherSource
	// astray says that the destination is not known any more, or that something else is
	// not as it was, so that the packet may arrive nowhere.
	astray
)

// ofSource is what is known of a condition about the source.
func (p *firstPacket) ofSource(t truth) truth { return t.unless(p.changed&otherSource != 0) }

// ofDestination is what is known of a condition about the destination, or about the
// header behind the addresses.
func (p *firstPacket) ofDestination(t truth) truth { return t.unless(p.changed&astray != 0) }

// blank makes the addresses in a header unknown that are not known any more.
func (p *firstPacket) blank(h value, source, size int) {
	if p.changed&otherSource != 0 {
		clear(h.known[source : source+size])
	}
	if p.changed&astray != 0 {
		clear(h.known[source+size : source+2*size])
	}
}

// translate rewrites an address. A datagram to another destination is no longer
// the daemon's; the source matters to the peer alone.
func (p *firstPacket) translate(destination bool) (truth, *expr.Verdict) {
	p.changed |= translated | otherSource
	if destination {
		p.changed |= astray
	}
	return yes, &expr.Verdict{Kind: expr.VerdictAccept}
}

// header is what is known of one of the headers.
func (ev *evaluation) header(base expr.PayloadBase) value {
	switch base {
	case expr.PayloadBaseTransportHeader:
		if ev.flow.changed&astray != 0 {
			break
		}
		return ev.flow.transport
	case expr.PayloadBaseNetworkHeader:
		return ev.flow.networkHeader()
	}
	// Of the link layer, which is not there before a device, only the type is known.
	h := unknowns(linkHeaderSize)
	if p := ev.flow; base == expr.PayloadBaseLLHeader && (p.in || ev.base.egress() || ev.base.Family == nftables.TableFamilyBridge) && !p.tagged && p.changed&astray == 0 {
		h.put(linkTypeAt, binary.BigEndian.AppendUint16(nil, p.ethertype())...)
	}
	return h
}

// The header of Ethernet.
const (
	linkSourceAt   = 6
	linkTypeAt     = 12
	linkHeaderSize = 14
)

func (ev *evaluation) payload(e *expr.Payload) {
	there := ev.header(e.Base).part(int(e.Offset), int(e.Len))
	if e.OperationType != expr.PayloadWrite {
		ev.load(e.DestRegister, there)
		return
	}
	written := ev.read(e.SourceRegister, int(e.Len))
	for i := range there.bytes {
		at, matters := int(e.Offset)+i, there.known[i]
		isSource, any := ev.flow.indifferent(e.Base, at)
		if !any {
			matters = 0xff
		}
		if matters&^(there.known[i]&written.known[i]) == 0 && (there.bytes[i]^written.bytes[i])&matters == 0 {
			continue // as it was
		}
		if isSource {
			ev.flow.changed |= otherSource
		}
		if !isSource || ev.flow.in || ev.flow.protocol != unix.IPPROTO_UDP { // on the way out of what nobody answers it matters to the peer alone
			ev.flow.changed |= astray
		}
	}
}

// marks is for a rule that gives the packet a mark: on the way out the kernel may choose
// another route by that, where a policy rule asks for marks.
func (w *follower) marks() {
	chooses := w.base.Kind == "route" || w.base.program != "" && w.base.Table == "mangle" && w.base.Hook == hookOutput
	if chooses && w.rules.marked != nil && w.rules.marked(w.flow.link.Family()) {
		w.flow.changed |= astray
	}
}

// setMeta is for what rules set beside the packet.
func (ev *evaluation) setMeta(e *expr.Meta) {
	switch e.Key {
	case expr.MetaKeyMARK:
		ev.marks()
		return
	case expr.MetaKeyPRIORITY, expr.MetaKeyNFTRACE, expr.MetaKeySECMARK:
		return
	case expr.MetaKeyPKTTYPE:
		if ev.read(e.Register, 1).equals([]byte{unix.PACKET_HOST}) == yes {
			return
		}
	}
	ev.flow.changed |= astray
}

// indifferent says whether a byte of a header is of the source address, and whether the
// packet arrives whatever it is, where it is not known.
func (p *firstPacket) indifferent(base expr.PayloadBase, at int) (isSource, any bool) {
	switch {
	case base == expr.PayloadBaseLLHeader:
		return false, at >= linkSourceAt && at < linkTypeAt
	case base == expr.PayloadBaseTransportHeader:
		return false, at < 2 && p.protocol == unix.IPPROTO_UDP
	case base != expr.PayloadBaseNetworkHeader || p.arp != 0:
		return false, false
	case p.is6():
		return at >= packet.IPv6SourceAt && at < packet.IPv6SourceAt+16, at < 4 || at == packet.IPv6HopLimitAt
	}
	const service, identification, timeToLive = 1, 4, 8
	return at >= packet.IPv4SourceAt && at < packet.IPv4SourceAt+4,
		at <= service || at == identification || at == identification+1 || at == timeToLive
}
