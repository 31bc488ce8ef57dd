package conntrackd

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tables is what can be seen of a failover: the daemon's caches, its counters
// and the kernel's table.
type tables struct {
	direct   bool // the peer's states go straight into the kernel
	bypass   bool // there is no internal cache (NOTRACK with DisableInternalCache)
	internal uint64
	external uint64
	injected uint64 // states of the peer written into the kernel since the start, news and updates
	resyncs  uint64 // times that the kernel's table was read
	link     LinkStats
	kernel   int
}

// KernelEntries returns the number of entries in the kernel's connection table,
// in the network namespace of the calling thread.
func KernelEntries() (int, error) {
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

func (r *failoverRun) read() (tables, error) {
	c, ctx := r.f.Client, r.asking
	cache, err := c.statistics(ctx, requestCache)
	if err != nil {
		return tables{}, err
	}
	t, err := parseTables(cache)
	if err != nil {
		return tables{}, err
	}
	text, err := c.statistics(ctx, requestRuntime)
	if err != nil {
		return tables{}, err
	}
	if t.resyncs, err = find(report(text), "", "resync with kernel table"); err != nil {
		return tables{}, err
	}
	links, err := c.Links(ctx)
	if err != nil {
		return tables{}, err
	}
	t.link = links[0]
	for _, l := range links {
		if l.Active {
			t.link = l
		}
	}
	kernel := r.f.Kernel
	if kernel == nil {
		kernel = KernelEntries
	}
	t.kernel, err = kernel()
	return t, err
}

func parseTables(text string) (tables, error) {
	stats, err := parseCache(text)
	if err != nil {
		return tables{}, err
	}
	t := tables{
		internal: stats.Internal, external: stats.External, injected: stats.Injected,
		direct: strings.Contains(text, "external inject:"), bypass: strings.Contains(text, "internal bypass:"),
	}
	if t.direct {
		updated, err := find(report(text), "external inject", "connections updated")
		if err != nil {
			return tables{}, err
		}
		t.injected += updated
	}
	return t, nil
}

// await reads until done says so of what it read, or the patience or the
// context ends; it returns the last reading and what done said of it.
func (r *failoverRun) await(ctx context.Context, done func(tables) bool) (now tables, ok bool, err error) {
	return r.awaitFor(ctx, r.patience(), done)
}

func (r *failoverRun) patience() time.Duration {
	if r.f.Patience == 0 {
		return failoverPatience
	}
	return r.f.Patience
}

func (r *failoverRun) awaitFor(ctx context.Context, patience time.Duration, done func(tables) bool) (now tables, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if now, err = r.read(); err != nil || done(now) {
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

func cannotSee(err error) (StepStatus, string) {
	return StepUnknown, "asked for; what came of it cannot be seen: " + err.Error()
}

// commitEffect compares the external cache with the kernel's table, which has
// to hold it all. The daemon answers a commit when it is through.
func commitEffect(ctx context.Context, r *failoverRun, before tables) (StepStatus, string) {
	if before.external == 0 {
		return StepDone, "the external cache is empty: there was nothing to commit"
	}
	now, ok, err := r.await(ctx, func(t tables) bool { return uint64(t.kernel) >= before.external })
	switch {
	case err != nil:
		return cannotSee(err)
	case !ok:
		return StepFailed, fmt.Sprintf("of the peer's %s the kernel's table cannot hold them all: it has %d entries, and had %d",
			states(before.external), now.kernel, before.kernel)
	}
	return StepDone, fmt.Sprintf("%s of the peer; the kernel's table had %d entries and has %d", states(before.external), before.kernel, now.kernel)
}

func flushEffect(ctx context.Context, r *failoverRun, before tables) (StepStatus, string) {
	now, ok, err := r.await(ctx, func(t tables) bool { return t.external == 0 || t.external < before.external })
	switch {
	case err != nil:
		return cannotSee(err)
	case !ok:
		return StepFailed, fmt.Sprintf("the external cache still has %s: where HashSize is %d or less conntrackd takes no flush after a commit; raise it", states(now.external), commitStep)
	}
	return StepDone, fmt.Sprintf("external cache %d to %d, internal cache %d to %d", before.external, now.external, before.internal, now.internal)
}

// resyncEffect waits until the daemon has read the kernel's table through: the
// next step sends what it has read by then.
func resyncEffect(ctx context.Context, r *failoverRun, before tables) (StepStatus, string) {
	now, ok, err := r.await(ctx, settled(0, func(t tables) uint64 { return t.internal }, func(t tables) bool { return t.resyncs > before.resyncs }))
	switch {
	case err != nil:
		return cannotSee(err)
	case now.resyncs == before.resyncs:
		return StepFailed, "the daemon did not read the kernel's table"
	case !ok:
		return StepUnknown, fmt.Sprintf("the daemon is still reading the kernel's table: %s so far", states(now.internal))
	}
	return StepDone, fmt.Sprintf("the internal cache had %s and has %d; the kernel's table has %d entries, those of the node itself among them",
		states(before.internal), now.internal, now.kernel)
}

// stateBytes is less than any state takes in a message.
const stateBytes = 32

// bulkEffect sees that what was sent is as much as the internal cache would
// fill. Whether the peer got it is the peer's to say.
func bulkEffect(ctx context.Context, r *failoverRun, before tables) (StepStatus, string) {
	count := before.internal
	if before.bypass {
		count = uint64(before.kernel) // a bulk is read from there; some entries may be the node's own
	}
	if count == 0 {
		return StepDone, "there is no state to send"
	}
	least := stateBytes * before.internal
	now, ok, err := r.await(ctx, func(t tables) bool {
		return t.link.BytesSent-before.link.BytesSent >= least && t.link.PacketsSent > before.link.PacketsSent
	})
	if err != nil {
		return cannotSee(err)
	}
	messages, bytes := now.link.PacketsSent-before.link.PacketsSent, now.link.BytesSent-before.link.BytesSent
	switch failures := now.link.ErrorsSent - before.link.ErrorsSent; {
	case ok && now.link.Status != linkRunning:
		return StepDone, fmt.Sprintf("%s in %d messages, which nobody hears: %s is %s; the peer asks for them when it is back",
			states(count), messages, now.link.Device, now.link.Status)
	case ok:
		return StepDone, fmt.Sprintf("%s in %d messages, %d bytes", states(count), messages, bytes)
	case failures > 0:
		return StepFailed, fmt.Sprintf("%d messages could not be sent: %s is %s", failures, now.link.Device, now.link.Status)
	}
	return StepFailed, fmt.Sprintf("of %s the daemon has sent %d messages, %d bytes", states(count), messages, bytes)
}

const linkRunning = "RUNNING" // the daemon's word for a link that is up

// requestEffect waits for the peer's states, and until no more of them come.
//
// What a daemon sends before the nodes have greeted each other may be lost
// without a trace, such as on a link that has just come up, and is not repeated
// by the daemon. So the silence of the peer means something only after it has
// been asked again since it was heard.
func requestEffect(ctx context.Context, r *failoverRun, before tables) (StepStatus, string) {
	got := func(t tables) uint64 { return t.external + t.injected }
	came := func(t tables) bool {
		// One state alone is news of a connection as likely as an answer.
		return got(t) > got(before) || t.link.BytesRecv-before.link.BytesRecv > stateBytes*max(got(t), 4)
	}
	began, asked, heard := time.Now(), 1, 0
	var now tables
	for {
		var ok bool
		var err error
		if now, ok, err = r.awaitFor(ctx, r.patience()/4, settled(bulkPause, got, came)); err != nil {
			return cannotSee(err)
		}
		if now.link.PacketsRecv < before.link.PacketsRecv {
			return StepUnknown, "conntrackd was restarted meanwhile, so whether an answer came cannot be told"
		}
		if ok {
			return answered(before, now, asked)
		}
		if now.link.PacketsRecv > before.link.PacketsRecv {
			heard++
		}
		// Heard now means greeted half a dozen heartbeats later at the latest.
		if ctx.Err() != nil || heard > 4 || time.Since(began) > 3*r.patience() {
			break
		}
		if err := r.f.Client.RequestResync(r.asking); err != nil {
			return StepFailed, err.Error()
		}
		asked++
	}
	switch {
	case now.link.ErrorsSent > before.link.ErrorsSent:
		return StepFailed, fmt.Sprintf("the request could not be sent: %s is %s", now.link.Device, now.link.Status)
	case heard > 4:
		return StepDone, fmt.Sprintf("the peer is there and sent no state, asked %d times: it has none", asked)
	}
	return StepUnknown, "asked, and no word of the peer since: it is down, or not reached"
}

func answered(before, now tables, asked int) (StepStatus, string) {
	heard := fmt.Sprintf("%d messages, %d bytes of the peer", now.link.PacketsRecv-before.link.PacketsRecv, now.link.BytesRecv-before.link.BytesRecv)
	if asked > 1 {
		heard = fmt.Sprintf("asked %d times; ", asked) + heard
	}
	if now.direct {
		return StepDone, fmt.Sprintf("%s; %s written to the kernel's table, which had %d entries and has %d",
			heard, states(now.injected-before.injected), before.kernel, now.kernel)
	}
	return StepDone, fmt.Sprintf("%s; the external cache had %s and has %d", heard, states(before.external), now.external)
}

// purgeEffect has nothing to see: the daemon sets an alarm, which it names in
// its log alone, and which the next commit takes back.
func purgeEffect(_ context.Context, _ *failoverRun, before tables) (StepStatus, string) {
	return StepDone, fmt.Sprintf("the daemon was told; unless this node is primary again before, it empties the kernel's table of %d entries after PurgeTimeout", before.kernel)
}
