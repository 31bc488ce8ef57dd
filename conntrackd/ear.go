package conntrackd

import (
	"context"
	"sync"
	"time"
)

// Listen opens an ear on the sync link: the payloads of the UDP datagrams
// that the peer of s sends to Port of s on Interface of s, as they arrive and
// before the host's firewall. The channel is closed when ctx ends. It must
// listen in the network namespace of the calling thread.
type Listen func(ctx context.Context, s Settings) (<-chan []byte, error)

// maxHeard bounds the memory of an ear. A quiet peer sends one message a
// second; a flood of requests to send again fills it sooner.
const maxHeard = 1024

// ear collects what the peer says on the wire. It is safe for concurrent use.
type ear struct {
	mu     sync.Mutex
	last   time.Time // of any message
	heard  []heardMessage
	broken int // datagrams that are no sync messages
}

type heardMessage struct {
	at    time.Time
	flags Flags
}

// listen collects until the channel is closed.
func (e *ear) listen(datagrams <-chan []byte) {
	for payload := range datagrams {
		e.add(time.Now(), payload)
	}
}

func (e *ear) add(at time.Time, payload []byte) {
	if len(payload) == 0 {
		return // a port probe
	}
	headers, err := ParseDatagram(payload)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.broken++
	}
	for _, h := range headers {
		e.last = at
		if h.Flags == 0 {
			continue // a state, which says nothing about the other direction
		}
		if len(e.heard) == maxHeard {
			e.heard = append(e.heard[:0], e.heard[maxHeard/2:]...)
		}
		e.heard = append(e.heard, heardMessage{at, h.Flags})
	}
}

// wire is what the ear has collected in one run of our daemon.
type wire struct {
	listening bool      // false when there is no ear
	last      time.Time // the last message of the peer; zero for none
	acks      int       // messages that confirm ours, or ask for them again
	helloBack bool      // the peer has answered a hello
	hellos    int       // the peer has just started, or does not know that we hear it
	// alive counts the heartbeats since the last sign that the peer receives
	// us: "I have received nothing since my last message".
	alive int
}

// since sums up what arrived after t.
func (e *ear) since(t time.Time) wire {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := wire{listening: true}
	if e.last.After(t) {
		w.last = e.last
	}
	for _, m := range e.heard {
		if !m.at.After(t) {
			continue
		}
		if m.flags.Has(FlagHello) {
			w.hellos++
		}
		switch {
		case m.flags.Has(FlagHelloBack):
			w.helloBack, w.alive = true, 0
		case m.flags.Has(FlagACK), m.flags.Has(FlagNACK):
			w.acks++
			w.alive = 0
		case m.flags.Has(FlagAlive):
			w.alive++
		}
	}
	return w
}
