package coverage

import "golang.org/x/sys/unix"

// lasting is how far a state of a protocol with a handshake is from being forgotten: the
// kernel keeps a higher one for longer, and lets more packets fit it.
type lasting uint8

const (
	lastsLeast  lasting = iota // the first packet alone was seen, or the connection is over
	lastsLittle                // the handshake goes on
	lastsHalf                  // closed in one direction
	lastsMost                  // established, and all of a protocol without a handshake
)

var tcpLasting = [len(tcpStates)]lasting{tcpSynRecv: lastsLittle, tcpEstablished: lastsMost, tcpFinWait: lastsHalf, tcpCloseWait: lastsHalf}

var sctpLasting = [len(sctpStates)]lasting{sctpEstablished: lastsMost, sctpShutdownSent: lastsHalf, sctpShutdownRecd: lastsHalf, sctpHeartbeatSent: lastsLittle}

var dccpLasting = [len(dccpStates)]lasting{dccpRespond: lastsLittle, dccpPartOpen: lastsLittle, dccpOpen: lastsMost, dccpCloseReq: lastsHalf, dccpClosing: lastsHalf}

// lasting is that of an entry; known is false where it did not say its state. A DCCP entry
// without one tells by its replies.
func (e *Entry) lasting() (l lasting, known bool) {
	var of []lasting
	switch e.Protocol {
	case unix.IPPROTO_TCP:
		of = tcpLasting[:]
	case unix.IPPROTO_SCTP:
		of = sctpLasting[:]
	case unix.IPPROTO_DCCP:
		if of = dccpLasting[:]; !e.HasState {
			if e.Seen {
				return lastsMost, true
			}
			return lastsLeast, true
		}
	default:
		return lastsMost, true
	}
	if !e.HasState || int(e.State) >= len(of) {
		return 0, false
	}
	return of[e.State], true
}

// lastings are sets of keys, by what lasts less than the most.
type lastings [lastsMost]keySet

func (l *lastings) add(e *Entry, key uint64) {
	if lasts, known := e.lasting(); known && lasts < lastsMost {
		l[lasts] = append(l[lasts], key)
	}
}

// less says that the sets have a key as one that lasts less than l.
func (s *lastings) less(key uint64, l lasting) bool {
	for i := range min(l, lastsMost) {
		if s[i].has(key) {
			return true
		}
	}
	return false
}
