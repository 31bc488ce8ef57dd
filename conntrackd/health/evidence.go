package health

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/service"
	"connsync/shell"
)

const (
	// window is how far back a reading counts for the presence: a healthy
	// idle peer sends one message a second.
	window = 4 * time.Second
	// patience is how long a peer must have been silent to be called silent.
	patience = 3 * time.Second
	// deafRun is how many heartbeats without an acknowledgement, in a row,
	// prove that the peer receives nothing; one or two happen in health.
	deafRun = 3
	// greetingTime is how long two daemons may take to answer each other's
	// greeting; each says something at least once a second.
	greetingTime = 4 * time.Second
	// longPause is twice as long as an FTFW node is ever silent.
	longPause = 2 * time.Second
	// confirmTime is how long a peer that sends fewer than littleRate datagrams
	// a second may confirm nothing.
	confirmTime = 20 * time.Second
	littleRate  = 2.5
	ackBytes    = 16 // size of an acknowledgement on the wire
	beatBytes   = 8  // size of a heartbeat
)

const (
	// A healthy peer acknowledges every 300 messages (ACKWindowSize); what is
	// on its way to it comes on top.
	deepQueue = 320
	// busyQueue is deepQueue for a node that sends more than busyRate messages
	// a second, of which many are on their way.
	busyQueue = 3000
	busyRate  = 100
)

// evidence is everything a verdict is made of. All of it is of one run of the
// daemon, the one that is running.
type evidence struct {
	called      shell.Program
	now         time.Time
	service     service.State
	serviceErr  error
	unread      string // what to do about that
	sockets     Sockets
	socketsErr  error
	readings    []control.Counters // oldest first
	countersErr error
	drops       uint64 // growth of Sockets.Drops while it was looked at
	// badChecksums is how many UDP datagrams the kernel dropped meanwhile for their checksum.
	badChecksums uint64
	wire         wire
	mode         string              // of our file: FTFW, NOTRACK, ALARM
	settings     conntrackd.Settings // of the link in use
	foreign      string              // why the file has no settings
	statistics   bool                // which is for statistics only
	onSpare      bool                // which is not the one of the settings
	links        []Link              // all of them
	// ownAddresses are all of this node, where others than the peer are heard.
	ownAddresses []netip.Addr
	// keptOut says that this node's firewall keeps them from the port.
	keptOut bool
	// peerHardware is the hardware address that Peer IP resolves to; blank where it
	// is not known.
	peerHardware string
	// peerUnresolved says that the peer does not answer ARP or neighbour solicitation.
	peerUnresolved bool
	// interfaceGone says that our own interface is not there, addressGone that our
	// address is not on it.
	interfaceGone, addressGone bool
	// stranger is a daemon that runs with another file than ours, in the place of
	// ours; its PID is zero where there is none.
	stranger service.Daemon
	config   string // ours
	// elsewhere says that the daemon which runs is not the service's, or not for this file
	// and network namespace; nil where nothing does.
	elsewhere *service.ElsewhereError
	// swapped says that the settings are the other node's.
	swapped bool
	// conntrackMax is nf_conntrack_max; zero when it is not known.
	conntrackMax int
	// coverage is which connections would survive; nil where it was not looked at.
	coverage    *coverage.Coverage
	coverageErr error // why it could not be read
	// eventsOff says that the kernel reports no connections.
	eventsOff bool
	// missing is what this node lacked of the peer, and has got since; asked is what had
	// come when the peer was last asked for all of its states, nil for never in this run.
	missing missingStates
	asked   *Received
	// holding is what both nodes hold of each other's connections.
	holding Holding
	// hashLimitSet is the HashLimit of our file; zero when it is not known.
	hashLimitSet int
	// lastReceived is when the daemon last received something; zero is not known.
	lastReceived time.Time
	// heardBefore is a moment before which it did, where that is not known.
	heardBefore time.Time
}

// onlyStatistics says that a daemon runs which does not sync, as its file has it.
func (e evidence) onlyStatistics() bool {
	return e.serviceErr == nil && e.service.Active && e.statistics && e.stranger.PID == 0 && e.elsewhere == nil && errors.Is(e.countersErr, control.ErrStatsMode)
}

// off says that no daemon has to sync: nothing enables one, and nothing ended it but a stop;
// or the one that runs is for statistics.
func (e evidence) off() bool {
	s := e.service
	return e.onlyStatistics() || e.serviceErr == nil && !s.Active && !s.Enabled && !s.Killed && !s.Ended && !s.Starting && !s.Changing && s.Restarts == 0 &&
		e.stranger.PID == 0 && e.elsewhere == nil && !strings.HasPrefix(s.Detail, "failed")
}

// rates are how fast the counters grow; nil where there are not two readings.
func (e evidence) rates() *Rates {
	base, last := e.base(), e.last()
	took := last.Time.Sub(base.Time).Seconds()
	if took <= 0 {
		return nil
	}
	grown := func(from, to uint64) float64 { return float64(to-min(from, to)) / took }
	return &Rates{
		SentPackets: grown(base.PacketsSent, last.PacketsSent), RecvPackets: grown(base.PacketsRecv, last.PacketsRecv),
		SentBytes: grown(base.BytesSent, last.BytesSent), RecvBytes: grown(base.BytesRecv, last.BytesRecv),
	}
}

// direction is what is known about one way of the sync.
type direction int

const (
	notSeen direction = iota // nothing proves it either way
	works
	broken
)

// last returns the newest reading.
func (e evidence) last() control.Counters { return e.readings[len(e.readings)-1] }

// base returns the reading that the newest is compared with for the presence:
// the youngest that is at least a window old, else the oldest. In a run that
// is younger than the window it is the start, when all was zero.
func (e evidence) base() control.Counters {
	last := e.last()
	if !e.service.Since.IsZero() && last.Time.Sub(e.service.Since) < window {
		return control.Counters{Time: e.service.Since}
	}
	base := e.readings[0]
	for _, r := range e.readings {
		if last.Time.Sub(r.Time) >= window {
			base = r
		}
	}
	return base
}

// recent says that t is within the window.
func (e evidence) recent(t time.Time) bool {
	return !t.IsZero() && e.now.Sub(t) < window
}

// hearing says whether the peer's messages reach our daemon.
func (e evidence) hearing() direction {
	last, base := e.last(), e.base()
	switch {
	case e.othersAlone():
		return broken
	case last.PacketsRecv > base.PacketsRecv:
		return works
	case last.Time.Sub(base.Time) >= patience:
		return broken
	}
	return notSeen
}

// reliable says that our daemon runs FTFW, the one mode that has its messages
// confirmed. The file may say so and the daemon not have been restarted since.
func (e evidence) reliable() bool { return e.mode == "FTFW" && e.last().Reliable }

// heard says whether this node's messages reach the peer.
func (e evidence) heard() direction {
	switch w := e.wire; {
	case !e.reliable():
		return notSeen
	case e.queueStuck():
		return broken
	case !w.Listening:
		return e.heardBySize()
	case w.Alive >= deafRun:
		return broken
	case e.recent(w.Refused) && e.now.Sub(w.Confirmed) >= patience:
		return broken // what it has confirmed since could not be refused
	case !e.recent(w.Last):
		return notSeen
	case w.HelloBack || w.ACKs >= 2:
		// One acknowledgement may be for messages of our last run.
		return works
	case w.answered() && w.Plain.Equal(w.Last) && w.Alive == 0 && e.underLoad():
		// A peer under load confirms only every 300 messages, which can be
		// minutes; that it has answered this daemon's greeting is on every
		// message of ours. Its own greeting would say that it has restarted
		// and not heard us since, and a heartbeat that it has time to confirm.
		return works
	}
	return notSeen
}

// underLoad says that the peer sends states and makes no pause in which an FTFW
// node confirms, or says that it lives.
func (e evidence) underLoad() bool {
	w := e.wire
	return e.now.Sub(w.Opened) >= patience && !e.recent(w.Pause) && e.now.Sub(w.Last) < longPause && !e.longUnconfirmed()
}

// longUnconfirmed says that a peer which sends little has confirmed nothing of
// ours for longer than it could go without a second's pause.
func (e evidence) longUnconfirmed() bool {
	base, last := e.base(), e.last()
	took := last.Time.Sub(base.Time).Seconds()
	if took <= 0 {
		return false
	}
	received := float64(last.PacketsRecv-min(base.PacketsRecv, last.PacketsRecv)) / took
	sent := float64(last.PacketsSent-min(base.PacketsSent, last.PacketsSent)) / took
	return received < littleRate && float64(last.ResendQueue) > max(sent, 1)*confirmTime.Seconds()
}

// queueStuck says whether what we send is never acknowledged.
func (e evidence) queueStuck() bool {
	base, last := e.base(), e.last()
	deep := uint64(deepQueue)
	if took := last.Time.Sub(base.Time).Seconds(); took > 0 && float64(last.PacketsSent-min(base.PacketsSent, last.PacketsSent))/took > busyRate {
		deep = busyQueue
	}
	if base.ResendQueue <= deep || last.Time.Sub(base.Time) < patience {
		return false
	}
	previous := base.ResendQueue
	for _, r := range e.readings {
		if r.Time.Before(base.Time) {
			continue
		}
		if r.ResendQueue < previous {
			return false // something was confirmed
		}
		previous = r.ResendQueue
	}
	return true
}

// heardBySize reads the flags from the sizes, where nothing listens on the link: an idle
// peer sends one control message a second, and only one that receives us
// sends acknowledgements. Traffic hides both.
func (e evidence) heardBySize() direction {
	acks, beats := 0, 0
	for i := 1; i < len(e.readings); i++ {
		packets := e.readings[i].PacketsRecv - e.readings[i-1].PacketsRecv
		bytes := e.readings[i].BytesRecv - e.readings[i-1].BytesRecv
		switch {
		case packets == 0:
		case bytes == ackBytes*packets:
			acks, beats = acks+1, 0
		case bytes == beatBytes*packets:
			acks, beats = 0, beats+int(packets)
		default:
			acks, beats = 0, 0
		}
	}
	switch {
	case acks >= 2:
		return works
	case beats >= deafRun:
		return broken
	}
	return notSeen
}

// unanswered says that the peer talks and has never taken notice of a daemon
// that greets it with every message: it has no greeting of its own, confirms
// nothing and asks for nothing. An FTFW peer that lost us while our daemon was
// restarted looks alike.
func (e evidence) unanswered() bool {
	w := e.wire
	return e.recent(w.OwnHello) && !w.answered() && e.now.Sub(e.service.Since) >= greetingTime &&
		e.recent(w.Plain) && w.ACKs == 0 && w.Hellos == 0 && !w.HelloBack &&
		(w.Alive >= deafRun || e.last().PacketsRecv > e.base().PacketsRecv && w.Alive == 0)
}

// listensAt is where this node listens: its address, or the group.
func (e evidence) listensAt() netip.Addr { return listensAt(e.settings) }

// current is the address of this node.
func (e evidence) current() netip.Addr { return e.settings.Current.Addr().WithZone("").Unmap() }
