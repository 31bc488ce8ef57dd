package health

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"connsync/conntrackd"
)

// Overheard is one packet that has to do with the sync, as it is on the wire.
type Overheard struct {
	// Own says that this node sent it to a peer's Port. The end of its
	// payload may be missing.
	Own bool
	// Refused says that this is no datagram but an ICMP message in the name of a
	// peer about one of ours: it does not take datagrams to Port.
	Refused  bool
	From, To netip.Addr // without zone
	// SourcePort and Port are those of the datagram, with Refused of ours.
	SourcePort, Port uint16
	Device           string // the interface that it came in by, or left by
	Hardware         string // the hardware address of the sender; blank for none
	Payload          []byte // of UDP
}

// Listen listens to the sync: on the interfaces of the links to what passes between
// this node and its peers, and on all interfaces to what else goes to their ports. It
// sends what it hears as it comes, and before this host's firewall sees what arrives.
// The channel is closed when ctx ends. It must listen in the network namespace of the
// calling thread.
type Listen func(ctx context.Context, links []conntrackd.Settings) (<-chan Overheard, error)

// listener sorts what is heard among the links. It is safe for concurrent use.
type listener struct {
	mu     sync.Mutex
	links  []*linkListener
	others sightings
}

func newListener(links []conntrackd.Settings, opened time.Time) *listener {
	l := &listener{}
	for _, s := range links {
		l.links = append(l.links, &linkListener{
			peer: s.Peer.Addr().WithZone("").Unmap(), current: listensAt(s), to: sendsTo(s), port: s.Port, opened: opened,
		})
	}
	return l
}

// listen collects until the channel is closed.
func (l *listener) listen(packets <-chan Overheard) {
	for p := range packets {
		l.add(time.Now(), p)
	}
}

func (l *listener) add(at time.Time, p Overheard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.links {
		if k.between(p) {
			k.add(at, p)
			return
		}
	}
	if p.Own || p.Refused || len(p.Payload) == 0 {
		return
	}
	for _, k := range l.links {
		if p.From == k.peer {
			k.addElsewhere(at, p)
			return
		}
	}
	l.others.add(at, p)
}

// since sums up what arrived for a link, by its place, after start; requests to send
// again count after recent.
func (l *listener) since(link int, start, recent time.Time) wire {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.links[link].since(start, recent)
	w.Others = l.others.after(start)
	return w
}

// maxHeard bounds the memory of a listener. A quiet peer sends one message a
// second; a flood of requests to send again fills it sooner.
const maxHeard = 1024

// linkListener collects what is said on one link.
type linkListener struct {
	peer        netip.Addr
	current, to netip.Addr // where messages come to this node, and where it sends them: both the group by multicast
	port        uint16
	opened      time.Time

	pause     time.Time // of the peer's last state that came after a pause
	last      time.Time // of any message
	device    string    // by which that came
	plain     time.Time // of the peer's last message without a hello
	ownHello  time.Time // of our last message with a hello
	ownPlain  time.Time // of our last message without
	ownPorts  []uint16  // from which this node sends
	refused   time.Time // of the peer's last refusal
	refuser   string    // the hardware address that it came from
	forged    sighting  // of a refusal of what this node never sent
	elsewhere sightings // the peer's sync messages to somewhere else
	senders   []sender  // the hardware addresses of the peer's messages
	heard     []heardMessage
}

type heardMessage struct {
	at    time.Time
	flags flags
}

// sender is a hardware address from which messages in the peer's name come.
type sender struct {
	Hardware string
	Last     time.Time
}

// maxSenders bounds the hardware addresses of a peer and the ports of this node.
const maxSenders = 8

// listensAt is where the peer's messages have to go, with the settings.
func listensAt(s conntrackd.Settings) netip.Addr {
	if s.Multicast() {
		return s.Group()
	}
	return s.Current.Addr().WithZone("").Unmap()
}

// sendsTo is where this node's messages go.
func sendsTo(s conntrackd.Settings) netip.Addr {
	if s.Multicast() {
		return s.Group()
	}
	return s.Peer.Addr().WithZone("").Unmap()
}

// between says that a packet passes between the two nodes as the settings have it.
func (l *linkListener) between(p Overheard) bool {
	switch {
	case p.Port != l.port:
		return false
	case p.Own:
		return p.To == l.to
	case p.Refused:
		return p.From == l.peer
	}
	return p.From == l.peer && p.To == l.current
}

func (l *linkListener) add(at time.Time, p Overheard) {
	switch {
	case p.Refused:
		l.addRefused(at, p)
	case p.Own:
		if !slices.Contains(l.ownPorts, p.SourcePort) {
			l.ownPorts = append(l.ownPorts, p.SourcePort)
			l.ownPorts = l.ownPorts[max(0, len(l.ownPorts)-maxSenders):]
		}
		l.addOwn(at, p.Payload)
	case len(p.Payload) > 0: // else it is a port probe
		l.addPeers(at, p)
	}
}

// addRefused believes an ICMP message only where it is about a datagram that was
// seen to leave: a third host does not know the port from which conntrackd sends.
func (l *linkListener) addRefused(at time.Time, p Overheard) {
	if len(l.ownPorts) > 0 && !slices.Contains(l.ownPorts, p.SourcePort) {
		l.forged = sighting{From: p.From, To: p.To, Port: p.Port, Device: p.Device, Hardware: p.Hardware, Last: at}
		return
	}
	l.refused, l.refuser = at, p.Hardware
}

// addElsewhere is for what the peer sends to another address, port or group. Whatever
// else the nodes have to tell each other is none of ours.
func (l *linkListener) addElsewhere(at time.Time, p Overheard) {
	if headers, err := parseDatagram(p.Payload); err == nil && syncMessage(headers) {
		l.elsewhere.add(at, p)
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

func (l *linkListener) addPeers(at time.Time, p Overheard) {
	headers, _ := parseDatagram(p.Payload) // the daemon counts what is damaged
	if len(headers) > 0 {
		l.device = p.Device
		l.addSender(at, p.Hardware)
	}
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

func (l *linkListener) addSender(at time.Time, hardware string) {
	i := slices.IndexFunc(l.senders, func(s sender) bool { return s.Hardware == hardware })
	if i < 0 && len(l.senders) < maxSenders {
		l.senders = append(l.senders, sender{hardware, at})
	}
	if i >= 0 {
		l.senders[i].Last = at
	}
}

// wire is what the listener has collected of a link in one run of our daemon. Times are zero
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
	Refused            time.Time  // the peer's last word that it does not take this node's messages
	Refuser            string     `json:",omitempty"` // the hardware address that it came from
	Device             string     `json:",omitempty"` // by which the last message came
	Senders            []sender   `json:",omitempty"` // the hardware addresses of the peer's messages
	Misdirected        []sighting `json:",omitempty"` // the peer's sync messages to another address, port or group
	Others             []sighting `json:",omitempty"` // what others than the peers send to the ports
	Forged             sighting   // a refusal in the peer's name of what this node never sent
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
	after := func(t time.Time) time.Time {
		if t.After(start) {
			return t
		}
		return time.Time{}
	}
	w := wire{
		Listening: true, Last: after(l.last), Plain: after(l.plain), Opened: latest(l.opened, start), Pause: after(l.pause), OwnHello: after(l.ownHello), OwnPlain: after(l.ownPlain),
		Refused: after(l.refused), Misdirected: l.elsewhere.after(start),
	}
	if l.forged.Last.After(start) {
		w.Forged = l.forged
	}
	if !w.Last.IsZero() {
		w.Device = l.device
	}
	if !w.Refused.IsZero() {
		w.Refuser = l.refuser
	}
	for _, s := range l.senders {
		if s.Hardware != "" && s.Last.After(start) {
			w.Senders = append(w.Senders, s)
		}
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
