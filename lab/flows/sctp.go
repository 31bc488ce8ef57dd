package flows

import (
	"encoding/binary"
	"hash/crc32"
	"net"
	"time"

	"connsync/lab"
)

// The chunks of SCTP that are used here (RFC 9260, 3.2).
const (
	sctpData       = 0
	sctpInit       = 1
	sctpInitAck    = 2
	sctpCookieEcho = 10
	sctpCookieAck  = 11
)

const sctpPort = 7011

// sctpPacket is a packet with one chunk. Tag is what the receiver has chosen.
func sctpPacket(source, destination uint16, tag uint32, chunk, flags byte, value []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, source)
	b = binary.BigEndian.AppendUint16(b, destination)
	b = binary.BigEndian.AppendUint32(b, tag)
	b = append(b, 0, 0, 0, 0, chunk, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// sctpValue is the value of a packet's first chunk; ok is false for a packet
// that is too short.
func sctpValue(b []byte) (chunk byte, value []byte, ok bool) {
	if len(b) < 16 {
		return 0, nil, false
	}
	length := int(binary.BigEndian.Uint16(b[14:]))
	if length < 4 || 12+length > len(b) {
		return 0, nil, false
	}
	return b[12], b[16 : 12+length], true
}

// initiation is the value of INIT and INIT ACK with the sender's tag.
func initiation(tag uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, tag)
	b = append(b, 0, 1, 0, 0, 0, 1, 0, 1) // window, streams out and in
	return binary.BigEndian.AppendUint32(b, 1)
}

// sctpPayload is the value of DATA: number, stream and protocol before the payload.
func sctpPayload(payload []byte) []byte {
	return append([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, payload...)
}

// Tags of the two sides of every association.
const (
	sctpClientTag = 0x11111111
	sctpServerTag = 0x22222222
)

// sctpServer answers as a service of SCTP does.
func sctpServer(b []byte) []byte {
	chunk, value, ok := sctpValue(b)
	if !ok || binary.BigEndian.Uint16(b[2:]) != sctpPort {
		return nil
	}
	from := binary.BigEndian.Uint16(b)
	switch chunk {
	case sctpInit:
		return sctpPacket(sctpPort, from, sctpClientTag, sctpInitAck, 0, initiation(sctpServerTag))
	case sctpCookieEcho:
		return sctpPacket(sctpPort, from, sctpClientTag, sctpCookieAck, 0, nil)
	case sctpData:
		return sctpPacket(sctpPort, from, sctpClientTag, sctpData, 3, value)
	}
	return nil
}

// openSCTP makes associations by hand: not every kernel has SCTP.
func (s *Set) openSCTP(p *lab.Pair, count int) error {
	srv, err := listen(p.Server, "ip4:132", s.Kind.service(0).Addr().String())
	if err != nil {
		return err
	}
	s.also = append(s.also, srv)
	go reflect(srv, sctpServer)
	client, _ := lab.ClientAddresses()
	for i := range count {
		c, err := listen(p.Client, "ip4:132", client.Addr().String())
		if err != nil {
			return err
		}
		port := uint16(20000 + i)
		// of makes a connection's packets with a chunk, and takes them apart.
		of := func(chunk, answer byte, tag uint32, value func([]byte) []byte) *datagrams {
			return &datagrams{c, &net.IPAddr{IP: s.Kind.service(0).Addr().AsSlice()},
				func(payload []byte) []byte {
					return sctpPacket(port, sctpPort, tag, chunk, 3, value(payload))
				},
				func(b []byte) []byte {
					got, v, ok := sctpValue(b)
					if !ok || got != answer || binary.BigEndian.Uint16(b[2:]) != port {
						return nil
					}
					if answer != sctpData {
						return []byte("round 0")
					}
					return v[min(12, len(v)):]
				},
			}
		}
		deadline := time.Now().Add(patience)
		of(sctpInit, sctpInitAck, 0, func([]byte) []byte { return initiation(sctpClientTag) }).answers(0, deadline)
		of(sctpCookieEcho, sctpCookieAck, sctpServerTag, func([]byte) []byte { return []byte("cookie!!") }).answers(0, deadline)
		s.flows = append(s.flows, of(sctpData, sctpData, sctpServerTag, sctpPayload))
	}
	return nil
}
