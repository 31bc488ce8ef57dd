package failover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/step"
	"connsync/plural"
)

// kernelEntries returns the number of entries in the kernel's connection table,
// in the network namespace of the calling thread.
func kernelEntries() (int, error) {
	content, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	if err != nil {
		return 0, fmt.Errorf("count the kernel's connections: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("count the kernel's connections: %w", err)
	}
	return n, nil
}

// tables are the daemon's and the kernel's, in one reading.
type tables struct {
	control.Tables
	kernel int
}

func (r *run) read() (tables, error) {
	t, err := r.f.Client.Tables(r.asking)
	if err != nil {
		return tables{}, err
	}
	kernel := r.f.Kernel
	if kernel == nil {
		kernel = kernelEntries
	}
	entries, err := kernel()
	return tables{t, entries}, err
}

// await reads until done says so of what it read, or the patience or the
// context ends; it returns the last reading and what done said of it. A daemon too
// busy to answer in time is asked again: once at least, and until then.
func (r *run) await(ctx context.Context, done func(tables) bool) (now tables, ok bool, err error) {
	return r.awaitFor(ctx, r.patience(), done)
}

func (r *run) patience() time.Duration {
	if r.f.Patience == 0 {
		return failoverPatience
	}
	return r.f.Patience
}

func (r *run) awaitFor(ctx context.Context, patience time.Duration, done func(tables) bool) (now tables, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	late := 0
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		now, err = r.read()
		if errors.Is(err, context.DeadlineExceeded) && (late == 0 || ctx.Err() == nil) {
			late++
			continue
		}
		if err != nil || done(now) {
			return now, err == nil, err
		}
		select {
		case <-ctx.Done():
			return now, false, nil
		case <-time.After(pause):
		}
	}
}

// settled makes a condition hold only once a number has not grown for so long,
// and in two readings at least.
func settled(quiet time.Duration, of func(tables) uint64, condition func(tables) bool) func(tables) bool {
	var last uint64
	var since time.Time
	return func(t tables) bool {
		n := of(t)
		if since.IsZero() || n != last {
			last, since = n, time.Now()
			return false
		}
		return time.Since(since) >= quiet && condition(t)
	}
}

func cannotSee(err error) (step.Status, string) {
	return step.Unknown, "asked for; what came of it cannot be seen: " + err.Error()
}

// commitEffect compares the external cache with the kernel's table, which has
// to hold it all. The daemon answers a commit when it is through.
func commitEffect(ctx context.Context, r *run, before tables) (step.Status, string) {
	if before.External == 0 {
		return step.Done, "the external cache is empty: there was nothing to commit"
	}
	now, ok, err := r.await(ctx, func(t tables) bool { return uint64(t.kernel) >= before.External })
	switch {
	case err != nil:
		return cannotSee(err)
	case !ok:
		return step.Failed, fmt.Sprintf("the kernel's table cannot hold the peer's %s: it has %s, and had %d",
			plural.Of(before.External, "state", "states"), plural.Of(now.kernel, "entry", "entries"), before.kernel)
	case r.refused(now.kernel) && uint64(max(now.kernel-before.kernel, 0)) < before.External:
		return step.Failed, fmt.Sprintf("the kernel's table is full, and may not hold all of the peer's %s: it has %s, and had %d; raise net.netfilter.nf_conntrack_max, and run this again",
			plural.Of(before.External, "state", "states"), plural.Of(now.kernel, "entry", "entries"), before.kernel)
	}
	return r.expectations(fmt.Sprintf("%s of the peer; the kernel's table had %s and has %d", plural.Of(before.External, "state", "states"), plural.Of(before.kernel, "entry", "entries"), now.kernel))
}

// refused says that a table with so many entries has refused some: it is full, and goes up and
// down a little there.
func (r *run) refused(entries int) bool {
	limit := r.f.KernelMax
	if limit == nil {
		limit = func() int {
			host, _ := conntrackd.ReadHost() // what cannot be read is not known
			return host.ConntrackMax
		}
	}
	most := limit()
	return most > 0 && entries >= most-most/100
}

// expectations adds to the detail of a commit what became of the peer's
// expectations, which the daemon commits after the states. One whose connection has
// come since is in the kernel no more.
func (r *run) expectations(detail string) (step.Status, string) {
	wanted, err := r.f.Client.Expectations(r.asking)
	if err != nil {
		return cannotSee(err)
	}
	if wanted == 0 {
		return step.Done, detail
	}
	count := r.f.KernelExpectations
	if count == nil {
		count = kernelExpectations
	}
	got, err := count()
	switch {
	case err != nil:
		return step.Unknown, fmt.Sprintf("%s; the peer has %s, and those in the kernel cannot be counted: %v", detail, plural.Of(wanted, "expectation", "expectations"), err)
	case uint64(got) < wanted:
		return step.Unknown, fmt.Sprintf("%s; the kernel has %d of %s of the peer: the others have been met already, the helper is missing here, or the kernel takes no more of them for a connection, as of SIP's", detail, got, plural.Of(wanted, "expectation", "expectations"))
	}
	return step.Done, fmt.Sprintf("%s; %s of the peer", detail, plural.Of(wanted, "expectation", "expectations"))
}

// kernelExpectations returns the number of the kernel's expectations, in the
// network namespace of the calling thread.
func kernelExpectations() (int, error) {
	content, err := os.ReadFile("/proc/thread-self/net/nf_conntrack_expect")
	return strings.Count(string(content), "\n"), err
}

func flushEffect(ctx context.Context, r *run, before tables) (step.Status, string) {
	now, ok, err := r.await(ctx, func(t tables) bool { return t.External == 0 || t.External < before.External })
	switch {
	case err != nil:
		return cannotSee(err)
	case !ok:
		return step.Failed, fmt.Sprintf("the external cache still has %s: conntrackd refuses a flush after a commit where HashSize is %d or less; raise it", plural.Of(now.External, "state", "states"), conntrackd.CommitStep)
	}
	return step.Done, fmt.Sprintf("external cache %d to %d, internal cache %d to %d", before.External, now.External, before.Internal, now.Internal)
}

// resyncEffect waits until the daemon has read the kernel's table through: the
// next step sends what it has read by then.
func resyncEffect(ctx context.Context, r *run, before tables) (step.Status, string) {
	now, ok, err := r.await(ctx, settled(0, func(t tables) uint64 { return t.Internal }, func(t tables) bool { return t.Resyncs > before.Resyncs }))
	switch {
	case err != nil:
		return cannotSee(err)
	case now.Resyncs == before.Resyncs:
		return step.Failed, "the daemon did not read the kernel's table"
	case !ok:
		return step.Unknown, fmt.Sprintf("the daemon is still reading the kernel's table: %s so far", plural.Of(now.Internal, "state", "states"))
	}
	return step.Done, fmt.Sprintf("the internal cache had %s and has %d; the kernel's table has %s, those of the node itself included",
		plural.Of(before.Internal, "state", "states"), now.Internal, plural.Of(now.kernel, "entry", "entries"))
}

// stateBytes is less than any state takes in a message.
const stateBytes = 32

// bulkEffect sees that what was sent is as much as the internal cache would
// fill. Whether the peer got it is the peer's to say. Without an internal cache the
// daemon sends what it finds in the kernel's table and its filter lets through, so that
// there only as much as the whole table takes is known to be all.
func bulkEffect(ctx context.Context, r *run, before tables) (step.Status, string) {
	count, held := before.Internal, plural.Of(before.Internal, "state", "states")
	if before.Bypass {
		count = uint64(before.kernel)
		held = "the kernel's table of " + plural.Of(count, "entry", "entries")
	}
	if count == 0 {
		return step.Done, "no state to send"
	}
	least := stateBytes * count
	now, ok, err := r.await(ctx, func(t tables) bool {
		return t.Link.BytesSent-before.Link.BytesSent >= least && t.Link.PacketsSent > before.Link.PacketsSent
	})
	if err != nil {
		return cannotSee(err)
	}
	messages, bytes := now.Link.PacketsSent-before.Link.PacketsSent, now.Link.BytesSent-before.Link.BytesSent
	sent := fmt.Sprintf("%s, %s", plural.Of(messages, "message", "messages"), plural.Of(bytes, "byte", "bytes"))
	switch failures := now.Link.ErrorsSent - before.Link.ErrorsSent; {
	case ok && now.Link.Status != linkRunning:
		return step.Done, fmt.Sprintf("%s in %s, which nobody receives: %s is %s; the peer requests them when it is back",
			held, plural.Of(messages, "message", "messages"), now.Link.Device, now.Link.Status)
	case ok:
		return step.Done, fmt.Sprintf("%s in %s", held, sent)
	case failures > 0:
		return step.Failed, fmt.Sprintf("%s could not be sent: %s is %s", plural.Of(failures, "message", "messages"), now.Link.Device, now.Link.Status)
	case before.Bypass:
		return step.Unknown, fmt.Sprintf("conntrackd sent %s of %s; without an internal cache (DisableInternalCache) it is unknown whether that is all it has to send", sent, held)
	}
	return step.Failed, fmt.Sprintf("the daemon has not sent all of %s: only %s", held, sent)
}

const linkRunning = "RUNNING" // the daemon's word for a link that is up

const (
	// fewStates are no more than what a peer may tell meanwhile that is no answer: reports,
	// and news of connections.
	fewStates = 4
	// greeted are more messages than two daemons need until they have greeted each other.
	greeted = 6
	// silence is how long the peer may take until it is heard at all, in patiences: a link
	// that has just come up, as at boot, may carry nothing for seconds.
	silence = 8
)

// requestEffect waits for the peer's states, and until no more of them come.
//
// What a daemon sends before the nodes have greeted each other may be lost
// without a trace, such as on a link that has just come up, and is not repeated
// by the daemon. So the silence of the peer, and a state or two, mean something only
// after it has been asked again since it was heard.
func requestEffect(ctx context.Context, r *run, before tables) (step.Status, string) {
	got := func(t tables) uint64 { return t.External + t.Injected }
	// As much as all that is held takes was sent again, whether it was new or not.
	again := func(t tables) bool {
		return t.Link.BytesRecv-before.Link.BytesRecv > stateBytes*max(got(t), fewStates)
	}
	came := func(t tables) bool { return got(t) > got(before) || again(t) }
	began, asked, heard := time.Now(), 1, 0
	end := began.Add(silence * r.patience())
	var now tables
	for {
		look := time.Now()
		var ok bool
		var err error
		now, ok, err = r.awaitFor(ctx, r.patience()/4, settled(control.BulkPause, got, came))
		r.answer = (got(now) - min(got(before), got(now))) / uint64(asked)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && time.Since(began) <= 3*r.patience():
			continue // as long as it takes what was asked, a busy daemon answers nobody
		case err != nil:
			return cannotSee(err)
		}
		if now.Link.PacketsRecv < before.Link.PacketsRecv {
			return step.Unknown, "conntrackd was restarted meanwhile, so it is unknown whether an answer came"
		}
		many := got(now) > got(before)+fewStates || got(before) > fewStates && again(now)
		if ok && (heard > 4 || many && (heard > 2 || before.Link.PacketsRecv >= greeted)) {
			return answered(before, now, asked)
		}
		if now.Link.PacketsRecv > before.Link.PacketsRecv {
			if heard == 0 {
				end = time.Now().Add(3 * r.patience())
			}
			heard++
		}
		// Heard now means greeted half a dozen heartbeats later at the latest.
		if ctx.Err() != nil || !ok && heard > 4 || time.Now().After(end) {
			break
		}
		select { // an early look would count for more than it is
		case <-ctx.Done():
		case <-time.After(r.patience()/4 - time.Since(look)):
		}
		if err := r.f.Client.RequestResync(r.asking); err != nil {
			return step.Failed, err.Error()
		}
		asked++
	}
	switch {
	case came(now):
		return answered(before, now, asked)
	case now.Link.ErrorsSent > before.Link.ErrorsSent:
		return step.Failed, fmt.Sprintf("the request could not be sent: %s is %s", now.Link.Device, now.Link.Status)
	case heard > 4:
		return step.Done, fmt.Sprintf("the peer is up and has no state to send (asked %s)", plural.Times(asked))
	}
	return step.Unknown, "no message from the peer since the request: it is down or cannot be reached"
}

func answered(before, now tables, asked int) (step.Status, string) {
	heard := fmt.Sprintf("%s, %s from the peer", plural.Of(now.Link.PacketsRecv-before.Link.PacketsRecv, "message", "messages"), plural.Of(now.Link.BytesRecv-before.Link.BytesRecv, "byte", "bytes"))
	if asked > 1 {
		heard = fmt.Sprintf("asked %s; ", plural.Times(asked)) + heard
	}
	if now.Direct {
		return step.Done, fmt.Sprintf("%s; %s written to the kernel's table, which had %s and has %d",
			heard, plural.Of(now.Injected-before.Injected, "state", "states"), plural.Of(before.kernel, "entry", "entries"), now.kernel)
	}
	return step.Done, fmt.Sprintf("%s; the external cache had %s and has %d", heard, plural.Of(before.External, "state", "states"), now.External)
}

// purgeEffect has nothing to see: the daemon sets an alarm, which it names in
// its log alone, and which the next commit cancels.
func purgeEffect(_ context.Context, _ *run, before tables) (step.Status, string) {
	return step.Done, fmt.Sprintf("the daemon was told to empty the kernel's table of %s after PurgeTimeout, unless this node is primary again before", plural.Of(before.kernel, "entry", "entries"))
}
