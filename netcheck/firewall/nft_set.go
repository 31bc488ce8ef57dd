package firewall

import (
	"bytes"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"connsync/netcheck/nft"
)

// nftSet is a set or a map with its elements.
type nftSet struct {
	nft.Set
	// What rules do to it for a packet that is followed.
	grows, shrinks bool
	found          map[string]found // by key: many rules ask for the same
}

// found is what looking a key up has found.
type found struct {
	in      truth
	element *nft.Element // nil where it may be another
}

// hasRoom says whether a new element certainly finds a place. Elements whose time is
// over take theirs for a while longer, and are not listed.
func (s *nftSet) hasRoom() bool { return s.Most == 0 || 2*len(s.Elements) < s.Most }

// look looks a key up: whether it is in the set, and which element that is, where it
// can be no other. Where nothing else matches, the element for all other keys does.
func (s *nftSet) look(k *work, key value) (truth, *nft.Element) {
	name := string(key.bytes) + string(key.known)
	f, ok := s.found[name]
	if !ok {
		if !k.spend(1 + len(s.Elements)/elementsPerRule) {
			return maybe, nil
		}
		f.in, f.element = s.find(key)
		switch e := f.element; {
		case e == nil:
			f.in = f.in.unless(s.grows)
		case s.grows && e.Other:
			f.in, f.element = maybe, nil
		default:
			f.in = f.in.unless(s.shrinks || e.Unsure)
		}
		if s.found == nil {
			s.found = make(map[string]found)
		}
		s.found[name] = f
	}
	return f.in, f.element
}

func (s *nftSet) find(key value) (truth, *nft.Element) {
	var other *nft.Element
	for i := range s.Elements {
		if s.Elements[i].Other {
			other = &s.Elements[i]
		}
	}
	in, found := s.search(key)
	if in == no && other != nil {
		return yes, other
	}
	if other != nil && in == maybe {
		return maybe, nil
	}
	return in, found
}

func (s *nftSet) search(key value) (truth, *nft.Element) {
	if s.Interval && len(s.Fields) < 2 {
		return s.searchIntervals(key)
	}
	found := no
	for i := range s.Elements {
		e := &s.Elements[i]
		if e.Other {
			continue
		}
		in := maybe
		switch {
		case len(e.End) == 0:
			in = key.equals(e.Key)
		default:
			in = s.inRanges(key, e)
		}
		switch in {
		case yes:
			return yes, e
		case maybe:
			found = maybe
		}
	}
	return found, nil
}

// inRanges is for a concatenation of ranges. Each field begins at a multiple of
// 4 bytes.
func (s *nftSet) inRanges(key value, e *nft.Element) truth {
	in, at := yes, 0
	for _, size := range s.Fields {
		if at+size > len(e.Key) || at+size > len(e.End) || at+size > len(key.bytes) {
			return maybe
		}
		in = in.and(key.part(at, size).within(e.Key[at:at+size], e.End[at:at+size]))
		at += (size + 3) &^ 3
	}
	return in
}

// searchIntervals is for sets whose elements are the starts and, marked, the
// exclusive ends of ranges, in any order.
func (s *nftSet) searchIntervals(key value) (truth, *nft.Element) {
	if !key.whole() {
		return maybe, nil
	}
	var best *nft.Element
	for i := range s.Elements {
		e := &s.Elements[i]
		if e.Other {
			continue
		}
		if len(e.End) > 0 || len(e.Key) != len(key.bytes) {
			return maybe, nil
		}
		// The nearest boundary at or below the key decides; where a range ends
		// and the next begins, the beginning.
		if bytes.Compare(e.Key, key.bytes) > 0 || best != nil && bytes.Compare(e.Key, best.Key) < 0 {
			continue
		}
		if best != nil && bytes.Equal(e.Key, best.Key) && e.IntervalEnd {
			continue
		}
		best = e
	}
	if best == nil || best.IntervalEnd {
		return no, nil
	}
	return yes, best
}

// lookup looks a key up in a set, or in a map.
func (ev *evaluation) lookup(e *expr.Lookup) (truth, *expr.Verdict) {
	in, found := maybe, (*nft.Element)(nil)
	if set, err := ev.rules.set(ev.chain.Family, ev.chain.Table, e.SetName); err == nil {
		in, found = set.look(ev.work, ev.read(e.SourceRegister, set.KeySize))
	}
	switch {
	case e.Invert:
		return in.not(), nil
	case !e.IsDestRegSet || in == no:
		return in, nil
	case e.DestRegister == unix.NFT_REG_VERDICT && found != nil && found.Verdict != nil:
		return in, found.Verdict
	case e.DestRegister == unix.NFT_REG_VERDICT:
		return maybe, &expr.Verdict{Kind: verdictUnknown}
	case found != nil && found.Data != nil:
		ev.load(e.DestRegister, known(bytes.Clone(found.Data)))
	default:
		ev.load(e.DestRegister, value{})
	}
	return in, nil
}

// dynset adds a key to a set, or deletes it. With a limit it may not match, nor where
// the set is full.
func (ev *evaluation) dynset(e *expr.Dynset) truth {
	const deletes = 2 // NFT_DYNSET_OP_DELETE
	set, err := ev.rules.set(ev.chain.Family, ev.chain.Table, e.SetName)
	if err != nil {
		return maybe
	}
	ev.rules.changed(set, e.Operation == deletes)
	if len(e.Exprs) > 0 || e.Invert || set.Unsure {
		return maybe
	}
	in, _ := set.look(ev.work, ev.read(e.SrcRegKey, set.KeySize))
	return truthOr(e.Operation == deletes || in == yes || set.hasRoom())
}
