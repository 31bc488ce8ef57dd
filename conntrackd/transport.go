package conntrackd

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The keywords of the dedicated links that connsync writes.
const (
	keywordUDP       = "UDP"
	keywordMulticast = "Multicast"
)

// keyword is that of the link of the settings.
func (s Settings) keyword() string {
	if s.Multicast() {
		return keywordMulticast
	}
	return keywordUDP
}

// oneMulticast reports whether the links are a single one by multicast. Several of them
// are nothing that the settings can say.
func oneMulticast(links []*node) bool {
	return len(links) == 1 && links[0].rule.keyword == keywordMulticast
}

// own are the links that the settings are about: those of UDP, or the one by multicast.
func (f *File) own() []*node {
	if all := named(inside(f.top, "Sync"), "UDP", "TCP", "Multicast"); oneMulticast(all) {
		return all
	}
	return named(inside(f.top, "Sync"), keywordUDP)
}

// byTransport is a directive of the link that is another one in a Multicast link. Both
// have the same value.
func byTransport(udp, multicast *directive) *directive {
	d := *udp
	of := func(s Settings) *directive {
		if s.Multicast() {
			return multicast
		}
		return udp
	}
	d.line = func(s Settings) string { return of(s).line(s) }
	d.read = func(f *File, link []*node, s *Settings) { of(*s).read(f, link, s) }
	d.write = func(m *merge) { of(m.s).write(m) }
	return &d
}

// Where the transport and the group stand: what follows depends on them.
const (
	placeTransport = -2
	placeGroup     = -1
)

// groupDirective is the group of a Multicast link. The comment behind it has the
// addresses of the nodes that such a link does not state: conntrackd needs no peer, and
// with IPv6 no address of its own.
func groupDirective(at func(*Settings) *string) *directive {
	return &directive{
		in: inUDP, place: placeGroup,
		line: func(s Settings) string {
			if !s.Multicast() {
				return ""
			}
			return family(s.Group()) + "_address " + s.MulticastGroup + " # " + nodesMark(s)
		},
		read: func(f *File, link []*node, s *Settings) {
			if !s.Multicast() {
				return
			}
			if group := f.address(link, "IPv4_address", "IPv6_address").Addr(); group.IsValid() {
				*at(s) = group.String()
			}
		},
		write: (*merge).group,
		same:  func(a, b Settings) bool { return *at(&a) == *at(&b) },
	}
}

// currentOfGroup is this node's address in a Multicast link: of its own with IPv4, in the
// comment with IPv6.
func currentOfGroup() *directive {
	return &directive{
		line: func(s Settings) string {
			if !s.Current.Addr().Unmap().Is4() {
				return ""
			}
			return addressLine("%s_interface", s.Current)
		},
		read: func(f *File, link []*node, s *Settings) {
			if s.Group().Is6() {
				s.Current, _ = f.nodes(link)
				return
			}
			s.Current = f.address(link, "IPv4_interface")
		},
		write: func(m *merge) {
			if m.s.Current.Addr().Unmap().Is4() {
				m.address(m.s.Current, "%s_interface")
				return
			}
			for _, n := m.find(inUDP, "IPv4_interface"); n != nil; _, n = m.find(inUDP, "IPv4_interface") {
				m.dropAddress(n)
			}
		},
	}
}

// peerOfGroup is the peer's address of a Multicast link, which is a part of what
// merge.group writes.
func peerOfGroup() *directive {
	return &directive{
		line:  func(Settings) string { return "" },
		read:  func(f *File, link []*node, s *Settings) { _, s.Peer = f.nodes(link) },
		write: func(*merge) {},
	}
}

// nodesMark is how the addresses of the nodes stand at the beginning of the comment
// behind a group.
func nodesMark(s Settings) string {
	peer := "peer " + FormatPrefix(s.Peer)
	if s.Group().Is6() {
		return "this node " + FormatPrefix(s.Current) + ", " + peer
	}
	return peer
}

// A word behind peer that only begins like an address is the operator's.
var nodesPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^#[ \t]*(?:this node ([0-9A-Fa-f:./]*[:.][0-9A-Fa-f:./]*), )?peer ([0-9A-Fa-f:./]*[:.][0-9A-Fa-f:./]*)([ \t\r,;]|$)`)
})

// nodes are the addresses that the comment behind the group of a link has.
func (f *File) nodes(link []*node) (current, peer netip.Prefix) {
	n := last(link, "IPv4_address", "IPv6_address")
	if n == nil {
		return current, peer
	}
	comment, _ := f.comment(n)
	found := nodesPattern().FindStringSubmatch(comment)
	if found == nil {
		return current, peer
	}
	return readNode(found[1]), readNode(found[2])
}

// readNode reads an address with or without a prefix length.
func readNode(text string) netip.Prefix {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p
	}
	a, _ := netip.ParseAddr(text)
	return netip.PrefixFrom(a, -1)
}

// group sets the group of a Multicast link and the comment behind it.
func (m *merge) group() {
	if !m.s.Multicast() {
		return
	}
	block, n := m.find(inUDP, "IPv4_address", "IPv6_address")
	if n == nil {
		m.f.insert(block, groupDirective(func(s *Settings) *string { return &s.MulticastGroup }).line(m.s))
		return
	}
	current, peer := m.f.nodes(block.children)
	want := m.s
	want.Current, want.Peer = withLengthOf(want.Current, current), withLengthOf(want.Peer, peer)
	if want.Peer != peer || m.s.Group().Is6() && want.Current != current {
		m.f.recordNodes(n, nodesMark(want))
	}
	if old, ok := readAddress(n.text, m.f.arg(n, 0)); !ok || old != m.s.Group() {
		m.f.setKeyword(n, family(m.s.Group())+"_address")
		m.f.setArg(n, m.s.MulticastGroup)
	}
}

// withLengthOf is now with the prefix length of old where that is the same address and
// now has none.
func withLengthOf(now, old netip.Prefix) netip.Prefix {
	if now.Bits() < 0 && now.Addr() == old.Addr() {
		return old
	}
	return now
}

// recordNodes keeps the addresses of the nodes in the comment behind a group, before
// what else is in it; a blank mark takes them out.
func (f *File) recordNodes(n *node, mark string) {
	f.dirty = true
	next := f.after(n)
	comment, at := f.comment(n)
	if at < 0 {
		if mark != "" {
			*next = " # " + mark + f.endLine(*next) + *next
		}
		return
	}
	rest := prefixMark().ReplaceAllString(nodesPattern().ReplaceAllString(comment, "#$3"), "#")
	rest = strings.TrimLeft(rest[1:], " \t")
	before, behind := (*next)[:at], (*next)[at+len(comment):]
	if comment = strings.TrimRight("# "+mark+" "+rest, " \t"); mark == "" {
		comment = "# " + rest
	}
	if mark == "" && rest == "" {
		comment, before = "", strings.TrimRight(before, " \t")
	}
	*next = before + comment + behind
}

// dropAddress takes an address out, and its prefix length out of the comment behind it.
func (m *merge) dropAddress(n *node) {
	if a, ok := readAddress(n.text, m.f.arg(n, 0)); ok {
		m.f.recordBits(n, a, a, -1)
	}
	m.f.remove(n)
}

// linkComments introduce the link in a new file, line by line, for UDP and for
// multicast. The comment at the beginning of the file names the link as well.
var linkComments = [][2]string{
	{"# The dedicated link: this node's address, the peer's, and the port, which is", "# The dedicated link: the group that both nodes join, its port, and this node's"},
	{"# the same on both nodes.", "# address. conntrackd needs no peer here: connsync keeps it behind the group."},
	{`# connsync keeps the link in "UDP" and "DisableExternalCache" up to date and`, `# connsync keeps the link in "Multicast" and "DisableExternalCache" up to date and`},
}

// linkWords gives comments of a new file the words for the transport of the settings.
func linkWords(s Settings, text string) string {
	first := linkComments[0]
	introduced := strings.Contains(text, first[0]) || strings.Contains(text, first[1])
	for i, c := range linkComments {
		from, to := c[0], c[1]
		if !s.Multicast() {
			from, to = to, from
		}
		if i != 1 || introduced { // by itself that line is anybody's
			text = strings.Replace(text, from, to, 1)
		}
	}
	return text
}

// kept is the one of the links that becomes, or stays, the link of the settings where
// there is one alone: with UDP links it is nil, since there may be spare ones.
func (m *merge) kept(links []*node) *node {
	same := slices.DeleteFunc(slices.Clone(links), func(n *node) bool { return n.rule.keyword != m.s.keyword() })
	switch {
	case len(same) == 0:
		return m.f.starting(links)
	case m.s.Multicast():
		return m.f.starting(same)
	}
	return nil
}
