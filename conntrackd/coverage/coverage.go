package coverage

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Role is what this node is for the connections at the moment.
type Role string

// The roles. In a pair whose states go into the kernel, a backup's table has the
// peer's entries, which its own cache has not; those of a primary that are not in its
// cache are lost at the next failover.
const (
	RolePrimary Role = "primary"
	RoleBackup  Role = "backup"
	RoleUnknown Role = "unknown"
)

// Counts are conntrack entries by what would become of them if this node died now.
type Counts struct {
	Survive  int `json:"survive"`  // in conntrackd's cache
	Young    int `json:"young"`    // began since the look before, a second or more ago, and not in the cache yet
	Filtered int `json:"filtered"` // filtered by the file
	Missing  int `json:"missing"`  // not in the cache, at two looks
}

// Total is how many need to survive.
func (c Counts) Total() int { return c.Survive + c.Young + c.Filtered + c.Missing }

// Lost is how many would not survive.
func (c Counts) Lost() int { return c.Filtered + c.Missing }

func (c *Counts) add(o outcome) {
	switch o {
	case survives:
		c.Survive++
	case young:
		c.Young++
	case filtered:
		c.Filtered++
	case missing:
		c.Missing++
	}
}

// Kind are the counts of one protocol.
type Kind struct {
	Family   string `json:"family"`   // ipv4 or ipv6
	Protocol string `json:"protocol"` // a name as conntrack prints it, or a number
	Counts
}

// FilteredBy is how many entries a place in the file keeps out.
type FilteredBy struct {
	Rule
	Entries int `json:"entries"`
}

// Coverage is one look at the connections of this node.
type Coverage struct {
	Counts
	Time  time.Time
	Took  time.Duration
	Table int // entries in the kernel's table, of any kind
	Ended int // connections that are over, or end at once: they need not survive
	Peers int // entries that the peer's daemon has put there
	// ToHere are entries that the peer's daemon has put there although they end at this node: of
	// connections that reach it through the peer. They are in no other number.
	ToHere int
	Unsure int // those of Missing that may be the peer's: nothing shows whose they are
	Begun  int // those of Missing and Young that began here, or are in the cache in an earlier state: none of the peer's
	Stale  int // those of Missing that are in the cache in a state that lasts less
	Zoned  int // those of Missing that are in the cache and have a zone that is not sent
	Tied   int // those of Missing that are in the cache, and that NAT ties to an address which the peer does not get, such as TiedTo
	TiedTo netip.Addr
	// Undecided are those that the file keeps out, of this node or of the peer: a daemon wrote
	// them, and nothing shows whose they are. They are in no other number. UndecidedBy keeps out
	// the most of them.
	Undecided   int
	UndecidedBy Rule
	Role        Role // by which Peers was decided
	Pending     bool // what is not in the cache needs a second look, a second later
	// Unacknowledged are those of Survive that the peer has not acknowledged while it
	// confirms nothing; the caller knows, and takes them from Survive.
	Unacknowledged int
	// NotHeld are those of Survive that the peer says it does not hold; the caller knows,
	// and takes them from Survive.
	NotHeld int
	// Uncommitted are those of Survive that the peer keeps in its external cache while
	// nothing there takes them into the kernel at a failover; the caller knows, and takes
	// them from Survive.
	Uncommitted int
	// Aged are those of Survive that began longer ago than their entry lives on the peer, where
	// nothing is seen that keeps it alive there, and the peer has not counted it since; see
	// [Looker.Lifetimes].
	Aged int
	// Unclear are those of Survive of which nothing shows that the peer still has them; the
	// caller knows, and takes them from Survive.
	Unclear int
	Settled int // those of Survive that were in the cache for as long as [Told.SettledAfter] said
	// BeginAgain are those of Survive whose kind continues at the peer only where its
	// rules let a connection begin: GRE, and SCTP without TCPWindowTracking.
	BeginAgain int
	Kinds      []Kind // in order of their size
	Rules      []FilteredBy
	Sample     []LostEntry // the first of those that would be lost; see [Looker.Most]
	Cause      string      // why entries are missing, one sentence; blank where none is
	Next       string      // what to do; blank where no step is needed
}

// Own is how many connections of this node need to survive. [Counts.Total] is without those
// that were taken from Survive.
func (c *Coverage) Own() int {
	return c.Total() + c.Unacknowledged + c.NotHeld + c.Uncommitted + c.Unclear
}

// Here is how many connections this kernel holds, this node's and the peer's, that the
// file does not keep out.
func (c *Coverage) Here() int {
	return c.Own() - c.Filtered + c.Peers
}

// ByProtocol says how many connections of each protocol there are, the largest number
// first, such as "tcp 90, udp 12".
func (c *Coverage) ByProtocol() string {
	var names []string
	counts := map[string]int{}
	for _, k := range c.Kinds {
		if counts[k.Protocol] == 0 {
			names = append(names, k.Protocol)
		}
		counts[k.Protocol] += k.Total()
	}
	slices.SortStableFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}

// LostEntry is an entry that would not survive.
type LostEntry struct {
	Entry
	Rule Rule // that filters it; zero where it is missing
}

// outcome is the class of an entry that needs to survive.
type outcome int

const (
	survives outcome = iota // in the cache
	young                   // not in the cache as it is, and not seen so before
	filtered                // by the file
	missing                 // not in the cache as it is, and seen so before
)

// kindKey is a [Kind] while it is counted.
type kindKey struct {
	is4      bool
	protocol uint8
}

// tally counts during a look.
type tally struct {
	kinds map[kindKey]*Counts
	rules map[Rule]int
}

func newTally() *tally { return &tally{map[kindKey]*Counts{}, map[Rule]int{}} }

func (t *tally) add(e *Entry, o outcome, rule Rule) {
	key := kindKey{e.Original.Source.Is4(), e.Protocol}
	c := t.kinds[key]
	if c == nil {
		c = &Counts{}
		t.kinds[key] = c
	}
	c.add(o)
	if o == filtered {
		t.rules[rule]++
	}
}

// mergeInto adds what was counted to another tally.
func (t *tally) mergeInto(other *tally) {
	for key, counts := range t.kinds {
		sum := other.kinds[key]
		if sum == nil {
			sum = &Counts{}
			other.kinds[key] = sum
		}
		sum.Survive += counts.Survive
		sum.Young += counts.Young
		sum.Filtered += counts.Filtered
		sum.Missing += counts.Missing
	}
	for rule, n := range t.rules {
		other.rules[rule] += n
	}
}

// into fills in the counts.
func (t *tally) into(c *Coverage) {
	for key, counts := range t.kinds {
		family := "ipv6"
		if key.is4 {
			family = "ipv4"
		}
		c.Kinds = append(c.Kinds, Kind{family, ProtocolName(key.protocol), *counts})
		c.Survive += counts.Survive
		c.Young += counts.Young
		c.Filtered += counts.Filtered
		c.Missing += counts.Missing
	}
	slices.SortFunc(c.Kinds, func(a, b Kind) int {
		if n := b.Total() - a.Total(); n != 0 {
			return n
		}
		return strings.Compare(a.Family+a.Protocol, b.Family+b.Protocol)
	})
	for rule, n := range t.rules {
		c.Rules = append(c.Rules, FilteredBy{rule, n})
	}
	slices.SortFunc(c.Rules, func(a, b FilteredBy) int {
		if a.Entries != b.Entries {
			return b.Entries - a.Entries
		}
		return a.Line - b.Line
	})
}
