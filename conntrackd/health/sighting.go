package health

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// sighting is somebody who sends datagrams to the sync port that are not the peer's
// to this node as the settings have it.
type sighting struct {
	From, To         netip.Addr
	Port             uint16
	Device, Hardware string // Hardware is blank where the link has no such addresses
	Last             time.Time
	Messages         int  // datagrams of sync messages
	Garbage          int  // datagrams of anything else
	FTFW             bool // the messages are surely of that mode
}

// who names the sender with its hardware address, which nobody forges by mistake.
func (s sighting) who() string {
	if s.Hardware == "" {
		return s.From.String()
	}
	return fmt.Sprintf("%v (hardware address %s)", s.From, s.Hardware)
}

// what is what it sends.
func (s sighting) what() string {
	switch {
	case s.Messages == 0:
		return "datagrams that are no sync messages"
	case s.FTFW:
		return "sync messages of mode FTFW"
	}
	return "sync messages"
}

// maxSightings bounds the memory.
const maxSightings = 8

// sightings are bounded.
type sightings []sighting

func (s *sightings) add(at time.Time, p Overheard) {
	seen := sighting{From: p.From, To: p.To, Port: p.Port, Device: p.Device, Hardware: p.Hardware}
	i := slices.IndexFunc(*s, func(k sighting) bool {
		return k.From == seen.From && k.To == seen.To && k.Port == seen.Port && k.Device == seen.Device && k.Hardware == seen.Hardware
	})
	switch {
	case i >= 0:
	case len(*s) < maxSightings:
		*s = append(*s, seen)
		i = len(*s) - 1
	default:
		i = s.leastTelling(at)
		(*s)[i] = seen
	}
	k := &(*s)[i]
	k.Last = at
	headers, err := parseDatagram(p.Payload)
	if err != nil || !syncMessage(headers) {
		k.Garbage++
		return
	}
	k.Messages++
	for _, h := range headers {
		k.FTFW = k.FTFW || h.control() && h.Flags&^flagAlive != 0
	}
}

// leastTelling is the place of one that is long gone, or of the newest of those that
// sent the least: of a flood from ever new addresses each drives out the one before.
func (s sightings) leastTelling(at time.Time) int {
	least := 0
	for i, k := range s {
		if at.Sub(k.Last) > keepReadings {
			return i
		}
		if k.Messages <= s[least].Messages && !k.Last.Before(s[least].Last) || k.Messages < s[least].Messages {
			least = i
		}
	}
	return least
}

// syncMessage says that a datagram is one of conntrackd's: other programs may send
// to the port, too.
func syncMessage(headers []header) bool {
	return len(headers) > 0 && (headers[0].control() || headers[0].Length > ackBytes)
}

// louder orders by what conntrackd would take for the peer's, and then by time.
func louder(a, b sighting) int {
	if a.Messages != b.Messages {
		return a.Messages - b.Messages
	}
	return a.Last.Compare(b.Last)
}

// after returns those that were seen after a time, the loudest first.
func (s sightings) after(start time.Time) []sighting {
	var seen []sighting
	for _, k := range s {
		if k.Last.After(start) {
			seen = append(seen, k)
		}
	}
	slices.SortFunc(seen, func(a, b sighting) int { return louder(b, a) })
	return seen
}
