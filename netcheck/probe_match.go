package netcheck

import (
	"bytes"
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// value is data of which some bytes may not be known.
type value struct {
	bytes []byte
	known []bool
}

func known(b []byte) value {
	v := value{bytes: b, known: make([]bool, len(b))}
	for i := range v.known {
		v.known[i] = true
	}
	return v
}

func (v value) whole() bool { return !bytes.Contains(boolBytes(v.known), []byte{0}) }

func boolBytes(known []bool) []byte {
	b := make([]byte, len(known))
	for i, k := range known {
		if k {
			b[i] = 1
		}
	}
	return b
}

func (v value) equals(other []byte) truth {
	if len(other) != len(v.bytes) {
		return maybe
	}
	for i, k := range v.known {
		if k && v.bytes[i] != other[i] {
			return no
		}
	}
	if v.whole() {
		return yes
	}
	return maybe
}

// compare is bytes.Compare as a question.
func (v value) compare(other []byte, holds func(order int) bool) truth {
	if !v.whole() || len(v.bytes) != len(other) {
		return maybe
	}
	return truthOf(holds(bytes.Compare(v.bytes, other)))
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return maybe
}

// state is what the expressions of one rule have loaded. Registers start as
// unknown, so that expressions which the library does not decode leave doubt.
type state struct {
	flow  *flow
	rules *ruleset
	table *nftables.Table
	data  [16 * 5]byte
	known [16 * 5]bool
}

// register returns where a register begins: the 16-byte ones count from 1, the
// 4-byte ones lie over them and count from 8 (linux/netfilter/nf_tables.h).
func register(r uint32) int {
	if r >= unix.NFT_REG32_00 {
		return int(r-unix.NFT_REG32_00) * 4
	}
	return int(r-unix.NFT_REG_1) * 16
}

func (s *state) load(r uint32, v value) {
	at := register(r)
	if at < 0 {
		return
	}
	size := 16
	if r >= unix.NFT_REG32_00 {
		size = max(4, (len(v.bytes)+3)&^3)
	}
	padded := (len(v.bytes) + 3) &^ 3 // the kernel fills the last 4 bytes up with zeros
	for i := 0; i < size && at+i < len(s.data); i++ {
		switch {
		case i < len(v.bytes):
			s.data[at+i], s.known[at+i] = v.bytes[i], v.known[i]
		default:
			s.data[at+i], s.known[at+i] = 0, i < padded
		}
	}
}

func (s *state) read(r uint32, size int) value {
	at := register(r)
	if at < 0 || at+size > len(s.data) {
		return value{bytes: make([]byte, size), known: make([]bool, size)}
	}
	return value{bytes: bytes.Clone(s.data[at : at+size]), known: append([]bool(nil), s.known[at:at+size]...)}
}

// expr evaluates one expression: whether the rule still matches, and its
// verdict, if it gives one.
func (s *state) expr(e expr.Any) (truth, *expr.Verdict) {
	drop := &expr.Verdict{Kind: expr.VerdictDrop}
	switch e := e.(type) {
	case *expr.Verdict:
		return yes, e
	case *expr.Reject:
		return yes, drop
	case *expr.Counter, *expr.Log, *expr.NAT, *expr.Masq, *expr.FlowOffload, *expr.CtHelper, *expr.CtTimeout, *expr.SecMark:
		return yes, nil
	case *expr.Objref:
		if e.Type == unix.NFT_OBJECT_COUNTER {
			return yes, nil
		}
		return maybe, nil
	case *expr.Notrack:
		s.flow.untracked = true
	case *expr.Meta:
		s.meta(e)
	case *expr.Payload:
		s.payload(e)
	case *expr.Ct:
		s.ct(e)
	case *expr.Immediate:
		s.load(e.Register, known(e.Data))
	case *expr.Bitwise:
		s.bitwise(e)
	case *expr.Cmp:
		return s.cmp(e), nil
	case *expr.Range:
		return s.inRange(e), nil
	case *expr.Lookup:
		return s.lookup(e)
	case *expr.Match:
		return s.match(e), nil
	case *expr.Target:
		return s.target(e)
	case *expr.Queue:
		return yes, &expr.Verdict{Kind: verdictUnknown}
	case *expr.Fib:
		s.load(e.Register, value{})
	case *expr.Hash:
		s.load(e.DestRegister, value{})
	case *expr.Numgen:
		s.load(e.Register, value{})
	case *expr.Exthdr:
		s.load(e.DestRegister, value{})
	default: // limits, quotas, counts of connections, dynamic sets
		return maybe, nil
	}
	return yes, nil
}

// verdictUnknown stands for what a program decides (NF_QUEUE, which has this
// number), or an element of a map that the library does not read.
const verdictUnknown expr.VerdictKind = 3

func (s *state) meta(e *expr.Meta) {
	if e.SourceRegister {
		return // it sets, and compares nothing
	}
	f, v6 := s.flow, s.flow.source.Is6()
	index, name := binary.NativeEndian.AppendUint32(nil, uint32(f.index)), make([]byte, unix.IFNAMSIZ)
	copy(name, f.iface)
	var v value
	switch e.Key {
	case expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME:
		if f.in != (e.Key == expr.MetaKeyIIFNAME) {
			name = make([]byte, unix.IFNAMSIZ)
		}
		v = known(name)
	case expr.MetaKeyIIF, expr.MetaKeyOIF:
		if f.in != (e.Key == expr.MetaKeyIIF) {
			index = make([]byte, 4)
		}
		v = known(index)
	case expr.MetaKeyL4PROTO:
		v = known([]byte{unix.IPPROTO_UDP})
	case expr.MetaKeyNFPROTO:
		v = known([]byte{unix.NFPROTO_IPV4})
		if v6 {
			v = known([]byte{unix.NFPROTO_IPV6})
		}
	case expr.MetaKeyPROTOCOL:
		v = known([]byte{0x08, 0x00})
		if v6 {
			v = known([]byte{0x86, 0xdd})
		}
	}
	s.load(e.Register, v)
}

func (s *state) payload(e *expr.Payload) {
	if e.OperationType == expr.PayloadWrite {
		return
	}
	var packet value
	f := s.flow
	put := func(at int, b []byte) {
		for i := range b {
			packet.bytes[at+i], packet.known[at+i] = b[i], true
		}
	}
	switch {
	case e.Base == expr.PayloadBaseTransportHeader:
		packet = value{bytes: make([]byte, udpHeaderSize), known: make([]bool, udpHeaderSize)}
		put(2, binary.BigEndian.AppendUint16(nil, f.port))
	case e.Base == expr.PayloadBaseNetworkHeader && f.source.Is4():
		packet = value{bytes: make([]byte, 20), known: make([]bool, 20)}
		put(ipv4ProtocolAt, []byte{unix.IPPROTO_UDP})
		put(ipv4SourceAt, f.source.AsSlice())
		put(ipv4SourceAt+4, f.destination.AsSlice())
	case e.Base == expr.PayloadBaseNetworkHeader:
		packet = value{bytes: make([]byte, ipv6HeaderSize), known: make([]bool, ipv6HeaderSize)}
		put(ipv6NextHeaderAt, []byte{unix.IPPROTO_UDP})
		put(ipv6SourceAt, f.source.AsSlice())
		put(ipv6SourceAt+16, f.destination.AsSlice())
	}
	from, to := int(e.Offset), int(e.Offset+e.Len)
	if to > len(packet.bytes) || from > to {
		s.load(e.DestRegister, value{})
		return
	}
	for at := from; at < to; at += 16 { // both addresses at once are two registers
		end := min(at+16, to)
		s.load(e.DestRegister+uint32((at-from)/16), value{bytes: packet.bytes[at:end], known: packet.known[at:end]})
	}
}

func (s *state) ct(e *expr.Ct) {
	if e.SourceRegister {
		return
	}
	var v value
	if e.Key == expr.CtKeySTATE && !s.flow.untracked {
		v = known(binary.NativeEndian.AppendUint32(nil, expr.CtStateBitNEW))
	}
	s.load(e.Register, v)
}

func (s *state) bitwise(e *expr.Bitwise) {
	v := s.read(e.SourceRegister, int(e.Len))
	if len(e.Mask) != len(v.bytes) || len(e.Xor) != len(v.bytes) { // a shift
		s.load(e.DestRegister, value{})
		return
	}
	for i := range v.bytes {
		v.bytes[i] = v.bytes[i]&e.Mask[i] ^ e.Xor[i]
		v.known[i] = v.known[i] || e.Mask[i] == 0
		if e.Mask[i] == 0 {
			v.bytes[i] = e.Xor[i]
		}
	}
	s.load(e.DestRegister, v)
}

func (s *state) cmp(e *expr.Cmp) truth {
	v := s.read(e.Register, len(e.Data))
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

func (s *state) inRange(e *expr.Range) truth {
	v := s.read(e.Register, len(e.FromData))
	if !v.whole() || len(e.FromData) != len(e.ToData) {
		return maybe
	}
	in := truthOf(bytes.Compare(v.bytes, e.FromData) >= 0 && bytes.Compare(v.bytes, e.ToData) <= 0)
	if e.Op == expr.CmpOpNeq {
		return in.not()
	}
	return in
}

// lookup looks a key up in a set, or in a map. The library does not read the
// verdicts of a verdict map, so a hit there leaves everything open.
func (s *state) lookup(e *expr.Lookup) (truth, *expr.Verdict) {
	set, elements, err := s.rules.elements(s.table, e.SetName)
	if err != nil {
		return maybe, s.mapped(e)
	}
	size := int(set.KeyType.Bytes)
	if len(elements) > 0 {
		size = len(elements[0].Key)
	}
	in := lookUp(set, elements, s.read(e.SourceRegister, size))
	if e.Invert {
		in = in.not()
	}
	if in != no && e.IsDestRegSet {
		s.load(e.DestRegister, value{})
		return maybe, s.mapped(e)
	}
	return in, nil
}

// mapped is the verdict of a map whose content is not known.
func (s *state) mapped(e *expr.Lookup) *expr.Verdict {
	if !e.IsDestRegSet || e.DestRegister != unix.NFT_REG_VERDICT {
		return nil
	}
	return &expr.Verdict{Kind: verdictUnknown}
}

// match evaluates the matches that iptables has as modules.
func (s *state) match(e *expr.Match) truth {
	switch info := e.Info.(type) {
	case *xt.Comment:
		return yes
	case *xt.Udp:
		if info.SrcPorts != [2]uint16{0, 0xffff} {
			return maybe
		}
		in := truthOf(s.flow.port >= info.DstPorts[0] && s.flow.port <= info.DstPorts[1])
		if info.InvFlags&xt.UdpInvDestPorts != 0 {
			return in.not()
		}
		return in
	case *xt.ConntrackMtinfo3:
		return s.conntrackState(info.ConntrackMtinfoBase, info.StateMask)
	case *xt.ConntrackMtinfo2:
		return s.conntrackState(info.ConntrackMtinfoBase, info.StateMask)
	}
	return maybe
}

// conntrackState is iptables' --ctstate for a new flow.
func (s *state) conntrackState(info xt.ConntrackMtinfoBase, mask uint16) truth {
	const stateNew = 1 << 3 // XT_CONNTRACK_STATE_BIT(IP_CT_NEW)
	if s.flow.untracked || xt.ConntrackFlags(info.MatchFlags)&^xt.ConntrackStateAlias != xt.ConntrackState {
		return maybe
	}
	in := truthOf(mask&stateNew != 0)
	if xt.ConntrackFlags(info.InvertFlags)&xt.ConntrackState != 0 {
		return in.not()
	}
	return in
}

// target evaluates the targets that iptables has as modules.
func (s *state) target(e *expr.Target) (truth, *expr.Verdict) {
	switch e.Name {
	case "REJECT", "DROP":
		return yes, &expr.Verdict{Kind: expr.VerdictDrop}
	case "CT", "NOTRACK":
		s.flow.untracked = true
		return yes, nil
	case "LOG", "NFLOG", "MARK", "CONNMARK":
		return yes, nil
	}
	return maybe, &expr.Verdict{Kind: verdictUnknown}
}
