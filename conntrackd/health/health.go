package health

import (
	"context"
	"sync"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/service"
	"connsync/shell"
)

// Verdict is the state of the sync in one word. Stable: it is in the JSON.
type Verdict string

const (
	VerdictTwoWay        Verdict = "two-way"        // both directions were seen in this run of the daemon
	VerdictReceivingOnly Verdict = "receiving-only" // the peer is heard and does not hear us
	VerdictSendingOnly   Verdict = "sending-only"   // the peer hears us and is not heard
	VerdictSilent        Verdict = "silent"         // no word from the peer
	VerdictLosing        Verdict = "losing"         // both ways, and messages are lost
	VerdictPartial       Verdict = "partial"        // both ways, and connections would not survive a failover
	VerdictMismatch      Verdict = "mismatch"       // messages from the peer do not match the settings
	VerdictStopped       Verdict = "stopped"        // no daemon runs
	VerdictUnknown       Verdict = "unknown"        // it could not be determined
)

// Verdicts are all of them, from good to not known.
func Verdicts() []Verdict {
	return []Verdict{VerdictTwoWay, VerdictPartial, VerdictLosing, VerdictReceivingOnly, VerdictSendingOnly,
		VerdictSilent, VerdictMismatch, VerdictStopped, VerdictUnknown}
}

// BothWays says that messages go both ways, whatever is lost.
func (v Verdict) BothWays() bool {
	return v == VerdictTwoWay || v == VerdictPartial || v == VerdictLosing
}

// Sockets is what the kernel says of the daemon's sync sockets.
type Sockets struct {
	Bound         bool   // a socket of the daemon has Current IP and port
	Address       string // where it is bound, as the kernel shows it
	ReceiveBuffer int    // in force, bytes, as doubled by the kernel
	SendBuffer    int    // zero until the daemon has sent its first message
	Drops         uint64 // datagrams the kernel threw away because the receive buffer was full
}

// Health is the verdict with its reasons.
type Health struct {
	Verdict          Verdict
	Cause            string        // one sentence: why
	Next             string        // one sentence: what to do; blank when all is well
	Called           shell.Program // see [Observer]
	Service          service.State
	Links            []Link  // of the file, in its order, as the running daemon has them
	Sockets          Sockets // of the link in use; zero where they could not be read
	control.Counters         // the newest reading; zero where there is none
	// Coverage is which connections would survive; nil where it was not looked at, or
	// could not be: CoverageErr says why then.
	Coverage    *coverage.Coverage
	CoverageErr error
	Holding     Holding
	Heard       time.Time // when the running daemon last received something; zero is not known
	// HeardBefore is a moment before which the running daemon last received something, where
	// Heard is not known; zero where it never has.
	HeardBefore time.Time
	Rates       *Rates // nil where there are not two readings to compare
	// Off says that nothing is wrong although no daemon syncs: it was never set up here, also
	// where one keeps statistics, or it was disabled on purpose. The verdict is [VerdictStopped] then.
	Off bool
}

// Rates are how fast the daemon's counters grow, a second, over the last readings.
type Rates struct{ SentPackets, RecvPackets, SentBytes, RecvBytes float64 }

// Acknowledged is how many of this node's connections the peer has, as far as is known
// here; false where it is not.
func (h Health) Acknowledged() (int, bool) {
	if h.Coverage == nil || !h.Verdict.BothWays() {
		return 0, false
	}
	return h.Coverage.Survive + h.Coverage.Uncommitted, true
}

// FromPeer is how many of the peer's connections are here; false where it is not known. What the
// external cache has beside them, such as the peer's reports, counts where the connections were not
// looked at.
func (h Health) FromPeer() (int, bool) {
	switch {
	case h.Coverage != nil && h.Direct:
		return h.Coverage.Peers, true
	case h.Coverage != nil:
		return h.Holding.External, true
	}
	return int(h.External), !h.Direct && !h.Counters.Time.IsZero()
}

// Observer watches a running daemon and says how the sync is. Service, Client and
// Settings must be given. Its methods are safe for concurrent use.
type Observer struct {
	Called   shell.Program       // how the operator calls this program, for the commands that are named
	Service  service.Service     // who runs the daemon
	Config   string              // its configuration file; blank does not look for one that runs with another
	Client   *control.Client     // of its control socket
	Settings conntrackd.Settings // with which it is to run
	// Links are all links of the file in its order, Settings among them; nil means
	// that Settings is the only one.
	Links []conntrackd.Settings
	// WhyNoSettings says what the file has in place of Settings, such as a link of another
	// transport; blank where it has them, or there is no file.
	WhyNoSettings string
	// Statistics says that the file is for statistics only, so that sync is not set up.
	Statistics bool
	// Mode is the sync mode of our configuration file; blank means FTFW.
	Mode string
	// Sockets reads the daemon's sockets; nil means [ReadSockets].
	Sockets func(pid int, s conntrackd.Settings) (Sockets, error)
	// Listen listens on the sync link; nil means that nothing does, which makes
	// "two-way" harder to prove.
	Listen Listen
	// Coverage looks at the connections; nil means that nothing does, and that the
	// verdict is taken from the messages alone.
	Coverage *coverage.Looker
	// KeepsOut says whether this node's firewall keeps everybody but the peer from the
	// port; it is asked where others are heard. Nil means that it is not known.
	KeepsOut func(ctx context.Context) bool
	// Asked returns what had come when the peer was last asked for its states in this
	// run of the daemon, as MayAsk was told; nil means never. So does a nil Asked.
	Asked func(run service.State) *Received
	// LastHeard returns what others have recorded of the running daemon: when it last received
	// something, or else a moment before which it did; nil knows neither.
	LastHeard func(run service.State) (heard, before time.Time)
	// MayAsk says whether the peer may be asked for its states, which a node does that
	// lacks some: once for what has come; nil means yes.
	MayAsk func(run service.State, now Received) bool

	// Host returns what the peer is told of this host; nil tells nothing of it.
	Host func(ctx context.Context) mailbox.Host

	// Version remembers the version of the daemon, for several observers; nil asks for it
	// once in each run.
	Version *Version

	// reportLifetime is how long what a node tells is good for; zero is [mailbox.Lifetime].
	reportLifetime time.Duration

	mu           sync.Mutex
	listener     *listener
	run          service.State // whose readings these are
	inUse        int           // the link that they are of
	readings     []control.Counters
	drops        uint64 // Sockets.Drops when the run was first looked at
	badChecksums uint64 // checksumErrors then
	missing      missingStates
	asked        *Received     // what had come when the peer was asked for its states
	recalled     bool          // Asked was asked
	tried        time.Time     // when MayAsk was asked
	told         *mailbox.Told // by the peer, when the connections were looked at
	external     int           // connections in the external cache then
	recorded     *recordedHeard
	lastReceived time.Time    // when the daemon last received something in this run
	reportReadAt time.Time    // when told was read; zero for never
	setsTold     sync.Once    // of Coverage
	host         mailbox.Host // as Host said
	hostAt       time.Time    // when; zero for never
}

// keepReadings is how long a reading counts.
const keepReadings = 30 * time.Second

// Start listens on the sync link, in the network namespace of the calling thread,
// until ctx ends. After an error, which is that of Listen, the observer works
// without.
func (o *Observer) Start(ctx context.Context) error {
	if o.Listen == nil {
		return nil
	}
	datagrams, err := o.Listen(ctx, o.links())
	if err != nil {
		return err
	}
	l := newListener(o.links(), time.Now())
	o.mu.Lock()
	o.listener = l
	o.mu.Unlock()
	go l.listen(datagrams)
	return nil
}

// Observe takes one reading and judges it together with the earlier ones of
// the same run of the daemon. The first few seconds of an observation end in
// "unknown" more often than later ones.
func (o *Observer) Observe(ctx context.Context) Health {
	return o.gather(ctx).health()
}

// gather takes one reading.
func (o *Observer) gather(ctx context.Context) evidence {
	e := evidence{called: o.Called, settings: o.Settings, foreign: o.WhyNoSettings, statistics: o.Statistics, mode: o.Mode}
	if e.mode == "" {
		e.mode = "FTFW"
	}
	if host, err := conntrackd.ReadHost(); err == nil { // without it a number is missing in a sentence
		e.conntrackMax = host.ConntrackMax
	}
	e.service, e.serviceErr = o.Service.State(ctx)
	e.unread = service.Unread(o.Service)
	if e.serviceErr == nil && e.service.Active {
		o.look(ctx, &e)
		o.cover(ctx, &e)
		e.holding.TableMax = e.conntrackMax
		if n, ok := readNumber("/proc/sys/net/netfilter/nf_conntrack_count"); ok {
			e.holding.Table = n
		}
		if o.Coverage != nil {
			e.hashLimitSet = o.Coverage.File.HashLimit()
		}
		e.now = time.Now()
		o.askForMissingStates(ctx, &e)
	}
	if e.serviceErr == nil {
		e.interfaceGone, e.addressGone = goneFromHere(e.settings)
		e.swapped = ofOtherNode(o.Settings)
		if o.Config != "" {
			e.elsewhere = service.Elsewhere(o.Service, e.service, o.Config)
			if d, ok := service.Stranger(o.Config, e.service.MainPID); ok {
				e.stranger = d
			}
			e.config = o.Config
		}
	}
	e.now = time.Now()
	return e
}

func (e evidence) health() Health {
	j := e.withOthers(judge(e))
	h := Health{Called: e.called, Verdict: j.Verdict, Cause: j.Cause, Next: j.Next, Service: e.service, Sockets: e.sockets, Links: e.links, Holding: e.holding}
	if len(e.readings) > 0 {
		h.Counters, h.Holding.Refused = e.last(), e.refused()
		h.Heard, h.Rates = e.lastReceived, e.rates()
		h.HeardBefore = e.heardBefore
	}
	h.Coverage, h.CoverageErr, h.Off = e.coverage, e.coverageErr, e.off()
	return h
}

// look reads counters, sockets and wire of a running daemon, those of the link that
// it uses.
func (o *Observer) look(ctx context.Context, e *evidence) {
	counters, err := o.Client.Counters(ctx)
	e.countersErr = err
	links := o.links()
	place := linkInUse(links, o.place(), counters.Links)
	e.settings, e.onSpare = links[place], place != o.place()
	read := o.Sockets
	if read == nil {
		read = ReadSockets
	}
	e.sockets, e.socketsErr = read(e.service.MainPID, e.settings)
	peer := neighbourOn(e.settings)
	e.peerUnresolved, e.peerHardware = peer.unresolved, peer.hardware
	if err == nil {
		e.links = o.stateOfLinks(place, counters.Links)
	}
	o.collect(e, counters, place)
	if len(e.wire.Others) > 0 {
		e.ownAddresses = ownAddresses()
		e.now = time.Now()
		e.keptOut = o.KeepsOut != nil && len(e.toThisNode()) > 0 && o.KeepsOut(ctx)
	}
}

// collect joins a reading with the earlier ones of the same run and link.
func (o *Observer) collect(e *evidence, counters control.Counters, place int) {
	bad := checksumErrors(e.settings.Current.Addr())
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.run.MainPID != e.service.MainPID || o.readings == nil || o.inUse != place {
		if o.run.MainPID != e.service.MainPID || o.run.Since.IsZero() {
			o.run, o.missing = e.service, missingStates{}
			o.asked, o.recalled, o.tried, o.told, o.external, o.lastReceived = nil, false, time.Time{}, nil, 0, time.Time{}
			o.run.Since = startOf(e.service)
		}
		o.readings, o.drops, o.inUse, o.badChecksums = nil, e.sockets.Drops, place, bad
	}
	// One start time for the whole run: it is computed again each time, from
	// clocks that drift and are set.
	e.service.Since = o.run.Since
	if e.countersErr == nil {
		o.readings = append(o.readings, counters)
	}
	for len(o.readings) > 2 && counters.Time.Sub(o.readings[0].Time) > keepReadings {
		o.readings = o.readings[1:]
	}
	e.readings = append([]control.Counters(nil), o.readings...)
	e.drops, e.badChecksums = e.sockets.Drops-min(o.drops, e.sockets.Drops), bad-min(o.badChecksums, bad)
	if o.listener != nil {
		recent := o.run.Since
		if len(o.readings) > 0 {
			recent = o.readings[0].Time
		}
		e.wire = o.listener.since(place, o.run.Since, recent)
		e.disbelieveForeigners()
	}
	o.noteReceived(e)
}

// noteReceived notes when the daemon last received something: between the last two readings, and
// where the link is listened to, when that was.
func (o *Observer) noteReceived(e *evidence) {
	if n := len(o.readings); e.countersErr == nil && n > 1 && o.readings[n-1].PacketsRecv > o.readings[n-2].PacketsRecv {
		o.lastReceived = o.readings[n-1].Time
		if w := e.wire.Last; w.After(o.readings[n-2].Time) && w.Before(o.lastReceived) {
			o.lastReceived = w
		}
	}
	e.lastReceived = o.lastReceived
	if e.countersErr == nil && len(o.readings) > 0 && e.lastReceived.IsZero() && o.readings[len(o.readings)-1].PacketsRecv > 0 {
		e.heardBefore = o.readings[0].Time
		o.recallHeard(e)
	}
}

// recordedHeard is what Observer.LastHeard said of one run.
type recordedHeard struct {
	pid           int
	heard, before time.Time
}

// recallHeard takes what is on record of when the peer was last heard, where that was before
// the first reading.
func (o *Observer) recallHeard(e *evidence) {
	if o.LastHeard == nil {
		return
	}
	if o.recorded == nil || o.recorded.pid != e.service.MainPID { // once in each run
		heard, before := o.LastHeard(e.service)
		o.recorded = &recordedHeard{e.service.MainPID, heard, before}
	}
	heard, before := o.recorded.heard, o.recorded.before
	switch first := e.heardBefore; {
	case !heard.IsZero() && heard.Before(first):
		e.lastReceived, e.heardBefore = heard, time.Time{}
	case !before.IsZero() && before.Before(first):
		e.heardBefore = before
	}
}

// Watch observes every 250 ms until the sync is seen to work both ways, whatever is
// lost, or until the limit is over.
// each, which may be nil, gets every health on the way.
func (o *Observer) Watch(ctx context.Context, limit time.Duration, each func(Health)) Health {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		h := o.Observe(context.WithoutCancel(ctx))
		if each != nil {
			each(h)
		}
		if h.Verdict.BothWays() {
			return h
		}
		select {
		case <-ctx.Done():
			return h
		case <-ticker.C:
		}
	}
}
