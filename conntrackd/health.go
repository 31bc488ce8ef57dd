package conntrackd

import "time"

// Verdict is the state of the sync in one word.
type Verdict string

const (
	VerdictTwoWay        Verdict = "two-way"        // both directions were seen in this run of the daemon
	VerdictReceivingOnly Verdict = "receiving-only" // the peer is heard and does not hear us
	VerdictSendingOnly   Verdict = "sending-only"   // the peer hears us and is not heard
	VerdictSilent        Verdict = "silent"         // no word from the peer
	VerdictLosing        Verdict = "losing"         // both ways, and messages are lost
	VerdictMismatch      Verdict = "mismatch"       // the peer speaks another mode
	VerdictStopped       Verdict = "stopped"        // no daemon runs
	VerdictUnknown       Verdict = "unknown"        // we could not look
)

// Counters is one reading of the daemon's control socket.
type Counters struct {
	Time        time.Time
	Device      string // of the active link
	Link        string // RUNNING, DOWN, NO-CARRIER: the daemon's words
	BytesSent   uint64
	BytesRecv   uint64
	PacketsSent uint64
	PacketsRecv uint64
	ErrorsSent  uint64
	ErrorsRecv  uint64
	Malformed   uint64
	BadHeader   uint64 // part of Malformed; grows when the peer speaks another mode
	Lost        uint64 // sequence numbers missed
	Before      uint64 // messages dropped because a later one was seen before
	Internal    uint64 // states of this node
	External    uint64 // states of the peer; 0 when they go straight into the kernel
	Injected    uint64 // states of the peer written into the kernel since the start
	NoSpace     uint64 // states refused because HashLimit was reached
	ResendQueue uint64
	Overruns    uint64 // netlink overruns
	Uptime      time.Duration
}

// Sockets is what the kernel says of the daemon's sync sockets.
type Sockets struct {
	Bound         bool   // a socket of the daemon has Current IP and port
	Address       string // where it is bound, as the kernel shows it
	ReceiveBuffer int    // in force, bytes, as doubled by the kernel
	SendBuffer    int
	Drops         uint64 // datagrams the kernel threw away because the receive buffer was full
}

// Health is the verdict with its reasons.
type Health struct {
	Verdict Verdict
	Cause   string // one sentence: why
	Next    string // one sentence: what to do; blank when all is well
	Service ServiceState
	Sockets Sockets
	Counters
}
