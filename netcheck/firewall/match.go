package firewall

import (
	"encoding/binary"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"connsync/netcheck/nft"
	"connsync/netcheck/packet"
)

// nftRule is a rule of nftables.
type nftRule nft.Rule

// evaluation is one rule of nftables as its expressions run over a packet. Registers
// start as unknown.
type evaluation struct {
	*follower
	chain *chain
	holds truth // whether the packet has come so far
	data  value // the registers: 16 of 4 bytes, after the verdict's 16 bytes
}

// weigh runs the expressions until one does not match or has a verdict.
func (r *nftRule) weigh(w *follower, c *chain) (truth, *expr.Verdict) {
	ev := &evaluation{follower: w, chain: c, holds: yes, data: unknowns(16 * 5)}
	for _, e := range r.Exprs {
		var verdict *expr.Verdict
		t := maybe
		if e.Decoded == nil {
			verdict = ev.forget(e.Name)
		} else {
			t, verdict = ev.expr(e.Decoded)
		}
		if e.Name == "synproxy" && ev.flow.protocol != unix.IPPROTO_TCP {
			t, verdict = no, nil
		}
		if ev.holds = ev.holds.and(t); ev.holds == no {
			return no, nil
		}
		if verdict != nil {
			return ev.holds, verdict
		}
	}
	return ev.holds, nil
}

// forget is for an expression that is not understood: it may have loaded
// anything anywhere, and it may not match. Those that are not known to do no more,
// such as tproxy and fwd, may have taken the packet away.
func (ev *evaluation) forget(name string) *expr.Verdict {
	ev.data = unknowns(len(ev.data.bytes))
	switch name {
	case "byteorder", "limit", "quota", "connlimit", "last", "socket", "osf", "xfrm", "tunnel", "rt", "inner", "dup":
		return nil
	}
	return &expr.Verdict{Kind: verdictUnknown}
}

// register returns where a register begins: the 16-byte ones count from 1, the
// 4-byte ones lie over them and count from 8 (linux/netfilter/nf_tables.h).
func register(r uint32) int {
	if r >= unix.NFT_REG32_00 {
		return int(r-unix.NFT_REG32_00)*4 + 16
	}
	return int(r) * 16
}

func (ev *evaluation) load(r uint32, v value) {
	at := register(r)
	size := 16
	if r >= unix.NFT_REG32_00 {
		size = max(4, (len(v.bytes)+3)&^3)
	}
	size = max(size, len(v.bytes))
	padded := (len(v.bytes) + 3) &^ 3 // the kernel fills the last 4 bytes up with zeros
	for i := 0; i < size && at+i < len(ev.data.bytes); i++ {
		switch {
		case i < len(v.bytes):
			ev.data.bytes[at+i], ev.data.known[at+i] = v.bytes[i], v.known[i]
		case i < padded:
			ev.data.bytes[at+i], ev.data.known[at+i] = 0, 0xff
		default:
			ev.data.bytes[at+i], ev.data.known[at+i] = 0, 0
		}
	}
}

func (ev *evaluation) read(r uint32, size int) value { return ev.data.part(register(r), size) }

// number loads a number in the byte order of this machine.
func (ev *evaluation) number(r uint32, n uint32) {
	ev.load(r, known(binary.NativeEndian.AppendUint32(nil, n)))
}

// expr evaluates one expression: whether the rule still matches, and its
// verdict, if it gives one.
func (ev *evaluation) expr(e expr.Any) (truth, *expr.Verdict) {
	switch e := e.(type) {
	case *expr.Verdict:
		return yes, e
	case *expr.Reject:
		return yes, &expr.Verdict{Kind: expr.VerdictDrop}
	case *expr.Counter, *expr.Log:
		return yes, nil
	case *expr.Objref:
		return truthOr(e.Type == unix.NFT_OBJECT_COUNTER || e.Type == unix.NFT_OBJECT_CT_HELPER), nil
	case *expr.Notrack:
		ev.untrack(ev.holds)
		return yes, nil
	case *expr.Meta:
		return ev.meta(e), nil
	case *expr.Payload:
		if ev.flow.arp != 0 && e.Base == expr.PayloadBaseTransportHeader {
			return no, nil
		}
		ev.payload(e)
	case *expr.Ct:
		return ev.ct(e), nil
	case *expr.Immediate:
		ev.load(e.Register, known(e.Data))
	case *expr.Bitwise:
		ev.bitwise(e)
	case *expr.Cmp:
		return ev.cmp(e), nil
	case *expr.Range:
		return ev.inRange(e), nil
	case *expr.Lookup:
		return ev.lookup(e)
	case *expr.Fib:
		ev.fib(e)
	case *expr.Exthdr:
		return ev.exthdr(e), nil
	case *expr.Dynset:
		return ev.dynset(e), nil
	case *expr.Hash:
		ev.load(e.DestRegister, value{})
	case *expr.Numgen:
		ev.load(e.Register, value{})
	case *expr.NAT:
		if e.Type == expr.NATTypeDestNAT {
			return ev.flow.translate()
		}
		return ev.flow.translateSource(ev.newSource(e))
	case *expr.Redir:
		return ev.flow.translate()
	case *expr.Masq:
		return ev.flow.translateSource(ev.flow.source)
	case *expr.Match:
		return ev.match(e), nil
	case *expr.Target:
		return ev.target(e)
	case *expr.Queue:
		return yes, &expr.Verdict{Kind: verdictUnknown}
	default: // limits, quotas, counts of connections
		return maybe, nil
	}
	return yes, nil
}

// truthOr is yes where something is certain, else maybe.
func truthOr(certain bool) truth {
	if certain {
		return yes
	}
	return maybe
}

// verdictUnknown stands for what a program decides (NF_QUEUE, which has this
// number).
const verdictUnknown expr.VerdictKind = 3

func (ev *evaluation) meta(e *expr.Meta) truth {
	if e.SourceRegister {
		ev.setMeta(e)
		return yes
	}
	p := ev.flow
	if p.several && (e.Key >= expr.MetaKeyIIF && e.Key <= expr.MetaKeyOIFTYPE || e.Key == expr.MetaKeyIIFGROUP || e.Key == expr.MetaKeyOIFGROUP) {
		ev.load(e.Register, value{})
		return yes
	}
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, p.iface)
	ours := func(input, output expr.MetaKey) bool { return p.in && e.Key == input || !p.in && e.Key == output }
	if isInput := slices.Contains([]expr.MetaKey{expr.MetaKeyIIF, expr.MetaKeyIIFNAME, expr.MetaKeyIIFGROUP}, e.Key); isInput && ev.hasDevice() {
		ev.load(e.Register, value{})
		return truthOr(e.Key != expr.MetaKeyIIFGROUP)
	}
	switch e.Key {
	case expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME:
		if !ours(expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME) {
			name = make([]byte, unix.IFNAMSIZ)
		}
		ev.load(e.Register, known(name))
	case expr.MetaKeyIIF, expr.MetaKeyOIF:
		index := 0
		if ours(expr.MetaKeyIIF, expr.MetaKeyOIF) {
			index = p.index
		}
		ev.number(e.Register, uint32(index))
	case expr.MetaKeyIIFGROUP, expr.MetaKeyOIFGROUP:
		ev.number(e.Register, p.group)
		return truthOf(ours(expr.MetaKeyIIFGROUP, expr.MetaKeyOIFGROUP)) // without an interface it does not match
	case expr.MetaKeyIIFTYPE, expr.MetaKeyOIFTYPE:
		ev.load(e.Register, value{})
		if p.kind != 0 {
			ev.load(e.Register, known(binary.NativeEndian.AppendUint16(nil, uint16(p.kind))))
		}
		if !p.in && e.Key == expr.MetaKeyIIFTYPE && (ev.base.egress() || ev.base.Hook != hookOutput || p.protocol != unix.IPPROTO_UDP) {
			return maybe // some kernels take the device that the packet has by then
		}
		return truthOf(ours(expr.MetaKeyIIFTYPE, expr.MetaKeyOIFTYPE))
	case expr.MetaKeyPKTTYPE:
		ev.load(e.Register, value{})
		if p.in && !p.lower && p.changed&astray == 0 && !p.destination.IsMulticast() && p.arp != packet.ARPRequest {
			ev.load(e.Register, known([]byte{unix.PACKET_HOST}))
		}
	case expr.MetaKeyL4PROTO:
		if p.arp != 0 {
			return no
		}
		ev.load(e.Register, known([]byte{p.protocol}))
	case expr.MetaKeyMARK:
		ev.load(e.Register, p.packet.value())
	case expr.MetaKeyNFPROTO:
		ev.load(e.Register, known([]byte{p.nfproto()}))
	case expr.MetaKeyPROTOCOL:
		ev.load(e.Register, known(binary.BigEndian.AppendUint16(nil, p.ethertype())))
	default:
		ev.load(e.Register, value{})
	}
	return yes
}

// hasDevice says that the packet may have its device as the one through which it came in,
// though it goes out: after routing some kernels take the one that is noted in the packet,
// and messages of the kernel's own have it from the start.
func (w *follower) hasDevice() bool {
	return !w.flow.in && w.flow.arp == 0 && w.flow.protocol != unix.IPPROTO_UDP && w.base.Hook == hookPostrouting
}

// ct asks connection tracking. What is not tracked has a state and nothing
// else: no other question about it matches.
func (ev *evaluation) ct(e *expr.Ct) truth {
	if e.SourceRegister {
		switch e.Key {
		case expr.CtKeyZONE:
			ev.zone(ev.holds)
		case expr.CtKeyMARK:
			ev.setConnectionMark(ev.holds, markOf(ev.read(e.Register, 4)))
		}
		return yes
	}
	p, now := ev.flow, ev.flow.state(ev.base)
	var v value
	switch e.Key {
	case expr.CtKeySTATE:
		if now != 0 {
			v = known(binary.NativeEndian.AppendUint32(nil, now))
		}
		ev.load(e.Register, v)
		return yes
	case expr.CtKeyMARK:
		v = p.connection.value()
	case expr.CtKeyDIRECTION:
		v = known([]byte{0}) // original
	case expr.CtKeyPROTOCOL:
		v = known([]byte{p.protocol})
	case expr.CtKeyL3PROTOCOL:
		v = known([]byte{p.nfproto()})
	case expr.CtKeySTATUS:
		v = unknowns(4)
		mask := uint32(1<<0 | 1<<1 | 1<<2) // neither expected, nor answered, nor assured
		if p.changed&translated == 0 {
			mask |= 1<<4 | 1<<5 // IPS_SRC_NAT, IPS_DST_NAT
		}
		binary.NativeEndian.PutUint32(v.known, mask)
	}
	if p.tracked == zoned && ev.base.beforeTracking() { // what is there is not yet its own
		ev.load(e.Register, value{})
		return maybe
	}
	ev.load(e.Register, v)
	switch now {
	case stateNew:
		return yes
	case 0:
		return maybe
	}
	return no
}

func (ev *evaluation) bitwise(e *expr.Bitwise) {
	v := ev.read(e.SourceRegister, int(e.Len))
	if len(e.Mask) != len(v.bytes) || len(e.Xor) != len(v.bytes) { // a shift
		ev.load(e.DestRegister, unknowns(int(e.Len)))
		return
	}
	for i := range v.bytes {
		v.known[i] |= ^e.Mask[i]
		v.bytes[i] = v.bytes[i]&e.Mask[i]&v.known[i] ^ e.Xor[i]
	}
	ev.load(e.DestRegister, v)
}

func (ev *evaluation) cmp(e *expr.Cmp) truth {
	v := ev.read(e.Register, len(e.Data))
	switch e.Op {
	case expr.CmpOpEq:
		return v.equals(e.Data)
	case expr.CmpOpNeq:
		return v.equals(e.Data).not()
	case expr.CmpOpLt:
		return v.compare(e.Data, func(o int) bool { return o < 0 })
	case expr.CmpOpLte:
		return v.compare(e.Data, func(o int) bool { return o <= 0 })
	case expr.CmpOpGt:
		return v.compare(e.Data, func(o int) bool { return o > 0 })
	case expr.CmpOpGte:
		return v.compare(e.Data, func(o int) bool { return o >= 0 })
	}
	return maybe
}

func (ev *evaluation) inRange(e *expr.Range) truth {
	return ev.read(e.Register, len(e.FromData)).within(e.FromData, e.ToData).notIf(e.Op == expr.CmpOpNeq)
}

// fib asks the routing tables.
func (ev *evaluation) fib(e *expr.Fib) {
	const unicast, local, multicast = unix.RTN_UNICAST, unix.RTN_LOCAL, unix.RTN_MULTICAST
	p := ev.flow
	switch {
	case p.lower, p.arp != 0, e.FlagSADDR && p.changed&otherSource != 0, e.FlagDADDR && p.changed&astray != 0:
		ev.load(e.Register, value{})
	case e.ResultADDRTYPE:
		kind := uint32(unicast)
		switch {
		case e.FlagDADDR && p.destination.IsMulticast():
			kind = multicast
		case e.FlagDADDR && p.in, e.FlagSADDR && !p.in:
			kind = local
		}
		ev.number(e.Register, kind)
	case e.FlagSADDR && p.in && p.direct && e.FlagPRESENT:
		ev.load(e.Register, known([]byte{1}))
	case e.FlagSADDR && p.in && p.direct && e.ResultOIF:
		ev.number(e.Register, uint32(p.index))
	default:
		ev.load(e.Register, value{})
	}
}

// exthdr asks for an extension header of IPv6, an option of IPv4 or one of
// TCP: there are none but where a packet is extended.
func (ev *evaluation) exthdr(e *expr.Exthdr) truth {
	const present = 1 // NFT_EXTHDR_F_PRESENT
	switch {
	case ev.flow.extended:
		ev.load(e.DestRegister, value{})
		return maybe
	case e.Flags&present == 0:
		return no
	}
	ev.load(e.DestRegister, known([]byte{0}))
	return yes
}
