package coverage

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// appendText appends the entry as conntrack prints it, without a line end; parseText
// reads it back.
func (e *Entry) appendText(b []byte) []byte {
	b = fmt.Appendf(b, "%-8s %d", ProtocolName(e.Protocol), e.Protocol)
	if e.Timeout > 0 {
		b = fmt.Appendf(b, " %d", e.Timeout)
	}
	if state := e.StateName(); state != "" {
		b = append(append(b, ' '), state...)
	}
	b = e.appendTuple(b, &e.Original)
	if !e.Seen {
		b = append(b, " [UNREPLIED]"...)
	}
	b = e.appendTuple(b, &e.Reply)
	b = fmt.Appendf(b, " mark=%d", e.Mark)
	switch original, reply := e.Original.Zone, e.Reply.Zone; {
	case original == reply && original != 0:
		b = fmt.Appendf(b, " zone=%d", original)
	default:
		if original != 0 {
			b = fmt.Appendf(b, " zone-orig=%d", original)
		}
		if reply != 0 {
			b = fmt.Appendf(b, " zone-reply=%d", reply)
		}
	}
	return b
}

func (e *Entry) appendTuple(b []byte, t *Tuple) []byte {
	b = fmt.Appendf(b, " src=%s dst=%s", t.Source, t.Destination)
	switch {
	case isICMP(e.Protocol):
		return fmt.Appendf(b, " type=%d code=%d id=%d", t.DestinationPort>>8, t.DestinationPort&0xff, t.SourcePort)
	case e.Protocol == unix.IPPROTO_GRE:
		return fmt.Appendf(b, " srckey=0x%x dstkey=0x%x", t.SourcePort, t.DestinationPort)
	case t.SourcePort != 0 || t.DestinationPort != 0:
		return fmt.Appendf(b, " sport=%d dport=%d", t.SourcePort, t.DestinationPort)
	}
	return b
}

// text is appendText as a string, for the lines of a list.
func (e *Entry) text() string { return strings.TrimSpace(string(e.appendText(nil))) }
