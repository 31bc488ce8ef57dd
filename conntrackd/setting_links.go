package conntrackd

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"connsync/conntrackd/typed"
)

// FieldSpareLinks are the links beside the one with which the daemon starts.
const FieldSpareLinks Field = "spare_links"

// NoLinks is how an empty list of links is typed.
const NoLinks = "none"

// MaxSpareLinks is how many links the daemon takes beside the one that it starts with.
const MaxSpareLinks = maxLinks - 1

// SpareLink is a UDP link to which the daemon goes over when another one fails. Its
// members are those of [Settings]; a port or buffer of zero is that of the default
// link.
type SpareLink struct {
	Interface     string
	Current, Peer netip.Prefix
	Port          uint16
	SendBuffer    int
	ReceiveBuffer int
}

// SpareLinks are the spare links in the file's order, without a gap from the first on.
type SpareLinks [MaxSpareLinks]SpareLink

// asLink are the members of s that belong to its link.
func (s Settings) asLink() SpareLink {
	return SpareLink{s.Interface, s.Current, s.Peer, s.Port, s.SendBuffer, s.ReceiveBuffer}
}

// over are the settings with another link, and no spare ones.
func (s Settings) over(l SpareLink) Settings {
	l.Port = cmp.Or(l.Port, s.Port)
	l.SendBuffer, l.ReceiveBuffer = cmp.Or(l.SendBuffer, s.SendBuffer), cmp.Or(l.ReceiveBuffer, s.ReceiveBuffer)
	s.Interface, s.Current, s.Peer, s.Port = l.Interface, l.Current, l.Peer, l.Port
	s.SendBuffer, s.ReceiveBuffer = l.SendBuffer, l.ReceiveBuffer
	s.SpareLinks = SpareLinks{}
	return s
}

// Spares are the spare links, each as the settings would be with it alone.
func (s Settings) Spares() []Settings {
	var all []Settings
	for _, l := range s.SpareLinks {
		if l != (SpareLink{}) {
			all = append(all, s.over(l))
		}
	}
	return all
}

// Links are all links as [Settings.Spares] has them, the default one first.
func (s Settings) Links() []Settings {
	return append([]Settings{s.over(s.asLink())}, s.Spares()...)
}

// WithSpares returns s with other spare links, of which those beyond
// [MaxSpareLinks] do not count.
func (s Settings) WithSpares(spares []Settings) Settings {
	s.SpareLinks = SpareLinks{}
	for i := range min(len(spares), MaxSpareLinks) {
		s.SpareLinks[i] = spares[i].asLink()
	}
	return s
}

// WithDefaultLink returns s with the link on the interface as the default one, which
// becomes the first spare one; ok is false where there is no such link.
func (s Settings) WithDefaultLink(name string) (swapped Settings, ok bool) {
	links := s.Links()
	i := slices.IndexFunc(links, func(l Settings) bool { return l.Interface == name })
	if i < 0 {
		return s, false
	}
	chosen := links[i]
	return chosen.WithSpares(slices.Delete(links, i, i+1)), true
}

func spareLinksSetting() Setting {
	return Setting{
		Field: FieldSpareLinks, Label: "Spare Links", Short: "Spare Links", Kind: LinksSetting, Advanced: true,
		Usage:    "spare `link` as \"INTERFACE CURRENT_IP PEER_IP [PORT [SEND_BUFFER [RECEIVE_BUFFER]]]\"; repeat it for up to three; replaces all spare links, " + NoLinks + " removes them",
		Hint:     "interface, own and peer's address, port; commas between links.",
		Standard: NoLinks, Example: exampleLink,
		About: []string{
			"Up to three more UDP links, on other interfaces than the default link and best on other wires. A link is its interface, this node's address, the peer's address, port, send buffer and receive buffer; port and buffers are those of the default link where they are left out.",
			"conntrackd sends on one link at a time. It goes over to the first spare link whose interface is up when its own interface loses the carrier, follows the peer to the link on which it hears it, and does not come back by itself. A peer that is silent while the carrier is there does not make it change.",
			"Both nodes need the same links, each with the two addresses swapped.",
		},
		Value: Value[SpareLinks]{
			At:     func(s *Settings) *SpareLinks { return &s.SpareLinks },
			Parse:  parseSpareLinks,
			Format: formatSpareLinks,
		},
		Rule:      Settings.spareLinksProblem,
		directive: spareLinksDirective(),
	}
}

// exampleLink is what can be typed as a link, and asDefault what stands in it for the
// default link's port or send buffer.
const (
	exampleLink = "eth2 10.1.0.101/24 10.1.0.102/24 3781"
	wantLink    = "type interface, this node's address, the peer's address and perhaps port and buffers, such as " + exampleLink
	asDefault   = "-"
)

// parseSpareLinks reads links with commas between them.
func parseSpareLinks(text string, before Settings) (SpareLinks, string) {
	var links SpareLinks
	if text == "" || text == NoLinks {
		return links, ""
	}
	parts := strings.Split(text, ",")
	if len(parts) > MaxSpareLinks {
		return links, fmt.Sprintf("%d spare links are given; conntrackd takes at most %d beside the default link", len(parts), MaxSpareLinks)
	}
	for i, part := range parts {
		l, problem := parseLink(strings.Fields(part), before)
		if problem != "" {
			return SpareLinks{}, fmt.Sprintf("spare link %d, %s: %s", i+1, typed.Show(trim(part)), problem)
		}
		links[i] = l
	}
	return links, ""
}

// parseLink reads the words of one link. An address may lack the prefix length, as in
// a file that does not record it.
func parseLink(words []string, before Settings) (l SpareLink, problem string) {
	switch {
	case len(words) == 1 && words[0] == NoLinks:
		return l, NoLinks + " cannot be combined with a link"
	case len(words) < 3:
		return l, wantLink
	case len(words) > 6:
		return l, "it has more than the six values of a link; " + wantLink
	}
	s := before.over(SpareLink{})
	s.Interface = words[0]
	for i, at := range []*netip.Prefix{&s.Current, &s.Peer} {
		if *at, problem = linkAddress(words[1+i], s.Interface); problem != "" {
			return l, problem
		}
	}
	words = append(words, make([]string, 6-len(words))...)
	if words[3] != "" && words[3] != asDefault {
		if s.Port, problem = typed.Port(words[3]); problem != "" {
			return l, problem
		}
	}
	if words[4] != "" && words[4] != asDefault {
		if s.SendBuffer, problem = typed.BufferSize(words[4]); problem != "" {
			return l, "send buffer: " + problem
		}
		s.ReceiveBuffer = s.SendBuffer
	}
	if words[5] != "" {
		if s.ReceiveBuffer, problem = typed.BufferSize(words[5]); problem != "" {
			return l, "receive buffer: " + problem
		}
	}
	return s.withDefaults().asLink(), ""
}

func linkAddress(text, zone string) (netip.Prefix, string) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, -1), ""
	}
	if interfaceProblem(zone) != "" {
		zone = ""
	}
	return typed.Address(text, zone)
}

func formatSpareLinks(links SpareLinks) string {
	var all []string
	for _, l := range links {
		if l == (SpareLink{}) {
			continue
		}
		words := []string{l.Interface, FormatPrefix(l.Current), FormatPrefix(l.Peer), formatPositive(int(l.Port)), typed.FormatBufferSize(l.SendBuffer), typed.FormatBufferSize(l.ReceiveBuffer)}
		all = append(all, strings.TrimSpace(strings.Join(words, " ")))
	}
	return strings.Join(all, ", ")
}

// linkJSON is a link as it stands in JSON, with the names of the settings.
type linkJSON struct {
	Interface     string `json:"interface"`
	Current       string `json:"current_ip"`
	Peer          string `json:"peer_ip"`
	Port          any    `json:"port"`
	SendBuffer    any    `json:"send_buffer"`
	ReceiveBuffer any    `json:"receive_buffer"`
}

// LinkFields are the settings that a link has of its own, in the order in which they
// are typed.
func LinkFields() []Field {
	return []Field{FieldInterface, FieldCurrentIP, FieldPeerIP, FieldPort, FieldSendBuffer, FieldReceiveBuffer}
}

func (s Settings) spareLinksJSON() []linkJSON {
	all := []linkJSON{} // not null
	for _, l := range s.Spares() {
		all = append(all, linkJSON{l.Interface, FormatPrefix(l.Current), FormatPrefix(l.Peer), l.Port, sendBufferSetting().JSON(l), receiveBufferSetting().JSON(l)})
	}
	return all
}

// spareLinksProblem asks of each spare link what is asked of the default one, and that
// no two are the same.
func (s Settings) spareLinksProblem() string {
	links := s.Links()
	if s.Multicast() && len(links) > 1 {
		return "spare links need transport udp; type " + NoLinks + " to remove them, or set Transport to udp"
	}
	for i, l := range links[1:] {
		if m := l.linkProblem(); m != "" {
			return fmt.Sprintf("spare link %s: %s", l.linkName(), m)
		}
		for j, other := range links[:i+1] {
			which := "spare link " + other.linkName()
			if j == 0 {
				which = "the default link"
			}
			switch {
			case l.Interface == other.Interface && l.Port == other.Port:
				return fmt.Sprintf("spare link %s: interface and port are those of %s; give it another interface", l.linkName(), which)
			case sameHost(l.Current, other.Current):
				return fmt.Sprintf("spare link %s: %s is the address of %s; each link needs its own", l.linkName(), l.Current.Addr(), which)
			case sameHost(l.Peer, other.Peer):
				return fmt.Sprintf("spare link %s: %s is the peer's address on %s; each link needs its own", l.linkName(), l.Peer.Addr(), which)
			}
		}
	}
	return ""
}

// sameHost reports whether two addresses are one; a link-local one is another on each
// interface.
func sameHost(a, b netip.Prefix) bool {
	return a.Addr() == b.Addr() && a.Addr().IsValid() && !a.Addr().IsLinkLocalUnicast()
}

func (s Settings) linkName() string {
	return cmp.Or(s.Interface, "without an interface")
}

// linkProblem is the first problem of the link of s. The prefix lengths of a file may
// be unknown.
func (s Settings) linkProblem() string {
	s = s.withLengths()
	s.Enabled = true
	for _, e := range []Setting{interfaceSetting(), currentSetting(), peerSetting(), portSetting(), sendBufferSetting(), receiveBufferSetting()} {
		if m := e.Rule(s); m != "" {
			return m
		}
	}
	return ""
}
