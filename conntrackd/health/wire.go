package health

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// flags are the flags of a sync message (include/network.h).
type flags uint8

// The flags, as FTFW uses them. NOTRACK sends flagAlive alone and ALARM none.
const (
	flagResync    flags = 1 << iota // give me all of your states
	_                               // never sent
	flagNACK                        // send those again
	flagACK                         // I have received those of yours
	flagAlive                       // I have received nothing since my last message
	flagHello                       // I have just started, or have not heard you since
	flagHelloBack                   // I have heard your hello
)

// has says whether all of want are set.
func (f flags) has(want flags) bool { return f&want == want }

// protocolVersion is CONNTRACKD_PROTOCOL_VERSION.
const protocolVersion = 1

// headerSize is sizeof(struct nethdr).
const headerSize = 8

// typeControl is the message type of acknowledgements and heartbeats
// (NET_T_CTL); lower types carry states.
const typeControl = 10

// header is what every sync message begins with (struct nethdr in
// include/network.h). A datagram holds one or more messages back to back.
type header struct {
	Version  uint8
	Type     uint8
	Flags    flags
	Length   int // of the whole message, in bytes
	Sequence uint32
}

// control says whether the message carries no state.
func (h header) control() bool { return h.Type == typeControl }

// errMessage means that bytes are no message of conntrackd's sync protocol.
var errMessage = errors.New("not a sync message of conntrackd")

// parseHeader reads the header at the start of b. It fails with errMessage
// when b is shorter than the message says.
func parseHeader(b []byte) (header, error) {
	if len(b) < headerSize {
		return header{}, fmt.Errorf("%w: %d bytes", errMessage, len(b))
	}
	h := header{
		Version:  b[0] >> 4,
		Type:     b[0] & 0xf,
		Flags:    flags(b[1]),
		Length:   int(binary.BigEndian.Uint16(b[2:])),
		Sequence: binary.BigEndian.Uint32(b[4:]),
	}
	switch {
	case h.Version != protocolVersion:
		return header{}, fmt.Errorf("%w: version %d", errMessage, h.Version)
	case h.Length < headerSize || h.Length > len(b):
		return header{}, fmt.Errorf("%w: length %d in %d bytes", errMessage, h.Length, len(b))
	}
	return h, nil
}

// parseDatagram returns the headers of all messages of a datagram's payload,
// and what could be read together with the error where it is damaged.
func parseDatagram(payload []byte) ([]header, error) {
	var headers []header
	for len(payload) > 0 {
		h, err := parseHeader(payload)
		if err != nil {
			return headers, err
		}
		headers = append(headers, h)
		payload = payload[h.Length:]
	}
	return headers, nil
}
