package coverage

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/plural"
	"connsync/shell"
)

// Looker looks at the connections of this node again and again: what is not in the
// cache at two looks in a row is missing. Client and File have to be given. Its methods
// are safe for concurrent use.
type Looker struct {
	Client *control.Client  // of the running daemon
	File   *conntrackd.File // with which it runs
	// Called is how the operator calls this program, for the commands that are named.
	Called shell.Program
	// Role says what this node is; nil means that nobody knows.
	Role func(context.Context) Role
	// Own are addresses of this node beside those that it has now, such as virtual ones
	// that the peer has; nil means none.
	Own func() []netip.Addr
	// Fixed is asked before each look; nil means that nobody knows what is.
	Fixed func(context.Context) Fixed
	// Told is asked before each look what the peer has told; nil means that it told nothing.
	Told func(context.Context) Told
	// AsSaved says whether the file has the content that was last saved before a time; nil
	// and false mean that this is not known.
	AsSaved func(before time.Time) bool
	// Zoneless says that the daemon sends no zones, as before 1.4.7; it is asked where an entry
	// has one. Nil means that it does.
	Zoneless func(context.Context) bool
	// Lifetimes is asked before each look at a node whose states go into the peer's kernel. It
	// says how long an entry lives there without news, zero for as long as here. Nil, and what
	// returns nil, mean that something sends news of each that is in use.
	Lifetimes func() func(*Entry) time.Duration
	// Most is how many entries of [Coverage.Sample] are kept; zero means 20.
	Most int

	mu      sync.Mutex
	pid     int       // of the daemon that was looked at
	since   time.Time // it runs
	last    Coverage
	lastErr error
	at      time.Time     // when the last look ended; zero where there was none
	cost    time.Duration // of the last look, in time of the processor
	suspect keySet        // not in the cache at the last look
	cached  keySet        // in the cache at the last look
}

// Told is what the peer has told of itself.
type Told struct {
	Known bool // it told a thing, not long ago
	// Connections are those that are in its own cache, as it told.
	Connections int
	// Differs says that it has other settings than this node, such as a filter.
	Differs bool
	// SettledAfter is how long an entry has to be in the cache here to be one of
	// [Coverage.Settled].
	SettledAfter time.Duration
}

const (
	// secondLook is how long an entry may take to get into the cache.
	secondLook = time.Second
	// calm is the time between two looks at a node that has nothing new.
	calm = 5 * time.Second
	// share is how much longer than the work for a look the pause after it is at least;
	// conntrackd works as long as this program does.
	share = 2 * 40
	// longestPause is how old a look may become at a very large table.
	longestPause = time.Minute
	// mostLost is what is kept of the entries that would be lost.
	mostLost = 20
	// allocations of a set begin with so many keys.
	firstKeys = 1024
)

// Look returns the newest look, which is taken in the network namespace of the calling
// thread unless there is one that is new enough: a large table is looked at seldom. It
// needs root. An error is an [conntrackd.ErrCannotLook] or one of the control socket.
func (l *Looker) Look(ctx context.Context) (Coverage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.at.IsZero() && time.Since(l.at) < l.pause() {
		return l.last, l.lastErr
	}
	return l.takeLook(ctx)
}

// LookNow is [Looker.Look], and does look.
func (l *Looker) LookNow(ctx context.Context) (Coverage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takeLook(ctx)
}

func (l *Looker) takeLook(ctx context.Context) (Coverage, error) {
	before := processorTime()
	c, err := l.look(ctx)
	if errors.Is(ctx.Err(), context.Canceled) { // nobody waits for it; it says nothing of the tables
		return c, err
	}
	l.last, l.lastErr = c, err
	l.at, l.cost = time.Now(), processorTime()-before
	return l.last, l.lastErr
}

// processorTime is what this program has used of the processors.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pause is the least time to the next look.
func (l *Looker) pause() time.Duration {
	rest := min(share*l.cost, longestPause)
	switch {
	case l.last.Pending:
		return secondLook
	case l.lastErr == nil && l.last.Young == 0:
		return max(calm, rest)
	}
	return max(secondLook, rest)
}

// Follow says which process is looked at, and since when it runs: what was seen of another
// is forgotten.
func (l *Looker) Follow(pid int, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = since
	if pid != l.pid {
		l.pid, l.at, l.suspect, l.cached, l.last, l.lastErr = pid, time.Time{}, nil, nil, Coverage{}, nil
	}
}

// Rest is how long to wait after the last look, so that looks take a fortieth of a
// processor: a minute at most.
func (l *Looker) Rest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(share*l.cost, longestPause)
}

// Settle looks until no second look is pending.
func (l *Looker) Settle(ctx context.Context) (Coverage, error) {
	for {
		c, err := l.Look(ctx)
		if err != nil || !c.Pending {
			return c, err
		}
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-time.After(secondLook):
		}
	}
}

// keySet is a sorted set of keys of entries.
type keySet []uint64

func (s keySet) has(key uint64) bool {
	_, found := slices.BinarySearch(s, key)
	return found
}

// readCache reads the keys of the daemon's internal cache, those of them that it has had
// for less than settled, and those that it has in states that do not last.
func (p *pass) readCache(ctx context.Context, c *control.Client, settled time.Duration) error {
	p.cache = make(keySet, 0, firstKeys)
	var e Entry
	strange := 0
	err := c.DumpInternal(ctx, func(line []byte) {
		switch {
		case e.parseText(line):
			key := e.key(seed)
			p.cache = append(p.cache, key)
			age, known := cachedFor(line)
			if settled > 0 && (!known || age < settled) {
				p.fresh = append(p.fresh, key)
			}
			if known && p.isOld(&e, age) {
				p.old = append(p.old, key)
			}
			p.lasts.add(&e, key)
		case len(line) > 0:
			strange++
		}
	})
	if err == nil && strange > 0 {
		err = fmt.Errorf("%w: %s of its cache could not be read", control.ErrReply, plural.Of(strange, "line", "lines"))
	}
	slices.Sort(p.cache)
	slices.Sort(p.fresh)
	slices.Sort(p.old)
	for _, keys := range p.lasts {
		slices.Sort(keys)
	}
	return err
}

var seed = maphash.MakeSeed()

// look takes one look. The cache is read before the table, so that an entry is in the
// cache at the next look if it has got there at all.
func (l *Looker) look(ctx context.Context) (Coverage, error) {
	begin := time.Now()
	p, tables, err := l.prepare(ctx)
	if err != nil {
		return Coverage{}, err
	}
	if err := Dump(ctx, p.take); err != nil {
		return Coverage{}, err
	}
	if p.beyond.count > 0 {
		// The peer's entries may have come since they were counted.
		after, err := l.Client.Tables(ctx)
		if err != nil {
			return Coverage{}, err
		}
		p.injected = p.atMost(after)
	}
	c := p.finish()
	l.suspect, l.cached = p.suspect, p.cache
	c.Time, c.Took = time.Now(), time.Since(begin)
	if c.Lost() > 0 {
		c.Cause, c.Next = l.explain(ctx, c, tables)
	}
	return c, nil
}

// prepare reads all but the kernel's table.
func (l *Looker) prepare(ctx context.Context) (*pass, control.Tables, error) {
	tables, err := l.Client.Tables(ctx)
	if err != nil {
		return nil, tables, err
	}
	if tables.Bypass {
		return nil, tables, fmt.Errorf("%w: conntrackd has no internal cache (DisableInternalCache)", conntrackd.ErrCannotLook)
	}
	protocols, err := ReadProtocols(protocolsFile)
	if err != nil {
		return nil, tables, err
	}
	p := &pass{
		filter: NewFilter(l.File, protocols), before: l.suspect, cached: l.cached, first: l.at.IsZero() || l.lastErr != nil,
		flagged: !l.File.TCPWindowTracking(), tells: sync.OnceValue(tellsWritten), injected: -1, most: l.Most, main: newGroup(), beyond: newGroup(), role: RoleUnknown,
	}
	if l.Zoneless != nil {
		p.zoneless = sync.OnceValue(func() bool { return l.Zoneless(ctx) })
	}
	if p.most == 0 {
		p.most = mostLost
	}
	if l.Role != nil {
		p.role = l.Role(ctx)
	}
	if l.Told != nil {
		p.told = l.Told(ctx)
	}
	if tables.Direct {
		p.fault = p.role == RoleUnknown && l.circumstances(ctx, p.role, tables).faulty()
		p.injected = p.atMost(tables)
		if l.Lifetimes != nil {
			p.lives = l.Lifetimes()
		}
	}
	if p.own, err = l.own(); err != nil {
		return nil, tables, err
	}
	if l.Fixed != nil {
		p.own.fixed = l.Fixed(ctx)
	}
	return p, tables, p.readCache(ctx, l.Client, p.told.SettledAfter)
}

// own are the addresses whose connections end with a node: those of this one, and what
// is known of the peer's.
func (l *Looker) own() (ownAddresses, error) {
	var more []netip.Addr
	if l.Own != nil {
		more = l.Own()
	}
	if s, err := l.File.Settings(); err == nil && s.Peer.IsValid() {
		more = append(more, s.Peer.Addr(), s.Current.Addr())
	}
	return readOwn(more)
}

// External counts the peer's connections in the daemon's external cache, also those that end at
// this node. Messages of the peer are none of them: they are handed to message.
func (l *Looker) External(ctx context.Context, message func(e *Entry, age time.Duration)) (n int, err error) {
	own, err := l.own()
	if err != nil {
		return 0, err
	}
	var e Entry
	err = l.Client.DumpExternal(ctx, func(line []byte) {
		switch age, ok := e.ParsePeers(line); {
		case !ok:
		case e.Mark == MessageMark:
			message(&e, age)
		case !own.peersOwn(&e) && !e.ending():
			n++
		}
	})
	return n, err
}
