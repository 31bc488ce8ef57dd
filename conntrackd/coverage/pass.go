package coverage

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/control"
)

// pass is one way through the kernel's table.
type pass struct {
	filter   Filter
	own      ownAddresses
	cache    keySet
	before   keySet   // not in the cache at the look before
	cached   keySet   // in it then
	lasts    lastings // part of cache: those that it has in states that do not last
	fresh    keySet   // part of cache
	old      keySet   // part of cache: those that began longer ago than lives says
	lives    func(*Entry) time.Duration
	first    bool        // there was no look before
	flagged  bool        // the daemon marks TCP connections that it puts into the kernel
	tells    func() bool // see tellsWritten
	zoneless func() bool // the daemon sends no zones; nil is one that does
	role     Role
	injected int // how many entries the daemon has put into the kernel at most; -1 where it puts none there
	told     Told
	fault    bool // something here keeps connections out of the cache
	most     int

	table, peers int
	ended        int // neither the node's own, nor to survive
	toHere       int // of the peer's, those that end at this node
	settled      int
	aged         int
	unsure       int // of the missing ones, those that may be the peer's
	begun        int // not in the cache as they are, and this node's for sure
	stale        int // of the missing ones, those that the cache has in a state that lasts less
	zoned        int // of the missing ones, those that the cache has and sends without their zone
	tied         int // of the missing ones, those that the cache has and that NAT ties to a fixed address
	tiedTo       netip.Addr
	undecided    map[Rule]int
	main         group
	beyond       group // those that would be the peer's, had the daemon put in more
	suspect      keySet
}

// group is what was counted of some entries.
type group struct {
	count   int
	tally   *tally
	sample  []LostEntry
	suspect keySet
}

func newGroup() group { return group{tally: newTally()} }

func (p *pass) take(e *Entry) {
	p.table++
	switch {
	case p.own.ownEntry(e):
		if p.injected >= 0 && !e.ending() && !p.own.peersOwn(e) && p.byDaemon(e) {
			p.toHere++
		}
		return
	case e.ending():
		p.ended++
		return
	}
	key := e.key(seed)
	o, rule := p.judge(e, key)
	into := &p.main
	switch {
	case o == survives:
	case o == filtered && p.mayBeEither(e):
		if p.undecided == nil {
			p.undecided = map[Rule]int{}
		}
		p.undecided[rule]++
		return
	case p.cache.has(key) && !p.inVain(e) && p.broughtUp(e):
		p.peers++
		return
	case p.cache.has(key):
		if o != filtered {
			p.begun++
		}
		switch {
		case o == missing && p.losesZone(e):
			p.zoned++
		case o == missing && p.own.fixed.ties(e).IsValid():
			p.tied, p.tiedTo = p.tied+1, p.own.fixed.ties(e)
		case o == missing:
			p.stale++
		}
	case !p.mayBePeers(e):
		if o != filtered && p.injected >= 0 && p.beganHere(e) {
			p.begun++
		}
	case p.doubtful(e, o):
		if o == missing {
			p.unsure++
		}
	case p.role == RoleBackup || p.peers < p.injected:
		p.peers++
		return
	default:
		into = &p.beyond
	}
	if o == young || o == missing {
		into.suspect = append(into.suspect, key)
	}
	if (o == filtered || o == missing) && len(into.sample) < p.most {
		into.sample = append(into.sample, LostEntry{*e, rule})
	}
	into.tally.add(e, o, rule)
	into.count++
}

// judge classifies an entry of this node's that needs to survive. One that the cache has in
// a state which lasts less than the kernel's is so on the peer: it expires there, or no
// packet fits it any more.
func (p *pass) judge(e *Entry, key uint64) (outcome, Rule) {
	lasts, known := e.lasting()
	stale := known && p.lasts.less(key, lasts) && !p.crosses(e, key)
	if p.cache.has(key) && p.inVain(e) {
		return missing, Rule{}
	}
	if p.cache.has(key) && !stale {
		if !p.fresh.has(key) {
			p.settled++
		}
		if p.old.has(key) {
			p.aged++
		}
		return survives, Rule{}
	}
	if rule, dropped := p.filter.Drops(e); dropped {
		return filtered, rule
	}
	if p.before.has(key) || p.cached.has(key) && !stale { // or it was there, before a flush
		return missing, Rule{}
	}
	return young, Rule{}
}

// isOld says that an entry of an age has expired on the peer if no news of it came, and had not
// when the peer counted what it has: what had by then is not in its count.
func (p *pass) isOld(e *Entry, age time.Duration) bool {
	if p.lives == nil {
		return false
	}
	lives := p.lives(e)
	return lives > 0 && age > lives && (!p.told.Known || age-p.told.SettledAfter <= lives)
}

// inVain says that no packet finds the entry at the peer, whatever is sent of it.
func (p *pass) inVain(e *Entry) bool { return p.losesZone(e) || p.own.fixed.ties(e).IsValid() }

// losesZone says that an entry comes to the peer in zone 0, where no packet finds it: conntrackd
// sends the zone of both directions and not that of one, and before 1.4.7 none.
func (p *pass) losesZone(e *Entry) bool {
	return e.oneWayZone() || e.Original.Zone != 0 && p.zoneless != nil && p.zoneless()
}

// crosses says that the packets of a connection take both nodes, which are primary both: the
// daemon takes no event of its own writes into its cache, and has the state that this node's
// packets made. The peer has the later one.
func (p *pass) crosses(e *Entry, key uint64) bool {
	if p.injected < 0 || p.role != RolePrimary || p.lasts[lastsLeast].has(key) || p.beganHere(e) {
		return false
	}
	_, dropped := p.filter.Drops(e)
	return !dropped
}

// beginsAnew says that a connection of the protocol goes on at the other node only where
// its rules let one begin. The kernel gives a lifetime to the GRE entries alone that a
// packet has made (nf_conntrack_proto_gre.c), and drops another with its first packet.
// The TCP flag that conntrackd puts into its entries without TCPWindowTracking changes the
// verification tag of an SCTP association.
func beginsAnew(protocol uint8, flagged bool) bool {
	return protocol == unix.IPPROTO_GRE || protocol == unix.IPPROTO_SCTP && flagged
}

// mayBePeers says that an entry which is not in this node's cache may be there for the
// peer. With the states in the kernel that is a backup's usual state, and on a primary
// nothing excuses it: what came from the peer has to be taken over (failover primary).
// Where nobody knows the role, those that began here are this node's. Of the rest as many
// are the peer's as the daemon has put in at most.
func (p *pass) mayBePeers(e *Entry) bool {
	switch {
	case p.injected < 0 || p.role == RolePrimary:
		return false
	case p.role == RoleBackup:
		return true
	}
	return !p.beganHere(e)
}

// broughtUp says that the peer may have brought an entry up to date which the cache has in an
// earlier state: the daemon takes no event of its own writes into its cache.
func (p *pass) broughtUp(e *Entry) bool {
	switch {
	case p.injected < 0 || p.role == RolePrimary:
		return false
	case p.flagged && e.Protocol == unix.IPPROTO_TCP:
		return e.Recovered
	}
	return p.role == RoleBackup || p.peers < p.injected
}

// beganHere says that no daemon has put an entry into this kernel. TCP tells: conntrackd
// puts its entries in with flags that no connection gets which began here with a SYN. Of
// any protocol the kernel tells.
func (p *pass) beganHere(e *Entry) bool {
	return p.flagged && e.Protocol == unix.IPPROTO_TCP && !e.Recovered || !e.Written && p.tells()
}

// mayBeEither says that an entry which this node's file keeps out is one that a daemon wrote,
// and that this does not tell whose it is: the peer's daemon may have sent it before the file
// kept it out, or have sent this node's own back, which it takes for its own after a restart.
// A peer with other settings may go on sending it, and then it is the peer's.
func (p *pass) mayBeEither(e *Entry) bool {
	if p.injected < 0 || p.role != RoleUnknown || p.told.Known && p.told.Differs || p.beganHere(e) {
		return false
	}
	return p.byDaemon(e)
}

// byDaemon says that a daemon has written an entry, or brought one up to date that began here.
func (p *pass) byDaemon(e *Entry) bool {
	return p.flagged && e.Protocol == unix.IPPROTO_TCP && e.Recovered || e.Written && p.tells()
}

// doubtful says that an entry which may be the peer's is taken for this node's: nothing
// shows that it came from the peer, and what would keep it out of the cache is there.
func (p *pass) doubtful(e *Entry, o outcome) bool {
	if p.role == RoleBackup || p.flagged && e.Protocol == unix.IPPROTO_TCP {
		return false
	}
	return o == filtered || p.fault && !p.told.Known
}

// atMost is how many of the peer's entries are here at most. The daemon counts what it
// wrote and removed, and neither what was written twice nor what ended here: where
// something keeps this node's own from the cache, the peer's word counts too.
func (p *pass) atMost(t control.Tables) int {
	n := int(min(t.PeersAtMost(), math.MaxInt32))
	if p.fault && p.told.Known {
		n = min(n, p.told.Connections)
	}
	return n
}

// finish sums up.
func (p *pass) finish() Coverage {
	c := Coverage{Table: p.table, Ended: p.ended, Role: p.role, Peers: p.peers, ToHere: p.toHere, Settled: p.settled, Aged: p.aged, Unsure: min(p.unsure, max(p.injected, 0)), Begun: p.begun, Stale: p.stale, Zoned: p.zoned, Tied: p.tied, TiedTo: p.tiedTo, Sample: p.main.sample}
	p.suspect = p.main.suspect
	if p.beyond.count > 0 && p.peers+p.beyond.count <= p.injected {
		c.Peers += p.beyond.count
	} else {
		p.beyond.tally.mergeInto(p.main.tally)
		c.Sample = append(c.Sample, p.beyond.sample[:min(len(p.beyond.sample), p.most-len(c.Sample))]...)
		p.suspect = append(p.suspect, p.beyond.suspect...)
	}
	for rule, n := range p.undecided {
		if c.Undecided += n; c.UndecidedBy == (Rule{}) || n > p.undecided[c.UndecidedBy] || n == p.undecided[c.UndecidedBy] && rule.Line < c.UndecidedBy.Line {
			c.UndecidedBy = rule
		}
	}
	slices.Sort(p.suspect)
	p.main.tally.into(&c)
	for key, counts := range p.main.tally.kinds {
		if beginsAnew(key.protocol, p.flagged) {
			c.BeginAgain += counts.Survive
		}
	}
	c.Pending = p.first && len(p.suspect) > 0
	return c
}
