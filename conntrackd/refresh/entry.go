package refresh

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
)

// entry is what a message of the kernel says of one entry.
type entry struct {
	family              uint8
	tuple               []byte // the attribute CTA_TUPLE_ORIG, header included
	zone                []byte // the attribute CTA_ZONE, likewise; nil for none
	source, destination netip.Addr
	timeout             uint32 // seconds until it ends without another packet
	timed               bool   // the kernel says when: not of what a flowtable carries
}

const attributeHeader = 4 // length and type (linux/netlink.h)

// attributes passes each attribute to do, its header included in whole.
func attributes(data []byte, do func(kind uint16, whole, value []byte)) {
	for len(data) >= attributeHeader {
		length := int(binary.NativeEndian.Uint16(data))
		if length < attributeHeader || length > len(data) {
			return
		}
		do(binary.NativeEndian.Uint16(data[2:])&nl.NLA_TYPE_MASK, data[:length], data[attributeHeader:length])
		data = data[min(len(data), (length+3)&^3):]
	}
}

// readEntry reads what follows a netlink header, false where it is of no entry.
func readEntry(body []byte) (e entry, ok bool) {
	if len(body) < 4 {
		return e, false
	}
	e.family = body[0]
	attributes(body[4:], func(kind uint16, whole, value []byte) {
		switch kind {
		case nl.CTA_TUPLE_ORIG:
			e.tuple = whole
			e.readTuple(value)
		case nl.CTA_ZONE:
			e.zone = whole
		case nl.CTA_TIMEOUT:
			if len(value) == 4 {
				e.timeout, e.timed = binary.BigEndian.Uint32(value), true
			}
		}
	})
	return e, e.tuple != nil
}

// readTuple takes what both ends are.
func (e *entry) readTuple(tuple []byte) {
	attributes(tuple, func(kind uint16, _, value []byte) {
		attributes(value, func(inner uint16, _, value []byte) {
			switch {
			case kind == nl.CTA_TUPLE_IP && (inner == nl.CTA_IP_V4_SRC || inner == nl.CTA_IP_V6_SRC):
				e.source, _ = netip.AddrFromSlice(value)
			case kind == nl.CTA_TUPLE_IP && (inner == nl.CTA_IP_V4_DST || inner == nl.CTA_IP_V6_DST):
				e.destination, _ = netip.AddrFromSlice(value)
			}
		})
	})
}

// name is what the kernel knows the entry by: the family, and the attributes
// that a request about it has to have.
func (e entry) name() string {
	name := make([]byte, 0, 1+len(e.tuple)+len(e.zone)+3)
	name = append(append(name, e.family), e.tuple...)
	for len(name)%4 != 1 {
		name = append(name, 0)
	}
	return string(append(name, e.zone...))
}

// key tells entries apart in 8 bytes.
func (e entry) key(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_ = h.WriteByte(e.family)
	_, _ = h.Write(e.tuple)
	_, _ = h.Write(e.zone)
	return h.Sum64()
}
