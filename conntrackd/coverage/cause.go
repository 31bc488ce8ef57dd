package coverage

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/control"
	"connsync/plural"
	"connsync/shell"
)

// eventsSetting is where the kernel says whether it reports new connections.
const eventsSetting = "/proc/sys/net/netfilter/nf_conntrack_events"

// circumstances are what tells why entries are missing from the cache.
type circumstances struct {
	eventsOff bool // nf_conntrack_events is 0
	pollSecs  int
	pollLine  int
	internal  uint64 // entries in the cache
	limit     int    // HashLimit
	limitLine int
	noSpace   uint64 // entries refused for lack of room, since the daemon's start
	overruns  uint64 // netlink overruns, since the daemon's start
	older     bool   // the daemon was started before the file was changed
	role      Role
	called    shell.Program
	direct    bool // the peer's entries are put into the kernel
	begun     int  // of the missing ones, those that are this node's for sure
}

// changeMargin is how much later than the daemon's start the file has to be changed; what
// saves it starts the daemon at once.
const changeMargin = time.Second

// older says that the daemon was started before the file was changed. The time of the
// change is the kernel's (ctime), which a copy or a restore cannot keep. A chmod or chown
// sets it too, so that the content decides where it is known.
func (l *Looker) older() bool {
	var file unix.Stat_t
	if l.since.IsZero() || unix.Stat(l.File.Name(), &file) != nil {
		return false
	}
	changed := time.Unix(file.Ctim.Unix())
	if !changed.After(l.since.Add(changeMargin)) || changed.After(time.Now()) { // a clock was set
		return false
	}
	return l.AsSaved == nil || !l.AsSaved(l.since)
}

func (l *Looker) circumstances(ctx context.Context, role Role, t control.Tables) circumstances {
	s := circumstances{
		pollSecs: l.File.PollSecs(), pollLine: l.File.LineOf("General", "PollSecs"), role: role, direct: t.Direct, called: l.Called,
		internal: t.Internal, limit: l.File.HashLimit(), limitLine: l.File.LineOf("General", "HashLimit"),
	}
	s.eventsOff, s.older = EventsOff(), l.older()
	// What cannot be read is one cause less to find.
	if cache, err := l.Client.Cache(ctx); err == nil {
		s.noSpace, s.internal = cache.NoSpace, max(s.internal, cache.Internal)
	}
	if run, err := l.Client.Runtime(ctx); err == nil {
		s.overruns = run.Overruns
	}
	return s
}

// faulty says that something is seen which keeps connections out of the cache.
func (s circumstances) faulty() bool {
	return s.eventsOff || s.full() || s.pollSecs > 0 || s.overruns > 0
}

// full says that the cache is full, or was.
func (s circumstances) full() bool { return s.internal >= uint64(s.limit) || s.noSpace > 0 }

// EventsOff says that the kernel reports no connection of the network namespace of the
// calling thread; false where that cannot be read.
func EventsOff() bool {
	value, err := os.ReadFile(eventsSetting)
	return err == nil && strings.TrimSpace(string(value)) == "0"
}

// explain says why entries would be lost, and what to do. The filter comes first: what
// the file says is certain, and the rest is the likeliest cause.
func (l *Looker) explain(ctx context.Context, c Coverage, t control.Tables) (cause, next string) {
	why := l.circumstances(ctx, c.Role, t)
	why.begun = c.Begun
	var causes, steps []string
	if c.Filtered > 0 {
		causes = append(causes, filterCause(c))
		steps = append(steps, fmt.Sprintf("change line %d of %s and restart conntrackd", c.Rules[0].Line, l.File.Name()))
	}
	if lacks := c.Missing - c.Stale - c.Zoned - c.Tied; lacks > 0 {
		cause, step := why.missing(lacks)
		causes, steps = append(causes, cause), append(steps, step)
	}
	if c.Stale > 0 {
		cause, step := why.stale(c.Stale)
		if causes = append(causes, cause); !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}
	if c.Zoned > 0 {
		cause, step := zoned(c.Zoned, l.Zoneless != nil && l.Zoneless(ctx))
		causes, steps = append(causes, cause), append(steps, step)
	}
	if c.Tied > 0 {
		cause, step := tied(c.Tied, c.TiedTo)
		causes, steps = append(causes, cause), append(steps, step)
	}
	if c.Unsure > 0 {
		causes = append(causes, fmt.Sprintf("nothing shows whether %s of these came from the peer", plural.Of(c.Unsure, "connection", "connections")))
	}
	return strings.Join(causes, "; "), strings.Join(steps, "; ")
}

// zoned is why connections come to the peer in zone 0.
func zoned(n int, zoneless bool) (cause, next string) {
	which := plural.Of(n, "connection has", "connections have")
	if zoneless {
		return "conntrackd before 1.4.7 does not send the zone, which " + which, "install conntrackd 1.4.7 or later on both nodes"
	}
	return "conntrackd does not send the zone of one direction (zone-orig, zone-reply), which " + which,
		"give both directions one zone (nft: ct zone set; iptables: -j CT --zone)"
}

// tied is why connections end with the address that NAT has given them.
func tied(n int, to netip.Addr) (cause, next string) {
	return fmt.Sprintf("NAT ties %s to %v, which keepalived does not move to the peer", plural.Of(n, "connection", "connections"), to),
		fmt.Sprintf("have NAT use a virtual address (snat to it in place of masquerade), or add %v to virtual_ipaddress in keepalived.conf", to)
}

func filterCause(c Coverage) string {
	rule := c.Rules[0]
	cause := fmt.Sprintf("line %d of the file keeps out %s (%s)", rule.Line, plural.Of(rule.Entries, "connection", "connections"), rule.Text)
	if more := c.Filtered - rule.Entries; more > 0 {
		cause += fmt.Sprintf(", other lines %d", more)
	}
	return cause
}

const (
	again = "conntrackd -R and conntrackd -B"
	// heldBack is what to do where nothing is seen that keeps events from the daemon.
	heldBack = "see that no rule keeps events back (nft: ct event set; iptables: --ctevents), then run " + again
)

// missing is the likeliest cause of entries that are not in the cache.
func (s circumstances) missing(n int) (cause, next string) {
	subject := "conntrackd's cache lacks " + plural.Of(n, "connection", "connections") + ": "
	switch late, step := s.late(); {
	case s.eventsOff:
		return subject + "the kernel reports none (nf_conntrack_events is 0)",
			"run sysctl -w net.netfilter.nf_conntrack_events=1, then " + again
	case s.internal >= uint64(s.limit), s.noSpace > 0 && s.overruns == 0:
		full := "it is full"
		if s.internal < uint64(s.limit) {
			full = "it was full"
		}
		return subject + fmt.Sprintf("%s (HashLimit %d%s, %s refused)", full, s.limit, inLine(s.limitLine), plural.Of(s.noSpace, "entry", "entries")),
			"raise HashLimit in conntrackd.conf to twice nf_conntrack_max, and restart conntrackd"
	case late != "":
		return subject + late, step
	case s.notTakenOver():
		return subject + "the peer began them, and this node has not taken them over",
			"run " + s.called.Command("failover", "primary") + ", and have keepalived call it"
	}
	return subject + "their events did not reach it", heldBack
}

// notTakenOver says that all that is missing may have come from the peer, on a primary.
func (s circumstances) notTakenOver() bool { return s.direct && s.role == RolePrimary && s.begun == 0 }

// stale is the likeliest cause of entries that are in the cache in an earlier state.
func (s circumstances) stale(n int) (cause, next string) {
	subject := fmt.Sprintf("conntrackd's cache has %s in an earlier state: ", plural.Of(n, "connection", "connections"))
	if late, step := s.late(); late != "" {
		return subject + late, step
	}
	return subject + "events of later ones did not reach it", heldBack
}

// late is what makes news come late to the cache, or not at all; blank where nothing is seen.
func (s circumstances) late() (cause, next string) {
	switch {
	case s.pollSecs > 0:
		return fmt.Sprintf("conntrackd reads the kernel's table every %d s only (PollSecs%s)", s.pollSecs, inLine(s.pollLine)),
			"remove PollSecs from conntrackd.conf, and restart conntrackd"
	case s.overruns > 0:
		return fmt.Sprintf("the kernel's events overran it (netlink overruns: %d)", s.overruns),
			"in conntrackd.conf, raise NetlinkBufferSize to 2097152 and NetlinkBufferSizeMaxGrowth to 8388608, or twice what they are; until then " + again
	case s.older && !s.notTakenOver():
		return "conntrackd was started before its file was changed, and may run with other settings, such as a filter", "restart conntrackd, which reads the file then"
	}
	return "", ""
}

func inLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" in line %d", line)
}
