package coverage

import (
	"context"
	"errors"
	"strings"
	"time"

	"connsync/conntrackd/control"
)

// Comparison says which entries of an export this node holds.
type Comparison struct {
	Total  int  `json:"total"`          // entries that were compared
	Held   int  `json:"held"`           // here, and equal
	Moving int  `json:"moving"`         // here, and in another state, which was changing meanwhile
	Differ int  `json:"differ"`         // here, and not equal
	Absent int  `json:"absent"`         // not here
	Ended  int  `json:"ended"`          // ended during the export, and not compared
	Cache  bool `json:"external_cache"` // the external cache was searched, too
	// Sample are the first that are not here or not equal.
	Sample []Difference `json:"-"`
}

// Lost is how many connections a failover to this node would not keep as they are.
func (c Comparison) Lost() int { return c.Differ + c.Absent }

// Difference is an entry that this node does not hold as the other one does.
type Difference struct {
	Entry
	What string // "absent", or what differs: NAT, state, mark
}

// Comparer compares exports with what this node holds.
type Comparer struct {
	// Client is of this node's daemon, whose external cache counts as well as the kernel's
	// table; nil for the table alone.
	Client *control.Client
	Most   int // how many entries of [Comparison.Sample] are kept
}

// found is what became of an entry of the export.
type found struct {
	held bool
	what string // blank where it is held or was not found
}

// Compare compares x with the table of the network namespace of the calling thread. What is
// not here, or is not equal, is looked for again a second later.
func (c Comparer) Compare(ctx context.Context, x *Exported) (Comparison, error) {
	result := Comparison{Total: x.Len(), Ended: x.Ended}
	all := make([]found, len(x.entries))
	cached, err := c.hasCache(ctx)
	if err != nil {
		return result, err
	}
	result.Cache = cached
	for again := range 2 {
		if again > 0 {
			select {
			case <-ctx.Done():
				return result, ctx.Err()
			case <-time.After(secondLook):
			}
		}
		if err := c.search(ctx, x, all, cached); err != nil {
			return result, err
		}
		if result.count(x, all, c.Most); result.Held == result.Total {
			break
		}
	}
	return result, nil
}

// hasCache says whether the daemon here keeps the peer's entries in an external cache. Where
// none runs there is none.
func (c Comparer) hasCache(ctx context.Context) (bool, error) {
	if c.Client == nil {
		return false, nil
	}
	tables, err := c.Client.Tables(ctx)
	if errors.Is(err, control.ErrNotListening) || errors.Is(err, control.ErrStatsMode) {
		return false, nil
	}
	return err == nil && !tables.Direct, err
}

// search looks for all entries that were not held at the last search.
func (c Comparer) search(ctx context.Context, x *Exported, all []found, cached bool) error {
	for i := range all {
		all[i].what = ""
	}
	see := func(e *Entry, whole bool) {
		place, known := x.find(e)
		if !known || all[place].held {
			return
		}
		all[place].what = difference(&x.entries[place].Entry, e, whole)
		all[place].held = all[place].what == ""
	}
	if err := Dump(ctx, func(e *Entry) { see(e, true) }); err != nil || !cached {
		return err
	}
	var e Entry
	return c.Client.DumpExternal(ctx, func(line []byte) {
		if _, ok := e.ParsePeers(line); ok {
			see(&e, false)
		}
	})
}

// difference says what is not equal of two entries with one original direction. Of one
// that is not whole the replies' addresses are not known, as in the external cache, which
// lists no NAT that it has.
func difference(there, here *Entry, whole bool) string {
	var what []string
	if whole && there.key(seed) != here.key(seed) {
		what = append(what, "NAT")
	}
	if there.HasState && here.HasState && there.State != here.State {
		what = append(what, "state "+here.StateName()+" here")
	}
	if there.Mark != here.Mark {
		what = append(what, "mark")
	}
	return strings.Join(what, ", ")
}

// count sums up.
func (c *Comparison) count(x *Exported, all []found, most int) {
	c.Held, c.Moving, c.Differ, c.Absent, c.Sample = 0, 0, 0, 0, nil
	for i, f := range all {
		e := &x.entries[i]
		switch {
		case e.ended:
			continue
		case f.held:
			c.Held++
			continue
		case f.what == "":
			c.Absent++
			f.what = "absent"
		case e.moved && strings.HasPrefix(f.what, "state ") && !strings.Contains(f.what, ","):
			c.Moving++
			continue
		default:
			c.Differ++
		}
		if len(c.Sample) < most {
			c.Sample = append(c.Sample, Difference{e.Entry, f.what})
		}
	}
}
