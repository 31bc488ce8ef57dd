package conntrackd

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// atoi is what the daemon makes of digits: strtol, which stops at the largest
// long, cut to an int.
func atoi(digits string) int {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		n = math.MaxInt64
		if strings.HasPrefix(digits, "-") {
			n = math.MinInt64
		}
	}
	return int(int32(n))
}

// port is what the daemon makes of a Port: an unsigned short.
func port(digits string) uint16 { return uint16(atoi(digits)) }

// readAddress is what the daemon makes of an address token in a link: inet_aton
// or inet_pton, which take no prefix. ok is false where it warns and goes on
// without.
func readAddress(keyword, text string) (addr netip.Addr, ok bool) {
	if strings.HasPrefix(keyword, "IPv4") {
		return inetAton(text)
	}
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && !addr.Is4()
}

// inetAton is inet_aton for four numbers, the only form that the lexer lets
// through; a leading zero makes a number octal.
func inetAton(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil { // as most are written
		return a, a.Is4()
	}
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return netip.Addr{}, false
	}
	var b [4]byte
	for i, p := range parts {
		base := 10
		if len(p) > 1 && p[0] == '0' {
			base = 8
		}
		n, err := strconv.ParseUint(p, base, 8)
		if err != nil {
			return netip.Addr{}, false
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), true
}

// intendedPrefix is the address that a person meant by a token that the daemon
// does not take, such as one with its prefix length.
func intendedPrefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	return netip.Prefix{}, false
}

// named returns the nodes with one of the names, in the order of the file.
func named(nodes []*node, names ...string) []*node {
	var found []*node
	for _, n := range nodes {
		for _, name := range names {
			if n.rule != nil && n.rule.name() == name {
				found = append(found, n)
				break
			}
		}
	}
	return found
}

// last returns the last node with one of the names, which is the one in force,
// or nil.
func last(nodes []*node, names ...string) *node {
	found := named(nodes, names...)
	if len(found) == 0 {
		return nil
	}
	return found[len(found)-1]
}

// inside returns the children of every node with the name: the daemon merges
// sections that stand twice.
func inside(nodes []*node, name string) []*node {
	var children []*node
	for _, n := range named(nodes, name) {
		children = append(children, n.children...)
	}
	return children
}

func (f *File) arg(n *node, i int) string {
	if i >= len(n.args) {
		return ""
	}
	return f.toks[n.args[i]].text
}

func (f *File) argKind(n *node) kind {
	if len(n.args) == 0 {
		return kindStray
	}
	return f.toks[n.args[0]].kind
}

func (f *File) line(n *node) int { return f.toks[n.first].line }
