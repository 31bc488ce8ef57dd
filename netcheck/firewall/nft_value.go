package firewall

import "bytes"

// truth is whether a condition holds.
type truth uint8

const (
	maybe truth = iota
	no
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return maybe
}

func (t truth) notIf(inverted bool) truth {
	if inverted {
		return t.not()
	}
	return t
}

// unless is what is left of the truth where something is not known.
func (t truth) unless(unknown bool) truth {
	if unknown {
		return maybe
	}
	return t
}

// and is the truth of both.
func (t truth) and(o truth) truth {
	switch {
	case t == no || o == no:
		return no
	case t == yes && o == yes:
		return yes
	}
	return maybe
}

// value is data of which some bits may not be known: those that are have a one
// in known.
type value struct {
	bytes, known []byte
}

func known(b []byte) value {
	return value{bytes: b, known: bytes.Repeat([]byte{0xff}, len(b))}
}

// unknowns is a value of which nothing is known.
func unknowns(size int) value { return value{make([]byte, size), make([]byte, size)} }

// put sets some bytes that are known.
func (v value) put(at int, b ...byte) {
	copy(v.bytes[at:], b)
	for i := range b {
		v.known[at+i] = 0xff
	}
}

// part is size bytes of v; what lies beyond its end is not known.
func (v value) part(from, size int) value {
	p := unknowns(size)
	if from < len(v.bytes) {
		copy(p.bytes, v.bytes[from:])
		copy(p.known, v.known[from:])
	}
	return p
}

func (v value) whole() bool {
	for _, k := range v.known {
		if k != 0xff {
			return false
		}
	}
	return true
}

func (v value) equals(other []byte) truth {
	if len(other) != len(v.bytes) {
		return maybe
	}
	for i, k := range v.known {
		if (v.bytes[i]^other[i])&k != 0 {
			return no
		}
	}
	if v.whole() {
		return yes
	}
	return maybe
}

// compare is bytes.Compare as a question.
func (v value) compare(other []byte, holds func(order int) bool) truth {
	if !v.whole() || len(v.bytes) != len(other) {
		return maybe
	}
	return truthOf(holds(bytes.Compare(v.bytes, other)))
}

// within says whether v is from one value to another, both included.
func (v value) within(from, to []byte) truth {
	return v.compare(from, func(o int) bool { return o >= 0 }).and(v.compare(to, func(o int) bool { return o <= 0 }))
}
