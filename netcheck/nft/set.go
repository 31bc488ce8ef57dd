package nft

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Set is a set or a map with its elements.
type Set struct {
	KeySize  int
	Interval bool  // elements are boundaries, or with several fields ranges
	Fields   []int // the sizes of a concatenation's parts
	Elements []Element
	Most     int  // elements; 0 for any number
	Unsure   bool // there is more to a new element than its key, such as a limit
}

// Element is one entry of a set; a boundary where the set has intervals.
type Element struct {
	Key, End    []byte // End is nil but for ranges of several fields
	IntervalEnd bool
	Other       bool // stands for every key that is not in the set
	Unsure      bool // it may not match, because of a limit
	Data        []byte
	Verdict     *expr.Verdict
}

// ReadSet reads a set by its name.
func ReadSet(ctx context.Context, family nftables.TableFamily, table, name string) (*Set, error) {
	about, err := ask(ctx, unix.NFT_MSG_GETSET, family, unix.NLM_F_ACK,
		named(unix.NFTA_SET_TABLE, table), named(unix.NFTA_SET_NAME, name))
	if err != nil {
		return nil, err
	}
	if len(about) != 1 {
		return nil, fmt.Errorf("%d answers about the set %s", len(about), name)
	}
	const oneExpression, expressions = 17, 18 // NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS
	s := &Set{}
	for _, attr := range about[0].attributes {
		switch attr.Attr.Type {
		case unix.NFTA_SET_FLAGS:
			s.Interval = number(attr.Value)&unix.NFT_SET_INTERVAL != 0
		case unix.NFTA_SET_KEY_LEN:
			s.KeySize = int(number(attr.Value))
		case unix.NFTA_SET_DESC:
			s.readFields(attr.Value)
		case oneExpression, expressions:
			s.Unsure = !onlyCount(attr.Value, attr.Attr.Type == expressions)
		}
	}
	lists, err := ask(ctx, unix.NFT_MSG_GETSETELEM, family, unix.NLM_F_DUMP,
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
func (s *Set) readFields(b []byte) {
	const size, concat = 1, 2 // NFTA_SET_DESC_SIZE, NFTA_SET_DESC_CONCAT
	list, _ := attributes(b)
	for _, attr := range list {
		if attr.Attr.Type == size {
			s.Most = int(number(attr.Value))
		}
		if attr.Attr.Type != concat {
			continue
		}
		fields, _ := attributes(attr.Value)
		for _, f := range fields {
			if size, _ := attributes(f.Value); len(size) == 1 {
				s.Fields = append(s.Fields, int(number(size[0].Value)))
			}
		}
	}
}

func (s *Set) readElements(b []byte) error {
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
		var e Element
		for _, p := range parts {
			switch p.Attr.Type {
			case unix.NFTA_SET_ELEM_KEY:
				e.Key, _ = readData(p.Value)
			case keyEnd:
				e.End, _ = readData(p.Value)
			case oneExpression, expressions:
				e.Unsure = !onlyCount(p.Value, p.Attr.Type == expressions)
			case unix.NFTA_SET_ELEM_DATA:
				e.Data, e.Verdict = readData(p.Value)
			case unix.NFTA_SET_ELEM_FLAGS:
				flags := number(p.Value)
				e.IntervalEnd, e.Other = flags&unix.NFT_SET_ELEM_INTERVAL_END != 0, flags&catchAll != 0
			}
		}
		s.Elements = append(s.Elements, e)
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
