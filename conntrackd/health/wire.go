package health

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Flags are the flags of a sync message (include/network.h).
type Flags uint8

// The flags, as FTFW uses them. NOTRACK sends FlagAlive alone and ALARM none.
const (
	FlagResync    Flags = 1 << iota // give me all of your states
	_                               // never sent
	FlagNACK                        // send those again
	FlagACK                         // I have received those of yours
	FlagAlive                       // I have received nothing since my last message
	FlagHello                       // I have just started, or have not heard you since
	FlagHelloBack                   // I have heard your hello
)

// Has says whether all of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// protocolVersion is CONNTRACKD_PROTOCOL_VERSION.
const protocolVersion = 1

// headerSize is sizeof(struct nethdr).
const headerSize = 8

// typeControl is the message type of acknowledgements and heartbeats
// (NET_T_CTL); lower types carry states.
const typeControl = 10

// Header is what every sync message begins with (struct nethdr in
// include/network.h). A datagram holds one or more messages back to back.
type Header struct {
	Version  uint8
	Type     uint8
	Flags    Flags
	Length   int // of the whole message, in bytes
	Sequence uint32
}

// Control says whether the message carries no state.
func (h Header) Control() bool { return h.Type == typeControl }

// ErrMessage means that bytes are no message of conntrackd's sync protocol.
var ErrMessage = errors.New("not a sync message of conntrackd")

// ParseHeader reads the header at the start of b. It fails with [ErrMessage]
// when b is shorter than the message says.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < headerSize {
		return Header{}, fmt.Errorf("%w: %d bytes", ErrMessage, len(b))
	}
	h := Header{
		Version:  b[0] >> 4,
		Type:     b[0] & 0xf,
		Flags:    Flags(b[1]),
		Length:   int(binary.BigEndian.Uint16(b[2:])),
		Sequence: binary.BigEndian.Uint32(b[4:]),
	}
	switch {
	case h.Version != protocolVersion:
		return Header{}, fmt.Errorf("%w: version %d", ErrMessage, h.Version)
	case h.Length < headerSize || h.Length > len(b):
		return Header{}, fmt.Errorf("%w: length %d in %d bytes", ErrMessage, h.Length, len(b))
	}
	return h, nil
}

// ParseDatagram returns the headers of all messages of a datagram's payload,
// and what could be read together with the error where it is damaged.
func ParseDatagram(payload []byte) ([]Header, error) {
	var headers []Header
	for len(payload) > 0 {
		h, err := ParseHeader(payload)
		if err != nil {
			return headers, err
		}
		headers = append(headers, h)
		payload = payload[h.Length:]
	}
	return headers, nil
}
