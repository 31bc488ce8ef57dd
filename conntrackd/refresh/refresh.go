package refresh

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Refresher remembers what the peer was told of each entry. Make it with
// [New]; its methods must stay on one thread of the network namespace, and are
// not for concurrent use.
type Refresher struct {
	// Own are the ends of the sync link: what is between them is not replicated.
	Own []netip.Addr

	table, reporter, news *socket

	seed  maphash.Seed
	began time.Time
	known map[uint64]seen
	// written are the entries that a program has written since the last round, with when
	// they end by that: the peer's copies end then, too, whatever is used here since.
	written map[uint64]ending
	heard   time.Duration // all that was written until then is
	missed  bool          // more were written than could be heard of
	rounds  uint32
	last    time.Time
}

// ending is when an entry ends, as far as a look at it tells. Times are since
// the Refresher began.
type ending struct{ earliest, latest time.Duration }

// seen is what is remembered of an entry.
type seen struct {
	base  time.Duration // its latest end without another packet
	told  time.Duration // its earliest end on the peer
	round uint32
}

// Round is what one look at the table came to.
type Round struct {
	Entries   int           // in the table
	Due       int           // in use here, and soon to end on the peer
	Refreshed int           // of those, reported to conntrackd; the others have ended meanwhile
	Took      time.Duration // the reports are spread over it
}

const (
	// batch is how many entries the kernel reports in one go: conntrackd's
	// messages about them fit every buffer of a peer.
	batch = 32
	// spread is the part of an interval that the reports are spread over.
	spread = 0.8
	// slowest and fastest are entries in a second. A peer with the smallest
	// buffers takes 20,000 new connections in a second.
	slowest, fastest = 1000, 10000
)

// New returns a Refresher of the table of the calling thread's network
// namespace. It needs CAP_NET_ADMIN.
func New() (*Refresher, error) {
	r := &Refresher{seed: maphash.MakeSeed(), began: time.Now(), known: map[uint64]seen{}, written: map[uint64]ending{}}
	var err error
	for _, s := range []**socket{&r.table, &r.reporter, &r.news} {
		if *s, err = openSocket(); err != nil {
			r.Close()
			return nil, err
		}
	}
	if err := r.news.listen(r.reporter); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close frees the sockets.
func (r *Refresher) Close() {
	for _, s := range []*socket{r.table, r.reporter, r.news} {
		if s != nil {
			s.close()
		}
	}
}

// Hear takes down what a program has written into the table until now, which is
// not in use here by that. [Refresher.Look] does so too; between two looks it
// is to be called when there is something to hear.
func (r *Refresher) Hear() error {
	for {
		now := time.Since(r.began)
		_, err := r.news.receive(unix.MSG_DONTWAIT, func(_ uint16, body []byte) (bool, error) {
			if e, ok := readEntry(body); ok {
				timeout := time.Duration(e.timeout) * time.Second
				r.written[e.key(r.seed)] = ending{r.heard + timeout, now + timeout + time.Second}
			}
			return true, nil
		})
		switch {
		case errors.Is(err, unix.EAGAIN):
			r.heard = now
			return nil
		case errors.Is(err, unix.ENOBUFS):
			r.missed = true
		case err != nil:
			return fmt.Errorf("listen to the connection table: %w", err)
		}
	}
}

// Await hears until the time is over.
func (r *Refresher) Await(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if err := ctx.Err(); err != nil || left <= 0 {
			return err
		}
		ready := []unix.PollFd{{Fd: int32(r.news.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, int(min(left, 200*time.Millisecond)/time.Millisecond)+1)
		switch {
		case errors.Is(err, unix.EINTR) || err == nil && n == 0:
			continue
		case err != nil:
			return fmt.Errorf("listen to the connection table: %w", err)
		}
		if err := r.Hear(); err != nil {
			return err
		}
	}
}

// Look looks at the table and has the kernel report the entries that are in use
// here and would end on the peer within twice the interval, after which the next
// look is. The reports are spread over most of the interval.
func (r *Refresher) Look(ctx context.Context, interval time.Duration) (Round, error) {
	began := time.Now()
	round, due, err := r.look(began, interval)
	if err != nil {
		return round, err
	}
	pace := min(max(float64(len(due))/(spread*interval.Seconds()), slowest), fastest)
	pause := time.Duration(batch / pace * float64(time.Second))
	for part := range slices.Chunk(due, batch) {
		reported, err := r.reporter.report(part)
		round.Refreshed += reported
		if err != nil {
			return round, err
		}
		// Time that was lost is not made good: two batches at once may be more
		// than the peer's buffer holds.
		if err := r.Await(ctx, pause); err != nil {
			return round, err
		}
	}
	round.Took = time.Since(began)
	return round, nil
}

// look reads the table and returns the names of those that are due.
func (r *Refresher) look(now time.Time, interval time.Duration) (round Round, due []string, err error) {
	if err := r.Hear(); err != nil {
		return round, nil, err
	}
	r.rounds++
	// Entries that end within the horizon would, without a word, end before the
	// look after the next one is through.
	horizon := time.Since(r.began) + 2*interval + interval/2 + time.Second
	names := map[uint64]string{}
	err = r.table.dump(func(e entry, since time.Time) {
		round.Entries++
		if !e.timed || r.own(e) {
			return
		}
		key, timeout := e.key(r.seed), time.Duration(e.timeout)*time.Second
		// The kernel rounds down to seconds.
		end := ending{since.Sub(r.began) + timeout, time.Since(r.began) + timeout + time.Second}
		s, mustTell := r.next(key, end, horizon)
		r.known[key] = s
		if mustTell {
			names[key] = e.name()
		}
	})
	if err == nil {
		// What was written while the table was read is news of the peer, too.
		clear(r.written)
		err = r.Hear()
	}
	if err != nil {
		return round, nil, err
	}
	for key, name := range names {
		if _, told := r.written[key]; !told {
			due = append(due, name)
		}
	}
	maps.DeleteFunc(r.known, func(_ uint64, s seen) bool { return s.round != r.rounds })
	r.missed, r.last = false, now
	round.Due = len(due)
	return round, due, nil
}

// own says whether both ends of an entry are the sync link's.
func (r *Refresher) own(e entry) bool {
	return slices.Contains(r.Own, e.source) && slices.Contains(r.Own, e.destination)
}

// next is what is remembered of an entry, and whether the peer has to be told
// of it: it was used since, and on the peer it may end before the horizon.
func (r *Refresher) next(key uint64, end ending, horizon time.Duration) (s seen, mustTell bool) {
	s, found := r.known[key]
	s.round = r.rounds
	theirs, written := r.written[key]
	switch {
	case written:
		// The peer told us, and knows that much. If it ends later by now, it was used here
		// since, and the peer need not wait for the look after this one to be told.
		s.base, s.told = min(end.latest, theirs.latest), min(end.earliest, theirs.earliest)
	case !found && r.rounds == 1:
		// Nobody knows what the peer was told, nor whether it is in use here.
		s.base, s.told = end.latest, 0
	case !found:
		// The peer was told when it began, after the last look.
		s.base, s.told = end.latest, end.earliest-time.Since(r.last)
	case end.latest < s.told:
		// Its state has changed, and the peer was told.
		s.base, s.told = end.latest, end.earliest
	case r.missed:
		// It may be the peer that told us. If it is in use here, the next look shows it.
		s.base = max(s.base, end.latest)
	}
	if end.earliest <= s.base || s.told >= horizon {
		return s, false
	}
	s.base, s.told = end.latest, end.earliest
	return s, true
}
