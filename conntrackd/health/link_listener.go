package health

import (
	"context"
	"sync"
	"time"

	"connsync/conntrackd"
)

// Overheard is one packet between the two nodes, as it is on the sync link.
type Overheard struct {
	// Own says that this node sent it to the peer's Port. The end of its
	// payload may be missing.
	Own bool
	// Refused says that this is no datagram but the peer's ICMP answer to one of
	// ours: it does not take datagrams to Port.
	Refused bool
	Port    uint16 // where it goes; for the peer's datagrams any
	Payload []byte // of UDP
}

// Listen listens on the sync link: it sends what passes between this node and
// the peer of s on Interface of s, as it comes, and before this host's
// firewall sees what arrives. The channel is closed when ctx ends. It must
// listen in the network namespace of the calling thread.
type Listen func(ctx context.Context, s conntrackd.Settings) (<-chan Overheard, error)

// maxHeard bounds the memory of a listener. A quiet peer sends one message a
// second; a flood of requests to send again fills it sooner.
const maxHeard = 1024

// linkListener collects what is said on the wire. It is safe for concurrent use.
type linkListener struct {
	port   uint16 // of the sync
	opened time.Time

	mu        sync.Mutex
	pause     time.Time // of the peer's last state that came after a pause
	last      time.Time // of any message
	plain     time.Time // of the peer's last message without a hello
	ownHello  time.Time // of our last message with a hello
	ownPlain  time.Time // of our last message without
	refused   time.Time // of the peer's last refusal
	elsewhere time.Time // of the peer's last sync message to another port
	otherPort uint16    // that one
	heard     []heardMessage
}

type heardMessage struct {
	at    time.Time
	flags flags
}

// listen collects until the channel is closed.
func (l *linkListener) listen(packets <-chan Overheard) {
	for p := range packets {
		l.add(time.Now(), p)
	}
}

func (l *linkListener) add(at time.Time, p Overheard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p.Refused:
		l.refused = at
	case len(p.Payload) == 0: // a port probe
	case p.Own:
		l.addOwn(at, p.Payload)
	case p.Port != l.port:
		// Whatever else the nodes have to tell each other is none of ours.
		if h, err := parseHeader(p.Payload); err == nil && (h.control() || h.Length > ackBytes) {
			l.elsewhere, l.otherPort = at, p.Port
		}
	default:
		l.addPeers(at, p.Payload)
	}
}

// addOwn looks at the first message only: all of a datagram have the same
// hello.
func (l *linkListener) addOwn(at time.Time, payload []byte) {
	if len(payload) < headerSize || payload[0]>>4 != protocolVersion {
		return
	}
	if flags(payload[1]).has(flagHello) {
		l.ownHello = at
	} else {
		l.ownPlain = at
	}
}

func (l *linkListener) addPeers(at time.Time, payload []byte) {
	headers, _ := parseDatagram(payload) // the daemon counts what is damaged
	for _, h := range headers {
		paused := at.Sub(latest(l.opened, l.last)) >= longPause
		l.last = at
		if !h.Flags.has(flagHello) {
			l.plain = at
		}
		if h.Flags == 0 {
			if paused {
				l.pause = at
			}
			continue // a state, which says nothing more about the other direction
		}
		if len(l.heard) == maxHeard {
			l.heard = append(l.heard[:0], l.heard[maxHeard/2:]...)
		}
		l.heard = append(l.heard, heardMessage{at, h.Flags})
	}
}

// wire is what the listener has collected in one run of our daemon. Times are zero
// for never.
type wire struct {
	Listening bool      // false when nothing listens on the link
	Last      time.Time // the last message of the peer
	Plain     time.Time // its last one without a hello
	Opened    time.Time // since when it was listened
	Pause     time.Time // the peer's last state after a longPause without a word
	ACKs      int       // messages that confirm ours, or ask for them again
	NACKs     int       // the latter alone, since recent
	Confirmed time.Time // the last of the former, or of HelloBack
	HelloBack bool      // the peer has answered a hello
	Hellos    int       // the peer has just started, or does not know that we hear it
	// Alive counts the heartbeats since the last sign that the peer receives
	// us: "I have received nothing since my last message".
	Alive int
	// Our daemon greets until the peer has answered it, and never again in the
	// same run (sync-ftfw.c, hello_state).
	OwnHello, OwnPlain time.Time
	Refused            time.Time // the peer's last word that it does not take our messages
	Elsewhere          time.Time // the peer's last sync message to another port
	OtherPort          uint16    // that one
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// since sums up what arrived after start; requests to send again count after
// recent.
func (l *linkListener) since(start, recent time.Time) wire {
	l.mu.Lock()
	defer l.mu.Unlock()
	after := func(t time.Time) time.Time {
		if t.After(start) {
			return t
		}
		return time.Time{}
	}
	w := wire{
		Listening: true, Last: after(l.last), Plain: after(l.plain), Opened: latest(l.opened, start), Pause: after(l.pause), OwnHello: after(l.ownHello), OwnPlain: after(l.ownPlain),
		Refused: after(l.refused), Elsewhere: after(l.elsewhere), OtherPort: l.otherPort,
	}
	for _, m := range l.heard {
		if m.at.After(start) {
			w.count(m, recent)
		}
	}
	return w
}

func (w *wire) count(m heardMessage, recent time.Time) {
	if m.flags.has(flagHello) {
		w.Hellos++
	}
	if m.flags.has(flagNACK) && m.at.After(recent) {
		w.NACKs++
	}
	switch {
	case m.flags.has(flagHelloBack):
		w.HelloBack, w.Alive, w.Confirmed = true, 0, m.at
	case m.flags.has(flagACK), m.flags.has(flagNACK):
		w.ACKs++
		w.Alive, w.Confirmed = 0, m.at
	case m.flags.has(flagAlive):
		w.Alive++
	}
}

// answered says that the peer has answered our daemon's greeting in this run,
// so that it has received at least one of its messages.
func (w wire) answered() bool {
	return !w.OwnPlain.IsZero() && w.OwnPlain.After(w.OwnHello)
}
