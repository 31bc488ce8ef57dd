package conntrackd

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"connsync/conntrackd/typed"
)

// The transports as they are typed.
const (
	transportUDP       = "udp"
	transportMulticast = "multicast"
)

// Multicast reports whether the messages go to [Settings.Group] and not to Peer.
func (s Settings) Multicast() bool { return s.Transport == transportMulticast }

// Group is the multicast group that both nodes join, not valid where none is given, as
// with UDP.
func (s Settings) Group() netip.Addr {
	group, _ := netip.ParseAddr(s.MulticastGroup)
	return group
}

func transportSettings() []Setting { return []Setting{transportSetting(), multicastGroupSetting()} }

func transportSetting() Setting {
	at := func(s *Settings) *string { return &s.Transport }
	words := []string{transportUDP, transportMulticast}
	return Setting{
		Field: FieldTransport, Label: "Transport", Short: "Transport", Kind: ChoiceSetting, Words: words, Advanced: true, Shared: true,
		Usual:    []string{transportUDP},
		Usage:    "`transport` of the sync, the same on both nodes: udp or multicast (default udp)",
		Hint:     "udp sends to the peer, multicast to a group.",
		Standard: transportUDP, Example: transportUDP,
		About: []string{
			"udp sends each message to the peer's address. multicast sends it to a group that both nodes join on the sync interface: for a network that is set up for it, or a peer whose file has it. The peer has to have the same transport; one with the other takes nothing.",
			"Multicast depends on the switches between the nodes: one with IGMP or MLD snooping and no querier stops forwarding a group after some minutes. Nothing can prove beforehand that a group is forwarded; status shows it after the start. conntrackd sends to groups with a TTL of 1, so no router forwards them, and has no setting for it.",
			"conntrackd needs no Peer IP with multicast. connsync keeps it, in a comment of the file, for the checks, the firewall rules, status and the peer line. Spare links need udp.",
			"A TCP link in a file is shown and kept until it is replaced, and cannot be chosen. " + tcpUnsuitable + ".",
		},
		Value: Value[string]{
			At: at, Format: func(word string) string { return cmp.Or(word, transportUDP) },
			Parse: func(text string, _ Settings) (string, string) {
				if strings.EqualFold(text, "tcp") {
					return "", "transport tcp cannot be chosen: " + tcpUnsuitable + "; type udp or multicast"
				}
				word, problem := typed.Word(text, "transport", words)
				if word == transportUDP {
					word = ""
				}
				return word, problem
			},
		},
		directive: &directive{
			in: inSync, place: placeTransport,
			read: func(f *File, _ []*node, s *Settings) {
				if link, err := f.link(); err == nil && link.rule.keyword == keywordMulticast {
					s.Transport = transportMulticast
				}
			},
			same: func(a, b Settings) bool { return a.Transport == b.Transport },
		},
	}
}

// tcpUnsuitable is why no link of TCP is written.
const tcpUnsuitable = "TCP holds back every later state behind one lost segment, and connsync cannot prove a sync over it"

const wantGroup = "type a group such as 225.0.0.50 or ff05::50"

func multicastGroupSetting() Setting {
	at := func(s *Settings) *string { return &s.MulticastGroup }
	return Setting{
		Field: FieldMulticastGroup, Label: "Multicast Group", Short: "Group", Kind: TextSetting, Advanced: true, Shared: true,
		Usual:    []string{""},
		Usage:    "`address` of the group that both nodes join, such as 225.0.0.50; transport multicast",
		Hint:     "transport multicast: 225.0.0.50, the same on both.",
		Standard: "none", Example: "225.0.0.50",
		About: []string{
			"The address to which both nodes send with transport multicast, without a prefix length: 224.0.0.0 to 239.255.255.255, or an IPv6 address that begins with ff. It is of the family of Current IP, the same on both nodes, and no other pair on the link may have group and port. In the file it is IPv4_address or IPv6_address, and the port is Group.",
			"224.0.0.0 to 224.0.0.255 are reserved for protocols of the network, such as VRRP. A group of ff01:: does not leave the node. One of ff02:: is sent from the link-local address of the interface: the two addresses have to be link-local then, and must not be with another group.",
		},
		Value: Value[string]{
			At: at, Format: func(group string) string { return group },
			Parse: func(text string, _ Settings) (string, string) { return parseGroup(text) },
		},
		takes:     Settings.Multicast,
		Rule:      Settings.groupProblem,
		Advice:    Settings.groupAdvice,
		directive: groupDirective(at),
	}
}

// parseGroup reads a group as it is typed.
func parseGroup(text string) (group, problem string) {
	if text == "" {
		return "", ""
	}
	if f := typed.Foreign(text); f != "" {
		return "", fmt.Sprintf("the multicast group contains %s; %s", f, wantGroup)
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		if _, length := netip.ParsePrefix(text); length == nil {
			return "", fmt.Sprintf("a multicast group has no prefix length; type it without, as %s", text[:strings.IndexByte(text, '/')])
		}
		return "", fmt.Sprintf("%s is not an address; %s", typed.Show(text), wantGroup)
	}
	if a.Zone() != "" {
		return "", fmt.Sprintf("a multicast group has no zone: Interface Name says where it is; type it without, as %s", a.WithZone(""))
	}
	return a.Unmap().String(), notGroup(a.Unmap())
}

func notGroup(a netip.Addr) string {
	if a.IsMulticast() {
		return ""
	}
	return fmt.Sprintf("%s is not a multicast address; %s", a, wantGroup)
}

func (s Settings) groupProblem() string {
	group, current := s.Group(), s.Current.Addr().Unmap()
	switch {
	case !s.Multicast() && s.MulticastGroup != "":
		return "multicast group is an option of transport multicast alone; leave it out, or set Transport to multicast"
	case !s.Multicast(), !group.IsValid() && !s.Enabled:
		return ""
	case !group.IsValid():
		return "no multicast group is given; " + wantGroup + ", the same on both nodes"
	case !group.IsMulticast():
		return notGroup(group)
	case current.IsValid() && group.Is4() != current.Is4():
		return fmt.Sprintf("group %s and Current IP %s are of different families; type a group of the family of Current IP", group, current)
	case group.IsLinkLocalMulticast() && group.Is6() && current.IsValid() && !current.IsLinkLocalUnicast():
		return fmt.Sprintf("group %s is link-local, and the kernel sends to it from the link-local address of the interface, not from %s; type a group of a wider scope such as ff05::50", group, current)
	case group.Is6() && !group.IsLinkLocalMulticast() && current.IsLinkLocalUnicast():
		return fmt.Sprintf("Current IP %s is link-local, and what is sent to %s may come from another address of the interface; type a link-local group such as ff02::50", current, group)
	}
	return ""
}

func (s Settings) groupAdvice() string {
	group := s.Group()
	switch {
	case !s.Multicast():
	case group.Is4() && group.IsLinkLocalMulticast():
		return fmt.Sprintf("%s is reserved for protocols of the network (224.0.0.0 to 224.0.0.255), which VRRP and others use; type another group such as 225.0.0.50", group)
	case group.IsInterfaceLocalMulticast():
		return fmt.Sprintf("%s is of interface-local scope: no message to it leaves this node; type a group such as ff05::50", group)
	}
	return ""
}
