package firewall

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nftSet is a set or a map with its elements.
type nftSet struct {
	keySize  int
	interval bool // elements are boundaries, or with several fields ranges
	fields   []int
	elements []element
	most     int  // elements; 0 for any number
	unsure   bool // there is more to a new element than its key, such as a limit
	// What rules do to it for a packet that is followed.
	grows, shrinks bool
	found          map[string]found // by key: many rules ask for the same
}

// found is what looking a key up has found.
type found struct {
	in      truth
	element *element // nil where it may be another
}

// element is one entry of a set; a boundary where the set has intervals.
type element struct {
	key, end    []byte // end is nil but for ranges of several fields
	intervalEnd bool
	other       bool // stands for every key that is not in the set
	unsure      bool // it may not match, because of a limit
	data        []byte
	verdict     *expr.Verdict
}

// readSet reads a set by its name.
func readSet(ctx context.Context, family nftables.TableFamily, table, name string) (*nftSet, error) {
	about, err := askNft(ctx, unix.NFT_MSG_GETSET, family, unix.NLM_F_ACK,
		named(unix.NFTA_SET_TABLE, table), named(unix.NFTA_SET_NAME, name))
	if err != nil {
		return nil, err
	}
	if len(about) != 1 {
		return nil, fmt.Errorf("%d answers about the set %s", len(about), name)
	}
	const oneExpression, expressions = 17, 18 // NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS
	s := &nftSet{}
	for _, attr := range about[0].attributes {
		switch attr.Attr.Type {
		case unix.NFTA_SET_FLAGS:
			s.interval = number(attr.Value)&unix.NFT_SET_INTERVAL != 0
		case unix.NFTA_SET_KEY_LEN:
			s.keySize = int(number(attr.Value))
		case unix.NFTA_SET_DESC:
			s.readFields(attr.Value)
		case oneExpression, expressions:
			s.unsure = !onlyCount(attr.Value, attr.Attr.Type == expressions)
		}
	}
	lists, err := askNft(ctx, unix.NFT_MSG_GETSETELEM, family, unix.NLM_F_DUMP,
		named(unix.NFTA_SET_ELEM_LIST_TABLE, table), named(unix.NFTA_SET_ELEM_LIST_SET, name))
	if err != nil {
		return nil, err
	}
	for _, l := range lists {
		for _, attr := range l.attributes {
			if attr.Attr.Type != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				continue
			}
			if err := s.readElements(attr.Value); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// onlyCount says whether an expression of a set or of its element, or a list of them,
// always matches.
func onlyCount(b []byte, list bool) bool {
	parts, err := attributes(b)
	for _, p := range parts {
		if name := textOf(p.Value); list && !onlyCount(p.Value, false) || !list && p.Attr.Type == unix.NFTA_EXPR_NAME && name != "counter" && name != "last" {
			return false
		}
	}
	return err == nil
}

// readFields reads how many elements there may be, and the sizes of a concatenation's
// parts.
func (s *nftSet) readFields(b []byte) {
	const size, concat = 1, 2 // NFTA_SET_DESC_SIZE, NFTA_SET_DESC_CONCAT
	list, _ := attributes(b)
	for _, attr := range list {
		if attr.Attr.Type == size {
			s.most = int(number(attr.Value))
		}
		if attr.Attr.Type != concat {
			continue
		}
		fields, _ := attributes(attr.Value)
		for _, f := range fields {
			if size, _ := attributes(f.Value); len(size) == 1 {
				s.fields = append(s.fields, int(number(size[0].Value)))
			}
		}
	}
}

func (s *nftSet) readElements(b []byte) error {
	const oneExpression, keyEnd, expressions = 7, 10, 11 // NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_KEY_END, NFTA_SET_ELEM_EXPRESSIONS
	const catchAll = 2                                   // NFT_SET_ELEM_CATCHALL
	list, err := attributes(b)
	if err != nil {
		return err
	}
	for _, item := range list {
		parts, err := attributes(item.Value)
		if err != nil {
			return err
		}
		var e element
		for _, p := range parts {
			switch p.Attr.Type {
			case unix.NFTA_SET_ELEM_KEY:
				e.key, _ = readData(p.Value)
			case keyEnd:
				e.end, _ = readData(p.Value)
			case oneExpression, expressions:
				e.unsure = !onlyCount(p.Value, p.Attr.Type == expressions)
			case unix.NFTA_SET_ELEM_DATA:
				e.data, e.verdict = readData(p.Value)
			case unix.NFTA_SET_ELEM_FLAGS:
				flags := number(p.Value)
				e.intervalEnd, e.other = flags&unix.NFT_SET_ELEM_INTERVAL_END != 0, flags&catchAll != 0
			}
		}
		s.elements = append(s.elements, e)
	}
	return nil
}

// readData reads a value, or a verdict.
func readData(b []byte) ([]byte, *expr.Verdict) {
	list, _ := attributes(b)
	for _, attr := range list {
		switch attr.Attr.Type {
		case unix.NFTA_DATA_VALUE:
			return attr.Value, nil
		case unix.NFTA_DATA_VERDICT:
			v := &expr.Verdict{}
			parts, _ := attributes(attr.Value)
			for _, p := range parts {
				switch {
				case p.Attr.Type == unix.NFTA_VERDICT_CODE && len(p.Value) == 4:
					v.Kind = expr.VerdictKind(int32(binary.BigEndian.Uint32(p.Value)))
				case p.Attr.Type == unix.NFTA_VERDICT_CHAIN:
					v.Chain = textOf(p.Value)
				}
			}
			return nil, v
		}
	}
	return nil, nil
}

// hasRoom says whether a new element certainly finds a place. Elements whose time is
// over take theirs for a while longer, and are not listed.
func (s *nftSet) hasRoom() bool { return s.most == 0 || 2*len(s.elements) < s.most }

// look looks a key up: whether it is in the set, and which element that is, where it
// can be no other. Where nothing else matches, the element for all other keys does.
func (s *nftSet) look(k *work, key value) (truth, *element) {
	name := string(key.bytes) + string(key.known)
	f, ok := s.found[name]
	if !ok {
		if !k.spend(1 + len(s.elements)/elementsPerRule) {
			return maybe, nil
		}
		f.in, f.element = s.find(key)
		switch e := f.element; {
		case e == nil:
			f.in = f.in.unless(s.grows)
		case s.grows && e.other:
			f.in, f.element = maybe, nil
		default:
			f.in = f.in.unless(s.shrinks || e.unsure)
		}
		if s.found == nil {
			s.found = make(map[string]found)
		}
		s.found[name] = f
	}
	return f.in, f.element
}

func (s *nftSet) find(key value) (truth, *element) {
	var other *element
	for i := range s.elements {
		if s.elements[i].other {
			other = &s.elements[i]
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

func (s *nftSet) search(key value) (truth, *element) {
	if s.interval && len(s.fields) < 2 {
		return s.searchIntervals(key)
	}
	found := no
	for i := range s.elements {
		e := &s.elements[i]
		if e.other {
			continue
		}
		in := maybe
		switch {
		case len(e.end) == 0:
			in = key.equals(e.key)
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
func (s *nftSet) inRanges(key value, e *element) truth {
	in, at := yes, 0
	for _, size := range s.fields {
		if at+size > len(e.key) || at+size > len(e.end) || at+size > len(key.bytes) {
			return maybe
		}
		in = in.and(key.part(at, size).within(e.key[at:at+size], e.end[at:at+size]))
		at += (size + 3) &^ 3
	}
	return in
}

// searchIntervals is for sets whose elements are the starts and, marked, the
// exclusive ends of ranges, in any order.
func (s *nftSet) searchIntervals(key value) (truth, *element) {
	if !key.whole() {
		return maybe, nil
	}
	var best *element
	for i := range s.elements {
		e := &s.elements[i]
		if e.other {
			continue
		}
		if len(e.end) > 0 || len(e.key) != len(key.bytes) {
			return maybe, nil
		}
		// The nearest boundary at or below the key decides; where a range ends
		// and the next begins, the beginning.
		if bytes.Compare(e.key, key.bytes) > 0 || best != nil && bytes.Compare(e.key, best.key) < 0 {
			continue
		}
		if best != nil && bytes.Equal(e.key, best.key) && e.intervalEnd {
			continue
		}
		best = e
	}
	if best == nil || best.intervalEnd {
		return no, nil
	}
	return yes, best
}
