package control

import (
	"bufio"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// networkStats are the message counters since the daemon's start.
type networkStats struct {
	Malformed uint64 // messages received that could not be read, for any reason
	BadHeader uint64 // grows when the peer speaks another mode
	Lost      uint64 // sequence numbers missed
	Before    uint64 // messages older than what was already seen; they are dropped
}

// LinkStats is one sync link, with its traffic since the daemon's start.
type LinkStats struct {
	Transport   string // UDP, TCP, MULTICAST
	Device      string
	Status      string // RUNNING, DOWN, NO-CARRIER
	Active      bool   // the link that is in use
	BytesSent   uint64
	BytesRecv   uint64
	PacketsSent uint64
	PacketsRecv uint64
	ErrorsSent  uint64
	ErrorsRecv  uint64
}

// CacheStats are the state tables.
type CacheStats struct {
	Direct   bool   // the peer's states are written to the kernel at once
	Internal uint64 // states of this node
	External uint64 // states of the peer
	Injected uint64 // writes of the peer's states into the kernel, new and updated, with DisableExternalCache
	News     uint64 // of Injected, those that conntrackd counts as created
	Removed  uint64 // of the peer's states in the kernel, those that were removed since
	NoSpace  uint64 // states refused because HashLimit was reached
	// InjectFailed and ExternalNoSpace are the states of the peer that this node did not
	// take: the kernel refused the write, HashLimit was reached.
	InjectFailed, ExternalNoSpace uint64
	ExternalCreated               uint64 // states of the peer that came into the external cache since the start
}

// RuntimeStats are the daemon's own troubles.
type RuntimeStats struct {
	Uptime   time.Duration // in whole minutes; 0 where the time of day was set back
	Overruns uint64        // times that the kernel's events came faster than they were read
}

func newCounters(n networkStats, links []LinkStats, cache CacheStats, run RuntimeStats, queues map[string]uint64) Counters {
	c := Counters{
		Links: links, Malformed: n.Malformed, BadHeader: n.BadHeader, Lost: n.Lost, Before: n.Before,
		Direct: cache.Direct, Internal: cache.Internal, External: cache.External, Injected: cache.Injected, News: cache.News, Removed: cache.Removed, NoSpace: cache.NoSpace,
		InjectFailed: cache.InjectFailed, ExternalNoSpace: cache.ExternalNoSpace, ExternalCreated: cache.ExternalCreated,
		ResendQueue: queues["rsqueue"], Overruns: run.Overruns, Uptime: run.Uptime,
	}
	_, c.Reliable = queues["rsqueue"]
	for _, l := range links {
		if !l.Active {
			continue
		}
		c.Device, c.Link = l.Device, l.Status
		c.BytesSent, c.BytesRecv = l.BytesSent, l.BytesRecv
		c.PacketsSent, c.PacketsRecv = l.PacketsSent, l.PacketsRecv
		c.ErrorsSent, c.ErrorsRecv = l.ErrorsSent, l.ErrorsRecv
	}
	return c
}

// reportLine is one line of a report: "name: value", with the headings above
// it ("recv", "cache:external") in section.
type reportLine struct {
	section, name string
	values        []uint64
}

// report splits a reply into lines. A line whose value is not a number is a heading.
func report(text string) []reportLine {
	var lines []reportLine
	section := ""
	s := bufio.NewScanner(strings.NewReader(text))
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if rest, ok := strings.CutPrefix(line, "cache:"); ok {
			// "cache:internal	active objects:		         100"
			name, objects, _ := strings.Cut(rest, "\t")
			section, line = "cache:"+name, strings.TrimSpace(objects)
		}
		name, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		values := numbers(rest)
		if values == nil {
			section = name
			continue
		}
		lines = append(lines, reportLine{section: section, name: name, values: values})
	}
	return lines
}

// numbers reads "100", "100/ 100" and "100	failed:	0".
func numbers(s string) []uint64 {
	var values []uint64
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil
		}
		values = append(values, n)
	}
	return values
}

// find returns the first value of a line; section may be blank for any.
func find(lines []reportLine, section, name string) (uint64, error) {
	for _, l := range lines {
		if l.name == name && (section == "" || l.section == section) {
			return l.values[0], nil
		}
	}
	return 0, fmt.Errorf("%w: no %q in it", ErrReply, name)
}

// findAll fills each destination or says which line is missing.
func findAll(lines []reportLine, section string, into map[string]*uint64) error {
	for name, to := range into {
		n, err := find(lines, section, name)
		if err != nil {
			return err
		}
		*to = n
	}
	return nil
}

func parseNetwork(text string) (networkStats, error) {
	var n networkStats
	err := findAll(report(text), "recv", map[string]*uint64{
		"Malformed messages": &n.Malformed,
		"Malformed header":   &n.BadHeader,
		"Packets lost":       &n.Lost,
		"Packets before":     &n.Before,
	})
	if err != nil {
		return networkStats{}, err
	}
	return n, nil
}

func parseCache(text string) (CacheStats, error) {
	if strings.Contains(text, "cache:stats") {
		return CacheStats{}, ErrStatsMode
	}
	lines := report(text)
	var c CacheStats
	var err error
	if c.Internal, err = find(lines, "cache:internal", "active objects"); err != nil {
		// DisableInternalCache (NOTRACK only) has another report.
		if !strings.Contains(text, "internal bypass:") {
			return CacheStats{}, err
		}
	}
	if c.Direct = strings.Contains(text, "external inject:"); c.Direct {
		err = nil
		for i, name := range []string{"connections created", "connections updated", "connections destroyed"} {
			written, failed, e := findPair(lines, "external inject", name)
			if e != nil {
				return CacheStats{}, e
			}
			switch i {
			case 0:
				c.News = written
			case 2:
				c.Removed = written
				continue
			}
			c.Injected, c.InjectFailed = c.Injected+written, c.InjectFailed+failed
		}
	} else {
		c.External, err = find(lines, "cache:external", "active objects")
	}
	if err != nil {
		return CacheStats{}, err
	}
	for _, l := range lines {
		switch {
		case l.name == "no space left in cache":
			c.NoSpace += l.values[0]
			if l.section == "cache:external" {
				c.ExternalNoSpace = l.values[0]
			}
		case l.name == "creation OK/failed" && l.section == "cache:external":
			c.ExternalCreated = l.values[0]
		}
	}
	return c, nil
}

// findPair returns the two values of a line, such as "7	failed:	0".
func findPair(lines []reportLine, section, name string) (uint64, uint64, error) {
	for _, l := range lines {
		if l.name == name && l.section == section && len(l.values) == 2 {
			return l.values[0], l.values[1], nil
		}
	}
	return 0, 0, fmt.Errorf("%w: no %q with two numbers in it", ErrReply, name)
}

func parseRuntime(text string) (RuntimeStats, error) {
	overruns, err := find(report(text), "", "netlink overrun")
	if err != nil {
		return RuntimeStats{}, err
	}
	r := RuntimeStats{Overruns: overruns}
	_, rest, ok := strings.Cut(text, "daemon uptime:")
	if !ok {
		return RuntimeStats{}, fmt.Errorf("%w: no uptime in it", ErrReply)
	}
	line, _, _ := strings.Cut(rest, "\n")
	r.Uptime, err = parseUptime(line)
	return r, err
}

// parseUptime reads "3 days 4 h 5 min", where leading parts may be missing. The daemon
// counts by the time of day: where that was set back since its start, it says "-59 min",
// and the uptime is 0, not known. One of more than the 292 years that a duration holds is
// an error.
func parseUptime(s string) (time.Duration, error) {
	minutes := map[string]int64{"day": 24 * 60, "days": 24 * 60, "h": 60, "min": 1}
	words := strings.Fields(s)
	var sum int64
	for i := 0; i+1 < len(words); i += 2 {
		n, err := strconv.ParseInt(words[i], 10, 32)
		unit, ok := minutes[words[i+1]]
		if err != nil || !ok {
			return 0, fmt.Errorf("%w: uptime %q", ErrReply, s)
		}
		sum += n * unit
	}
	if len(words) == 0 || len(words)%2 != 0 || sum > int64(math.MaxInt64/time.Minute) {
		return 0, fmt.Errorf("%w: uptime %q", ErrReply, s)
	}
	return time.Duration(max(sum, 0)) * time.Minute, nil
}

func parseQueues(text string) (map[string]uint64, error) {
	queues := make(map[string]uint64)
	for _, l := range report(text) {
		if name, ok := strings.CutPrefix(l.section, "queue "); ok && l.name == "current elements" {
			queues[name] = l.values[0]
		}
	}
	if _, ok := queues["txqueue"]; !ok {
		return nil, fmt.Errorf("%w: no queue in it", ErrReply)
	}
	return queues, nil
}

func parseLinks(text string) ([]LinkStats, error) {
	var links []LinkStats
	figures := 0
	s := bufio.NewScanner(strings.NewReader(text))
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if transport, rest, ok := strings.Cut(line, " traffic device="); ok {
			links = append(links, newLink(transport, rest))
			continue
		}
		if len(links) == 0 {
			continue
		}
		l := &links[len(links)-1]
		v := numbers(line)
		if len(v) != 2 {
			continue
		}
		switch {
		case strings.Contains(line, " Bytes sent"):
			l.BytesSent, l.BytesRecv = v[0], v[1]
		case strings.Contains(line, " Pckts sent"):
			l.PacketsSent, l.PacketsRecv = v[0], v[1]
		case strings.Contains(line, " Error send"):
			l.ErrorsSent, l.ErrorsRecv = v[0], v[1]
		default:
			continue
		}
		figures++
	}
	if len(links) == 0 || figures != 3*len(links) {
		return nil, fmt.Errorf("%w: no whole link in it", ErrReply)
	}
	return links, nil
}

// newLink reads "sync0 status=RUNNING role=ACTIVE:".
func newLink(transport, s string) LinkStats {
	l := LinkStats{Transport: transport}
	for i, word := range strings.Fields(strings.TrimSuffix(s, ":")) {
		switch key, value, _ := strings.Cut(word, "="); {
		case i == 0:
			l.Device = word
		case key == "status":
			l.Status = value
		case key == "role":
			l.Active = value == "ACTIVE"
		}
	}
	return l
}

// Counters is one reading of the daemon's control socket. What it counts begins
// with the daemon's start; traffic and errors are those of the active link.
type Counters struct {
	Time        time.Time   // when it was taken
	Links       []LinkStats `json:",omitempty"` // all of them, in the file's order
	Device      string      // of the active link
	Link        string      // RUNNING, DOWN, NO-CARRIER: the daemon's words
	BytesSent   uint64
	BytesRecv   uint64
	PacketsSent uint64
	PacketsRecv uint64
	ErrorsSent  uint64
	ErrorsRecv  uint64
	Malformed   uint64 // messages received that could not be read, for any reason
	BadHeader   uint64 // part of Malformed; grows when the peer speaks another mode
	Lost        uint64 // sequence numbers missed
	Before      uint64 // messages dropped because a later one was seen before
	Direct      bool   // the peer's states are written to the kernel at once
	Internal    uint64 // states of this node
	External    uint64 // states of the peer; 0 when they go straight into the kernel
	Injected    uint64 // writes of the peer's states into the kernel since the start, new and updated
	News        uint64 // of Injected, those that conntrackd counts as created
	Removed     uint64 // of the peer's states in the kernel, those that were removed since the start
	NoSpace     uint64 // states refused because HashLimit was reached
	// InjectFailed and ExternalNoSpace are the peer's states that this node did not take
	// since the start: the kernel refused the write, HashLimit was reached.
	InjectFailed, ExternalNoSpace uint64
	ExternalCreated               uint64        // states of the peer that came into the external cache since the start
	ResendQueue                   uint64        // messages sent and not acknowledged yet; 0 where not Reliable
	Reliable                      bool          // the daemon runs FTFW, which has a resend queue
	Overruns                      uint64        // times that the kernel's events came faster than they were read
	Uptime                        time.Duration // in whole minutes
}

// PeersAtMost is how many of the peer's states are in the kernel at most.
func (c Counters) PeersAtMost() uint64 { return c.Injected - min(c.Injected, c.Removed) }

// BulkPause is longer than the daemon pauses between two messages of a bulk: where
// no more states come for so long, it is over.
const BulkPause = 40 * time.Millisecond
