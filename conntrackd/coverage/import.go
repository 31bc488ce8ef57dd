package coverage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// ErrInput means that what was to be compared is not an export, or only a part of one.
var ErrInput = errors.New("the input is not a whole export")

const (
	mostEntries = 2_000_000 // of an export that is read
	longestLine = 512       // bytes, more than any entry has
)

// Exported are the entries of an export, ready to be compared.
type Exported struct {
	Time    time.Time // when it was made; zero where it is a list of conntrack's
	Ended   int       // entries that ended while it was made, which are not compared
	entries []exportedEntry
	index   []moving // by originalKey, once all entries are there
}

type exportedEntry struct {
	Entry
	moved, ended bool // while it was made
}

// Len is how many entries are to be compared.
func (x *Exported) Len() int { return len(x.entries) - x.Ended }

// ReadExport reads what [Export] has written, or a list of conntrack's (conntrack -L). It
// comes from outside: its size is bounded, and a line that is not understood is an
// [ErrInput], as is an end that is not there.
func ReadExport(r io.Reader) (*Exported, error) {
	x := &Exported{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, longestLine), longestLine)
	number, state := 0, importState{}
	for lines.Scan() {
		number++
		if !x.take(lines.Bytes(), &state) {
			return nil, fmt.Errorf("%w: line %d is not understood", ErrInput, number)
		}
		if len(x.entries) > mostEntries {
			return nil, fmt.Errorf("%w: it has more than %d entries", ErrInput, mostEntries)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%w: line %d is too long", ErrInput, number+1)
	case err != nil:
		return nil, fmt.Errorf("read the export: %w", err)
	case state.headed && !state.ended:
		return nil, fmt.Errorf("%w: it ends too early", ErrInput)
	case !state.headed && len(x.entries) == 0:
		return nil, fmt.Errorf("%w: it has no entries", ErrInput)
	}
	x.sort()
	return x, nil
}

// importState is how far an export was read.
type importState struct{ headed, again, ended bool }

// take reads a line; false where it is not understood.
func (x *Exported) take(line []byte, s *importState) bool {
	if rest, ok := bytes.CutPrefix(line, []byte(exportHead)); ok {
		at, err := time.Parse(time.RFC3339, string(rest))
		first := !s.headed && len(x.entries) == 0
		x.Time, s.headed = at, true
		return err == nil && first
	}
	if len(line) > 0 && line[0] == '#' {
		return s.headed && !s.ended && x.takeMark(line, s)
	}
	var e Entry
	switch {
	case s.ended || !e.parseText(line):
		return false
	case !s.again:
		if s.headed || !e.ending() {
			x.entries = append(x.entries, exportedEntry{Entry: e})
		}
		return true
	}
	at, known := x.find(&e)
	if known {
		entry := &x.entries[at]
		entry.Entry, entry.moved = e, true
	}
	return known
}

// takeMark reads a line that is none of an entry.
func (x *Exported) takeMark(line []byte, s *importState) bool {
	if string(line) == exportAgain {
		again := s.again
		s.again = true
		x.sort()
		return !again
	}
	if rest, ok := bytes.CutPrefix(line, []byte(exportGone)); ok {
		place, ok := decimal(rest, math.MaxInt32)
		if !ok || !s.again || place >= uint64(len(x.entries)) || x.entries[place].ended {
			return false
		}
		x.entries[place].ended = true
		x.Ended++
		return true
	}
	if rest, ok := bytes.CutPrefix(line, []byte(exportEnd)); ok {
		count, ok := decimal(rest, math.MaxInt32)
		s.ended = true
		return ok && s.again && count == uint64(len(x.entries))
	}
	return false
}

func (x *Exported) sort() {
	x.index = x.index[:0]
	for i := range x.entries {
		x.index = append(x.index, moving{key: x.entries[i].originalKey(seed), place: i})
	}
	slices.SortFunc(x.index, moving.compare)
}

// find returns the place of the entry with the same original direction.
func (x *Exported) find(e *Entry) (place int, known bool) {
	at, known := slices.BinarySearchFunc(x.index, moving{key: e.originalKey(seed)}, moving.compare)
	if !known {
		return 0, false
	}
	return x.index[at].place, true
}
