package firewall

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
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

// translate rewrites the destination: the datagram is no longer the daemon's.
func (p *firstPacket) translate() (truth, *expr.Verdict) {
	p.changed |= translated | otherSource | astray
	return yes, &expr.Verdict{Kind: expr.VerdictAccept}
}

// translateSource rewrites the source, to an address that is not valid where it is not known.
func (p *firstPacket) translateSource(to netip.Addr) (truth, *expr.Verdict) {
	p.changed |= translated
	p.comesFrom(to)
	return yes, &expr.Verdict{Kind: expr.VerdictAccept}
}

// comesFrom gives the packet another source. It matters to the peer alone, whose kernel drops
// what cannot come from another host of the link, such as what comes from itself.
func (p *firstPacket) comesFrom(source netip.Addr) {
	p.changed |= otherSource
	if p.in || p.protocol != unix.IPPROTO_UDP {
		return
	}
	link := p.link.Current.Masked()
	first := link.Addr()
	last := first.AsSlice()
	for i := link.Bits(); i >= 0 && i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	broadcast, _ := netip.AddrFromSlice(last)
	isHost := link.Contains(source) && (source == p.source || source != p.destination && source != p.link.Peer.Addr().Unmap() &&
		(link.Addr().Is6() || link.Bits() > 30 || source != first && source != broadcast))
	if !isHost && source != p.source {
		p.changed |= astray
	}
}

// newSource is what a rule of nftables translates the source to, where that is known.
func (ev *evaluation) newSource(e *expr.NAT) netip.Addr {
	if e.RegAddrMin == 0 { // the port alone
		return ev.flow.source
	}
	size := ev.flow.source.BitLen() / 8
	from := ev.read(e.RegAddrMin, size)
	if e.RegAddrMax != 0 && ev.read(e.RegAddrMax, size).equals(from.bytes) != yes {
		return netip.Addr{}
	}
	return addressIn(from)
}

// addressIn is not valid where it is not known.
func addressIn(v value) netip.Addr {
	if !v.whole() {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(v.bytes)
	return a
}

// snatSource is the same of iptables' target SNAT.
func (p *firstPacket) snatSource(e *expr.Target) netip.Addr {
	const mapsAddress = 1 // NF_NAT_RANGE_MAP_IPS
	var flags uint32
	var from, to net.IP
	switch info := e.Info.(type) {
	case *xt.NatIPv4MultiRangeCompat:
		if len(*info) > 0 {
			flags, from, to = uint32((*info)[0].Flags), (*info)[0].MinIP, (*info)[0].MaxIP
		}
	case *xt.Unknown: // struct nf_nat_range2
		const size = 16
		if b := []byte(*info); len(b) >= 4+2*size {
			flags, from, to = binary.NativeEndian.Uint32(b), b[4:4+size], b[4+size:4+2*size]
		}
	}
	a, ok := netip.AddrFromSlice(from)
	switch {
	case ok && flags&mapsAddress == 0: // the port alone
		return p.source
	case ok && from.Equal(to):
		return a.Unmap()
	}
	return netip.Addr{}
}

// legacySource is the same in the words of iptables-save.
func legacySource(words []string) netip.Addr {
	i := slices.Index(words, "--to-source")
	if i < 0 || i+1 >= len(words) {
		return netip.Addr{}
	}
	if a, err := netip.ParseAddr(words[i+1]); err == nil {
		return a
	}
	a, err := netip.ParseAddrPort(words[i+1]) // ranges are not known
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr()
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
	rewritten := false
	for i := range there.bytes {
		at, matters := int(e.Offset)+i, there.known[i]
		isSource, any := ev.flow.indifferent(e.Base, at)
		if !any {
			matters = 0xff
		}
		if matters&^(there.known[i]&written.known[i]) == 0 && (there.bytes[i]^written.bytes[i])&matters == 0 {
			continue // as it was
		}
		rewritten = rewritten || isSource
		if !isSource || ev.flow.in || ev.flow.protocol != unix.IPPROTO_UDP { // on the way out of what nobody answers it matters to the peer alone
			ev.flow.changed |= astray
		}
	}
	if !rewritten {
		return
	}
	source := netip.Addr{}
	if int(e.Len) == ev.flow.source.BitLen()/8 { // else some of its bytes alone
		source = addressIn(written)
	}
	ev.flow.comesFrom(source)
}

// setMeta is for what rules set beside the packet.
func (ev *evaluation) setMeta(e *expr.Meta) {
	switch e.Key {
	case expr.MetaKeyMARK:
		ev.setMark(ev.holds, markOf(ev.read(e.Register, 4)))
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
