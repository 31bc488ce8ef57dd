package coverage

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// parseText reads a line of a cache of conntrackd, as it and conntrack print entries:
//
//	tcp      6 ESTABLISHED src=10.1.0.2 dst=10.2.0.2 sport=40001 dport=80 src=10.2.0.2
//	dst=10.1.0.2 sport=80 dport=40001 [ASSURED] mark=0 [active since 1s]
//
// It returns false where the line is not an entry with addresses of both directions.
// Words that are not known are passed over.
func (e *Entry) parseText(line []byte) bool {
	return e.parseLine(line) == 2 && e.valid()
}

// ParsePeers reads a line of the external cache, where entries have the addresses of
// their original direction and others only where NAT changes them. age is how long the
// daemon has had the entry; ok is false where the line is not an entry.
func (e *Entry) ParsePeers(line []byte) (age time.Duration, ok bool) {
	o := &e.Original
	if e.parseLine(line) == 0 || !o.Source.IsValid() || o.Source.Is4() != o.Destination.Is4() {
		return 0, false
	}
	if !e.Reply.Source.IsValid() {
		e.Reply = Tuple{o.Destination, o.Source, o.DestinationPort, o.SourcePort, o.Zone}
	}
	age, ok = cachedFor(line)
	return age, ok
}

// longCached is how long the daemon has had an entry of before the clock was set back.
const longCached = math.MaxInt32 * time.Second

// cachedFor is how long the daemon has had the entry of a line. It counts by the time of
// day: where that was set back since, it says "-3600s".
func cachedFor(line []byte) (time.Duration, bool) {
	_, rest, found := bytes.Cut(line, []byte("[active since "))
	seconds, _, closed := bytes.Cut(rest, []byte("s]"))
	seconds, setBack := bytes.CutPrefix(seconds, []byte("-"))
	n, ok := decimal(seconds, math.MaxInt32)
	if setBack {
		return longCached, found && closed && ok
	}
	return time.Duration(n) * time.Second, found && closed && ok
}

// parseLine returns of how many directions there are addresses; 0 for a line that is
// not an entry.
func (e *Entry) parseLine(line []byte) (directions int) {
	*e = Entry{Seen: true}
	name, rest := word(line)
	number, rest := word(rest)
	// conntrack -o extended and /proc/net/nf_conntrack begin with the family.
	family := string(name) + " " + string(number)
	if family == "ipv4 2" || family == "ipv6 10" {
		name, rest = word(rest)
		number, rest = word(rest)
	} else {
		family = ""
	}
	protocol, ok := decimal(number, math.MaxUint8)
	if !ok || !named(name, uint8(protocol)) {
		return 0
	}
	e.Protocol = uint8(protocol)
	// conntrack prints the timeout here, and conntrackd none.
	if w, more := word(rest); len(w) > 0 && w[0] >= '0' && w[0] <= '9' {
		timeout, ok := decimal(w, math.MaxUint32)
		if !ok {
			return 0
		}
		e.Timeout, rest = uint32(timeout), more
	}
	t, sources := &e.Original, 0
	for len(rest) > 0 {
		var w []byte
		w, rest = word(rest)
		name, value, isField := bytes.Cut(w, []byte{'='})
		switch {
		case !isField:
			e.parseWord(w, sources == 0)
		case string(name) == "src":
			if sources++; sources == 2 {
				t = &e.Reply
			}
			t.Source = address(value)
		case string(name) == "dst":
			t.Destination = address(value)
		case !e.parseField(t, string(name), value):
			return 0
		}
	}
	if family != "" && e.Original.Source.Is4() != (family == "ipv4 2") {
		return 0
	}
	return sources
}

// named says that a line may call a protocol so. conntrack calls one that it does not
// know "unknown", or as /etc/protocols has it.
func named(name []byte, protocol uint8) bool {
	for number, known := range protocolNames {
		if string(name) == known {
			return number == protocol
		}
	}
	_, known := protocolNames[protocol]
	return string(name) == "unknown" || !known && string(name) != "ipv4" && string(name) != "ipv6"
}

// parseWord reads a word that has no value: the state, which stands before the
// addresses, or a flag.
func (e *Entry) parseWord(w []byte, mayBeState bool) {
	if string(w) == "[UNREPLIED]" {
		e.Seen = false
	}
	if !mayBeState {
		return
	}
	if state := slices.Index(stateNames(e.Protocol), string(w)); state >= 0 {
		e.State, e.HasState = uint8(state), true
	}
}

// parseField reads a number; false where it is one that counts and is none.
func (e *Entry) parseField(t *Tuple, name string, value []byte) bool {
	var n uint64
	ok := true
	switch name {
	case "sport", "id":
		n, ok = decimal(value, math.MaxUint16)
		t.SourcePort = uint16(n)
	case "dport":
		n, ok = decimal(value, math.MaxUint16)
		t.DestinationPort = uint16(n)
	case "type":
		n, ok = decimal(value, math.MaxUint8)
		t.DestinationPort |= uint16(n) << 8
	case "code":
		n, ok = decimal(value, math.MaxUint8)
		t.DestinationPort |= uint16(n)
	case "srckey":
		n, ok = hexadecimal(value)
		t.SourcePort = uint16(n)
	case "dstkey":
		n, ok = hexadecimal(value)
		t.DestinationPort = uint16(n)
	case "mark":
		n, ok = decimal(value, math.MaxUint32)
		e.Mark = uint32(n)
	case "zone":
		n, ok = decimal(value, math.MaxUint16)
		e.Original.Zone, e.Reply.Zone = uint16(n), uint16(n)
	case "zone-orig":
		n, ok = decimal(value, math.MaxUint16)
		e.Original.Zone = uint16(n)
	case "zone-reply":
		n, ok = decimal(value, math.MaxUint16)
		e.Reply.Zone = uint16(n)
	}
	return ok
}

// word takes the first word of a line.
func word(line []byte) (w, rest []byte) {
	start := 0
	for start < len(line) && (line[start] == ' ' || line[start] == '\t') {
		start++
	}
	end := start
	for end < len(line) && line[end] != ' ' && line[end] != '\t' {
		end++
	}
	next := end
	for next < len(line) && (line[next] == ' ' || line[next] == '\t') {
		next++
	}
	return line[start:end], line[next:]
}

func decimal(b []byte, most uint64) (uint64, bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, n <= most
}

func hexadecimal(b []byte) (uint64, bool) {
	digits, ok := bytes.CutPrefix(b, []byte("0x"))
	n, err := strconv.ParseUint(string(digits), 16, 16)
	return n, ok && err == nil
}

// address reads an address; the zero one where there is none.
func address(b []byte) netip.Addr {
	a, err := netip.ParseAddr(string(b))
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}
	}
	return a
}
