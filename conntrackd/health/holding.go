package health

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/plural"
)

// Holding is what the two nodes hold of each other's connections, beside what coverage
// says of this node.
type Holding struct {
	// Table and TableMax are nf_conntrack_count and nf_conntrack_max; zero is not known.
	Table, TableMax int
	// External are the connections in the external cache, where the daemon has one.
	External int
	// Refused are the writes of the peer's entries that failed here and were not made good.
	Refused uint64
	// Told is the peer's newest report; nil where it has not said a thing for too long.
	Told *mailbox.Told
	// Differ are the settings that the peer has otherwise, as it told; nil where it has
	// all as here, or is of a version that does not tell.
	Differ []Difference
	// OnPeer is how many of Of connections the peer holds, as it told: of those that this
	// node had when the peer counted, and still has. Both are -1 where that is not known,
	// which is not none: Unclear says why where the peer told.
	OnPeer, Of int
	Unclear    Unclear
	// Daemon is the version of this node's conntrackd, once the peer told its own.
	Daemon [3]uint8
}

// Unclear says why a report of the peer does not show what it holds; blank where it does.
type Unclear string

// The reasons.
const (
	// UnclearCommitted is that connections of this node may be in the peer's kernel, which took
	// its external cache, and cannot be told from its own there.
	UnclearCommitted Unclear = "committed"
	// UnclearRefused is that its kernel refused states, and has as many as there have to be:
	// one that was refused may need to survive or not.
	UnclearRefused Unclear = "refused"
)

// toldMargin is how long an entry may take to the peer. What is younger than the count of
// the peer's report and this is not asked of it.
const toldMargin = 2 * time.Second

// Reports is how many states of the peer are what it tells of itself; direct says that
// its states are written to the kernel at once. 0 where it cannot be told.
func (o *Observer) Reports(ctx context.Context, direct bool) int {
	count, _ := o.box(direct).Reports(ctx)
	return count
}

func (o *Observer) box(direct bool) mailbox.Box {
	b := mailbox.Box{Low: o.Settings.Current.Addr().Less(o.Settings.Peer.Addr()), Lifetime: o.toldLifetime()}
	if !direct {
		b.Connections = o.Coverage
	}
	return b
}

func (o *Observer) toldLifetime() time.Duration { return cmp.Or(o.reportLifetime, mailbox.Lifetime) }

// Difference names settings that must be equal on both nodes. Stable: it is in the JSON.
type Difference string

// The differences. One of DifferOther is told where it is none of the others.
const (
	DifferBuffers Difference = "buffers" // Send or Receive Buffer Size of a link
	DifferCache   Difference = "external-cache"
	DifferMode    Difference = "mode"
	DifferOther   Difference = "other"
)

// differ compares the settings here with what the peer told of its own.
func differ(own conntrackd.Settings, direct bool, mode mailbox.Mode, told mailbox.Report) (d []Difference) {
	buffers, all := conntrackd.NewSettingTable().Digests(own)
	if told.Settings == 0 || !own.Complete() {
		return nil
	}
	if told.Buffers != buffers {
		d = append(d, DifferBuffers)
	}
	if told.Direct != direct {
		d = append(d, DifferCache)
	}
	if modesDiffer(mode, told.Mode) {
		d = append(d, DifferMode)
	}
	if d == nil && told.Settings != all {
		d = append(d, DifferOther)
	}
	return d
}

// reportUnread says that the peer's report was never read.
func (o *Observer) reportUnread() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reportReadAt.IsZero()
}

// PeerTold is the peer's newest report, of a daemon whose file has the settings; nil where
// there is none that it still stands by, or it cannot be read.
func (o *Observer) PeerTold(ctx context.Context) *mailbox.Told {
	if !o.Settings.Complete() {
		return nil
	}
	told, _, err := o.box(!o.Settings.ExternalCache).Peer(ctx)
	if err != nil || told == nil || told.Age > o.toldLifetime() {
		return nil
	}
	return told
}

// readReport reads the peer's newest report.
func (o *Observer) readReport(ctx context.Context) coverage.Told {
	o.mu.Lock()
	direct := len(o.readings) > 0 && o.readings[len(o.readings)-1].Direct
	o.mu.Unlock()
	told, external, err := o.box(direct).Peer(ctx)
	if err != nil {
		told = nil // what cannot be read was not told
	}
	o.mu.Lock()
	o.told, o.external, o.reportReadAt = told, external, time.Now()
	o.mu.Unlock()
	if told == nil {
		return coverage.Told{}
	}
	_, all := conntrackd.NewSettingTable().Digests(o.Settings)
	differs := told.Settings != 0 && o.Settings.Complete() && told.Settings != all
	return coverage.Told{Known: told.Age <= o.toldLifetime(), Connections: ownOf(told.Report), Differs: differs, SettledAfter: told.Age + told.Counted + toldMargin}
}

// holds says what both nodes hold, at a look at the connections.
func (o *Observer) holds(e *evidence, c coverage.Coverage) (h Holding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h.External, h.OnPeer, h.Of = o.external, -1, -1
	if o.told == nil || o.told.Age+time.Since(o.reportReadAt) > o.toldLifetime() {
		return h
	}
	h.Told = &mailbox.Told{Report: o.told.Report, Age: o.told.Age + time.Since(o.reportReadAt)}
	h.Differ = differ(o.Settings, e.last().Direct, e.ownMode(), o.told.Report)
	of := min(c.Settled, c.Survive)
	held, unclear := 0, Unclear("")
	if h.Told.Direct {
		held, unclear = inKernel(h.Told.Report, c.Peers, e.last().PeersAtMost(), of)
	} else {
		held, unclear = inCache(h.Told.Report, c.Role, of)
	}
	if h.Unclear = unclear; unclear == "" {
		h.Of, h.OnPeer = of, min(of, held)
	}
	return h
}

// inKernel is how many of this node's connections the peer's kernel holds, of so many. peers are
// the entries here that the peer's daemon has put here, written how many it can have here at most.
func inKernel(r mailbox.Report, peers int, written uint64, of int) (held int, unclear Unclear) {
	// What the peer's daemon has in its own cache too is the peer's, as far as entries here
	// came from it: a daemon that was restarted has taken all of its kernel's.
	theirs := min(ownOf(r), peers, int(min(written, 1<<30)))
	held = max(int(r.Kernel)-theirs, 0)
	if r.Refused > 0 && held >= of && of > 0 {
		return 0, UnclearRefused
	}
	return held, ""
}

// inCache is inKernel of a peer with an external cache. One that has become primary has
// committed it: what it held is among its own connections then. role is this node's.
func inCache(r mailbox.Report, role coverage.Role, of int) (held int, unclear Unclear) {
	cached, all := int(r.External), int(r.External)+int(r.Kernel)
	switch mayCommit := r.Hook != mailbox.HookUnseen && r.Hook != mailbox.HookFails; {
	case cached >= of, !mayCommit, role == coverage.RolePrimary, r.Cause == mailbox.CauseCacheFull:
		return cached, ""
	case role == coverage.RoleBackup && all >= of:
		return of, ""
	case role == coverage.RoleBackup: // what it lacks has ended there since
		return 0, UnclearCommitted
	case all < of: // whatever it has committed
		return all, ""
	}
	return 0, UnclearCommitted
}

// ownOf is how many connections the peer has in its own cache.
func ownOf(r mailbox.Report) int { return r.SpeaksFor() }

func readNumber(path string) (int, bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(content)))
	return n, err == nil
}

// Tell leaves this node's numbers for the peer, as they are now. It is for after an
// observation, and works in the network namespace of the calling thread.
func (o *Observer) Tell(ctx context.Context) error {
	e := o.gather(ctx)
	if e.coverage != nil && time.Since(e.coverage.Time) > mailbox.MaxCounted {
		_, _ = o.Coverage.LookNow(ctx) // gather has its answer
		e = o.gather(ctx)
	}
	switch {
	case e.serviceErr != nil:
		return e.serviceErr
	case e.countersErr != nil:
		return e.countersErr
	case !e.service.Active || len(e.readings) == 0:
		return fmt.Errorf("tell the peer what is here: conntrackd does not run")
	case e.coverageErr != nil:
		return fmt.Errorf("tell the peer what is here: %w", e.coverageErr)
	case e.coverage == nil || e.coverage.Pending:
		return fmt.Errorf("tell the peer what is here: the connections were not counted yet")
	}
	if e.deafBefore(e.coverage.Time) {
		return fmt.Errorf("tell the peer what is here: no message of it arrived in the %d s before the connections were counted", toldMargin/time.Second)
	}
	r := e.report()
	r.Daemon = o.ownVersion(ctx, e.service)
	if o.Settings.Complete() {
		r.Buffers, r.Settings = conntrackd.NewSettingTable().Digests(o.Settings)
	}
	r.Host = o.ownHost(ctx)
	box := o.box(e.last().Direct)
	if err := o.silenced(box, r); err != nil {
		return err
	}
	return box.Leave(ctx, r)
}

// deafBefore says that nothing of the peer arrived in the toldMargin before a time, as far as
// there are readings: an FTFW node sends each second. What is here then lacks what the peer
// sends again later, and the peer would take it for lost.
func (e evidence) deafBefore(t time.Time) bool {
	var from, to *control.Counters
	for i := range e.readings {
		switch r := &e.readings[i]; {
		case !r.Time.After(t.Add(-toldMargin)):
			from = r
		case !r.Time.After(t) || to == nil: // one from afterwards where there is no other
			to = r
		}
	}
	return e.reliable() && from != nil && to != nil && to.PacketsRecv == from.PacketsRecv
}

// report is what the peer wants to know.
func (e evidence) report() mailbox.Report {
	c := e.coverage
	// What began here and is in no cache is nothing that the peer may look for here.
	here, foreign := c.Here()-c.Begun+c.ToHere, c.Peers+c.Missing+c.Young-c.Begun+c.ToHere
	r := mailbox.Report{
		Direct: e.last().Direct, Mode: e.ownMode(), Cause: e.shortage(), Refused: clip(e.refused()),
		Counted: e.now.Sub(c.Time), Kernel: clip(uint64(here)), Foreign: clip(uint64(foreign)), External: clip(uint64(e.holding.External)), Limit: uint32(e.conntrackMax),
	}
	if !r.Direct {
		r.Limit = uint32(e.hashLimitSet)
	}
	return r
}

func clip(n uint64) uint32 { return uint32(min(n, 1<<32-1)) }

// hostEvery is how long what Host said holds.
const hostEvery = 15 * time.Second

// ownHost is what Host says, which is not asked at each look.
func (o *Observer) ownHost(ctx context.Context) mailbox.Host {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Host != nil && time.Since(o.hostAt) > hostEvery {
		o.host = o.Host(ctx)
		if ctx.Err() == nil {
			o.hostAt = time.Now()
		}
	}
	return o.host
}

// uncommitted says that nothing takes the peer's external cache into its kernel at a
// failover, as it told.
func (h Holding) uncommitted() bool {
	return h.Told != nil && !h.Told.Direct && (h.Told.Hook == mailbox.HookUnseen || h.Told.Hook == mailbox.HookFails)
}

// judgeUncommitted is for connections that the peer has where no packet finds them.
func (e evidence) judgeUncommitted() judgement {
	kept := fmt.Sprintf("the peer keeps %s in its external cache, and ", plural.Of(e.coverage.Uncommitted, "connection", "connections"))
	if e.holding.Told.Hook == mailbox.HookFails {
		return judgement{VerdictPartial, kept + "its keepalived does not run connsync failover primary, which commits them at a failover",
			"on the peer, run connsync check, which says the lines for keepalived.conf"}
	}
	return judgement{VerdictUnknown, kept + "nothing was seen there that commits them at a failover",
		"on the peer, have what moves the addresses run connsync failover primary when they come; this is seen once connsync failover has run there"}
}

// takeFrom takes from those of the connections that survive what the peer does not hold, holds in
// vain, and may not hold any more.
func (h Holding) takeFrom(c *coverage.Coverage) {
	c.NotHeld = h.Of - h.OnPeer
	c.Survive -= c.NotHeld
	if h.uncommitted() {
		c.Uncommitted, c.Survive, c.BeginAgain = c.Survive, 0, 0
	}
	c.Unclear = c.Aged
	if h.Unclear == UnclearRefused {
		c.Unclear += int(min(h.Told.Refused, 1<<30)) // they may be others
	}
	c.Unclear = min(c.Unclear, c.Survive)
	c.Survive -= c.Unclear
	c.BeginAgain = min(c.BeginAgain, c.Survive)
}

// judgeAged is for connections that expire on the peer, where nobody says that they are there.
func (e evidence) judgeAged() judgement {
	return judgement{VerdictUnknown, fmt.Sprintf("%s longer ago than the peer's kernel keeps an entry of which it gets no news, and nothing is seen to refresh them there",
		plural.Of(e.coverage.Unclear, "connection began", "connections began")), "run " + e.called.Command("refresh", "--every", "auto", "--background") + ", on both nodes"}
}

// judgeUnclear is for states that the peer's kernel refused, of which nobody knows whether
// they are connections that need to survive.
func (e evidence) judgeUnclear() judgement {
	return judgement{VerdictUnknown, fmt.Sprintf("the peer's kernel refused %s, and what it reported does not show whether a connection of this node is among them",
		plural.Of(uint64(e.holding.Told.Refused), "state", "states")), "on the peer, run connsync status, which asks for them again"}
}

// judgeTold is for connections that the peer says it does not hold.
func (e evidence) judgeTold() judgement {
	h := e.holding
	told := h.Told
	j := judgement{Verdict: VerdictPartial, Next: "on the peer, run connsync status"}
	lacks := fmt.Sprintf("the peer holds only %d of the %s of this node", h.OnPeer, plural.Of(h.Of, "connection", "connections"))
	switch told.Cause {
	case mailbox.CauseTableFull:
		j.Cause = fmt.Sprintf("%s: its kernel's connection table of %d entries is full", lacks, told.Limit)
		j.Next = fmt.Sprintf("raise net.netfilter.nf_conntrack_max to %d (sysctl -w), on both nodes", 2*uint64(told.Limit))
	case mailbox.CauseCacheFull:
		j.Cause = fmt.Sprintf("%s: its external cache is full, for HashLimit is %d there", lacks, told.Limit)
		j.Next = "on the peer, raise HashLimit in conntrackd.conf to twice its nf_conntrack_max"
	case mailbox.CauseNotWritten:
		j.Cause = fmt.Sprintf("%s: its kernel refused %s", lacks, plural.Of(uint64(told.Refused), "state", "states"))
	default:
		j.Cause = lacks + ": the others were removed or expired there, or were not sent since conntrackd was started here"
		j.Next = "send them again (conntrackd -B), after every start of conntrackd too, and see who empties the connection table on the peer"
	}
	return j
}
