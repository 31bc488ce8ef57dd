package conntrackd

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"connsync/conntrackd/typed"
)

// Limits of the daemon.
const (
	maxLinks    = 4   // MULTICHANNEL_MAX
	maxUnixPath = 107 // sun_path without its NUL
	maxFilePath = 256 // FILENAME_MAXLEN
	maxPolicy   = 16  // CTD_HELPER_NAME_LEN
)

// modeNames are the modes by the section of their options.
var modeNames = map[section]string{inAlarm: "ALARM", inFTFW: "FTFW", inNotrack: "NOTRACK"}

// checker finds what the grammar lets through and the daemon refuses, warns of
// or takes for something else. It walks the file in the daemon's order.
type checker struct {
	f         *File
	transport string
	links     int
	sync      bool
	stats     bool
	ignored   map[netip.Addr]bool
}

func (f *File) check() {
	c := checker{f: f}
	c.nodes(f.top, inFile)
	slices.SortStableFunc(f.diags, func(a, b Diagnostic) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

func (c *checker) nodes(nodes []*node, in section) {
	if in == inAddresses && c.ignored == nil {
		c.ignored = make(map[netip.Addr]bool, len(nodes))
	}
	for _, n := range nodes {
		if n.rule == nil {
			continue
		}
		c.before(n, in)
		c.nodes(n.children, n.block)
		c.after(n, in)
	}
	if in == inStates && len(nodes) > 0 {
		if end := nodes[len(nodes)-1]; end.rule != nil && end.rule.keyword != "for" {
			c.f.note(end.last+1, SeverityError, "a list of states ends in: for TCP")
		}
	}
}

func (c *checker) before(n *node, in section) {
	c.number(n)
	switch in {
	case inMulticast, inUDP, inTCP:
		c.linkOption(n)
	case inAddresses:
		c.filterAddress(n)
	case inGeneral, inUnix, inStats:
		c.general(n)
	case inScheduler:
		c.scheduler(n)
	case inHelper, inHelperType:
		c.helper(n)
	case inSync:
		if old, now := c.f.arg(n, 0), modeNames[n.block]; n.rule.keyword == "Mode" && old[0]|0x20 != now[0]|0x20 {
			c.f.note(n.args[0], SeverityWarning, "the mode %s is called %s today", old, now)
		}
	}
}

func (c *checker) after(n *node, in section) {
	switch {
	case in == inSync && slices.Contains([]string{"Multicast", "UDP", "TCP"}, n.rule.keyword):
		if c.transport != "" && c.transport != n.rule.keyword {
			c.f.note(n.last, SeverityError, "%s cannot be used beside %s", n.rule.keyword, c.transport)
		}
		c.transport = n.rule.keyword
		c.links++
	case in == inFile && n.rule.keyword == "Sync":
		c.sync = true
	case in == inFile && n.rule.keyword == "Stats":
		c.stats = true
	default:
		return
	}
	if in == inFile && c.sync && c.stats {
		c.f.note(n.last, SeverityError, "Stats and Sync cannot be combined")
	}
}

func (c *checker) linkOption(n *node) {
	f, text := c.f, c.f.arg(n, 0)
	if c.links >= maxLinks {
		f.note(n.first, SeverityError, "more than %d links", maxLinks)
	}
	if len(n.args) == 0 {
		return
	}
	switch k := n.rule.keyword; k {
	case "IPv4_address", "IPv6_address", "IPv4_Destination_Address", "IPv6_Destination_Address", "IPv4_interface":
		if _, ok := readAddress(k, text); !ok {
			f.note(n.args[0], SeverityWarning, "%s is not a bare %s address: the daemon goes on without it", typed.Show(text), k[:4])
		}
	case "IPv6_interface":
		f.note(n.first, SeverityWarning, "IPv6_interface is without effect")
	case "Port", "Group":
		if p := port(text); text != "0" && p == 0 || atoi(text) != int(p) {
			f.note(n.args[0], SeverityWarning, "%s is not a port: the daemon makes %d of it", typed.Show(text), p)
		} else if p == 0 {
			f.note(n.args[0], SeverityWarning, "port 0 is a random port, on which no peer finds this node")
		}
	case "Interface":
		if len(text) > maxInterfaceName {
			f.note(n.args[0], SeverityWarning, "%s is longer than the %d characters of an interface name", typed.Show(text), maxInterfaceName)
		}
	}
}

// number finds what the daemon cuts to an int, which some of its options take without
// the sign. A port is cut to less.
func (c *checker) number(n *node) {
	if c.f.argKind(n) != kindNumber || n.rule.keyword == "Port" || n.rule.keyword == "Group" {
		return
	}
	text := c.f.arg(n, 0)
	made := atoi(text)
	if v, err := strconv.ParseInt(text, 10, 64); err != nil || v != int64(made) {
		c.f.note(n.args[0], SeverityWarning, "%s does not fit: the daemon may take it for %d; the most is %d", typed.Show(text), made, mostNumber)
	}
}

func (c *checker) filterAddress(n *node) {
	if len(n.args) == 0 {
		return
	}
	text := c.f.arg(n, 0)
	host, length, slash := strings.Cut(text, "/")
	most := 32
	if n.rule.keyword == "IPv6_address" {
		most = 128
	}
	bits := most
	if slash {
		bits = int(uint32(atoi(length)))
	}
	addr, ok := readAddress(n.rule.keyword, host)
	switch {
	case bits > most || bits < 0:
		c.f.note(n.args[0], SeverityWarning, "%s is not a network: the daemon leaves it out", typed.Show(text))
	case !ok:
		c.f.note(n.args[0], SeverityWarning, "%s is no %s address: the daemon leaves it out", typed.Show(text), n.rule.keyword[:4])
	case bits == most && c.ignored[addr]:
		c.f.note(n.args[0], SeverityWarning, "%s stands in the filter twice", typed.Show(text))
	case bits == most:
		c.ignored[addr] = true
	}
}

func (c *checker) general(n *node) {
	f, text := c.f, c.f.arg(n, 0)
	if len(n.args) == 0 {
		return
	}
	switch k := n.rule.keyword; k {
	case "Path", "LockFile", "LogFile":
		if f.argKind(n) != kindPath {
			return
		}
		most := maxFilePath
		if k == "Path" {
			most = maxUnixPath
		}
		if len(text) > most {
			f.note(n.args[0], SeverityError, "the path of %s has %d characters, %d at most are possible", k, len(text), most)
		}
		if i := strings.IndexAny(text, "}{#\t\r"); i >= 0 {
			f.note(n.args[0], SeverityWarning, "the daemon takes %q for a part of the path: only a space or the end of the line ends it", text[i])
		}
	case "Syslog":
		if f.argKind(n) == kindString && !facility(text) {
			f.note(n.args[0], SeverityWarning, "%s is not a syslog facility: the daemon leaves it out", typed.Show(text))
		}
	case "Backlog", "Nice":
		f.note(n.first, SeverityWarning, "%s is deprecated and without effect", k)
	case "PollSecs":
		if atoi(text) == 0 {
			f.note(n.args[0], SeverityError, "PollSecs needs a number above 0")
		}
	}
}

func facility(s string) bool {
	return s == "daemon" || len(s) == 6 && strings.HasPrefix(s, "local") && s[5] >= '0' && s[5] <= '7'
}

func (c *checker) scheduler(n *node) {
	if len(n.args) == 0 {
		return
	}
	switch text := c.f.arg(n, 0); n.rule.keyword {
	case "Type":
		if !strings.EqualFold(text, "rr") && !strings.EqualFold(text, "fifo") {
			c.f.note(n.args[0], SeverityError, "Type is rr or fifo, not %s", typed.Show(text))
		}
	case "Priority":
		if p := atoi(text); p < 0 || p > 99 {
			c.f.note(n.args[0], SeverityError, "Priority is 0 to 99, not %s", typed.Show(text))
		}
	}
}

func (c *checker) helper(n *node) {
	switch n.rule.keyword {
	case "Type":
		if len(n.args) < 3 {
			return
		}
		if l3 := c.f.arg(n, 1); l3 != "inet" && l3 != "inet6" {
			c.f.note(n.args[1], SeverityError, "a helper is for inet or inet6, not %s", typed.Show(l3))
		}
		if l4 := c.f.arg(n, 2); l4 != "tcp" && l4 != "udp" {
			c.f.note(n.args[2], SeverityError, "a helper is for tcp or udp, not %s", typed.Show(l4))
		}
	case "Policy":
		if n.open >= 0 && len(n.children) == 0 {
			c.f.note(n.open, SeverityError, "a Policy needs ExpectMax or ExpectTimeout")
		}
		if len(c.f.arg(n, 0)) > maxPolicy {
			c.f.note(n.args[0], SeverityError, "the name of a Policy has at most %d characters", maxPolicy)
		}
	}
}
