package conntrackd

import (
	"fmt"
	"slices"
	"strings"

	"connsync/conntrackd/typed"
)

// except begins the name of what a filter keeps out, where all the others pass.
const except = "not-"

func filterSettings() []Setting {
	return []Setting{
		protocolsSetting(), ignoreAddressesSetting(), tcpStatesSetting(), filterFromSetting(), windowTrackingSetting(), expectationSyncSetting(),
	}
}

func protocolsSetting() Setting {
	at := func(s *Settings) *string { return &s.Protocols }
	return Setting{
		Field: FieldProtocols, Label: "Protocols", Short: "Protocols", Kind: ListSetting, Advanced: true, Optional: true, Shared: true,
		Words:    []string{"tcp", "udp", "icmp", "ipv6-icmp", "sctp", "dccp", "gre", "esp"},
		Usage:    "`names` of the protocols that are replicated, such as tcp,udp, or those that are not, such as not-icmp (default all)",
		Hint:     "that are replicated, such as tcp,udp; or not-icmp.",
		Standard: "all", Example: "tcp,udp,icmp",
		About: []string{
			"Only connections of these protocols are replicated; the others are lost at a failover. With " + except + " before each name, all but these are. The names are those of /etc/protocols, and conntrackd drops names that are not there. " + leftOut,
			"connsync coverage counts the connections of this host by protocol.",
		},
		Value:     optionalList(at, protocolItem, oneSign),
		directive: filterDirective("Protocol", at),
	}
}

// protocolItem reads one name of a protocol list.
func protocolItem(text string) (string, string) {
	name, kept := strings.CutPrefix(text, except)
	for _, word := range []string{"tcp", "udp"} {
		if strings.EqualFold(name, word) {
			name = word
		}
	}
	if !nameable("General { Filter { Protocol Accept { %s } } }", protocolWord(name)) {
		return "", typed.Show(name) + " is not a name that conntrackd can read; type names of /etc/protocols, such as tcp,udp"
	}
	if kept {
		name = except + name
	}
	return name, ""
}

// protocolWord is the name as the file has it.
func protocolWord(name string) string {
	if name == "tcp" || name == "udp" {
		return strings.ToUpper(name)
	}
	return name
}

// nameable reports whether the daemon can read the name at its place in a file.
func nameable(format, name string) bool {
	f, _ := Parse("", fmt.Appendf(nil, format, name))
	return !f.bad && len(f.toks) == strings.Count(format, " ")+1
}

// oneSign says why a list cannot have names with and without [except].
func oneSign(list string) string {
	all := strings.Split(list, ",")
	without := slices.DeleteFunc(slices.Clone(all), func(item string) bool { return strings.HasPrefix(item, except) })
	if len(without) == 0 || len(without) == len(all) {
		return ""
	}
	return "the list has names with and without " + except + "; type either what passes or what does not"
}

func ignoreAddressesSetting() Setting {
	at := func(s *Settings) *string { return &s.IgnoreAddresses }
	return Setting{
		Field: FieldIgnoreAddresses, Label: "Ignored Addresses", Short: "Ignored", Kind: ListSetting, Advanced: true, Optional: true,
		Usage:    "`addresses` or networks whose connections are not replicated, beside this node's own (default none)",
		Hint:     "not replicated, beside this node's own.",
		Standard: "none", Example: "192.0.2.7,198.51.100.0/24",
		About: []string{
			"Connections from or to these addresses and networks are not replicated and are lost at a failover. This node's own, the sync addresses and the virtual addresses are ignored anyway and need not be typed.",
			"Give the same on both nodes. The review says how many connections would no longer be replicated. " + leftOut,
		},
		Value: optionalList(at, addressItem, nil),
		Rule: func(s Settings) string {
			for text := range strings.SplitSeq(s.IgnoreAddresses, ",") {
				if p, ok := network(text); ok && p.Bits() == 0 {
					return typed.Show(text) + " is every address: nothing would be replicated; type single addresses or networks"
				}
			}
			return ""
		},
		directive: &directive{
			in: inGeneral, place: placeAdvanced,
			read:  func(f *File, _ []*node, s *Settings) { s.IgnoreAddresses = f.ignoredByHand(*s) },
			write: (*merge).ignoreAddresses,
			same:  sameGiven(at),
		},
	}
}

// addressItem reads one address or network.
func addressItem(text string) (string, string) {
	p, ok := network(text)
	if !ok || p.Addr().Is4In6() {
		return "", typed.Show(text) + " is not an address or a network; type such as 192.0.2.7 or 198.51.100.0/24"
	}
	return shortNetwork(p), ""
}

func tcpStatesSetting() Setting {
	at := func(s *Settings) *string { return &s.TCPStates }
	words := []string{"SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSED", "LISTEN"}
	item := func(text string) (string, string) {
		name, kept := strings.CutPrefix(text, except)
		if strings.EqualFold(name, "CLOSE") {
			name = "CLOSED"
		}
		word, problem := typed.Word(name, "TCP state", words)
		if kept {
			word = except + word
		}
		return word, problem
	}
	return Setting{
		Field: FieldTCPStates, Label: "TCP States", Short: "TCP States", Kind: ListSetting, Words: words, Advanced: true, Optional: true, Shared: true,
		Usage:    "TCP `states` in which connections are replicated, such as ESTABLISHED,CLOSED, or those in which they are not, such as not-TIME_WAIT (default all)",
		Hint:     "in which connections are replicated.",
		Standard: "all", Example: "ESTABLISHED,CLOSED,TIME_WAIT,CLOSE_WAIT",
		About: []string{
			"TCP connections are replicated in these states alone. With " + except + " before each, they are in all other states. Other protocols are not concerned. " + leftOut,
		},
		Value:     optionalList(at, item, oneSign),
		directive: filterDirective("State", at),
	}
}

func filterFromSetting() Setting {
	at := func(s *Settings) *string { return &s.FilterFrom }
	words := []string{"userspace", "kernelspace", DefaultWord}
	return Setting{
		Field: FieldFilterFrom, Label: "Filter From", Short: "Filter", Kind: ChoiceSetting, Words: words, Advanced: true, Optional: true,
		Usual:    []string{"userspace"},
		Usage:    "`where` the kernel's events are filtered: userspace (by conntrackd) or kernelspace (default userspace)",
		Hint:     "conntrackd filters (userspace), or the kernel.",
		Standard: "userspace", Example: "kernelspace",
		About: []string{
			"With kernelspace the kernel filters its events before conntrackd sees them, which saves processor time. Of several IPv6 networks in an Address Accept list it keeps to the first alone. " + leftOut,
		},
		Value:     optionalWord(at, "filter from", words),
		directive: &directive{in: inGeneral, place: placeAdvanced, read: (*File).readFilterFrom, write: (*merge).filterFrom, same: sameGiven(at)},
	}
}

func windowTrackingSetting() Setting {
	at := func(s *Settings) *string { return &s.TCPWindowTracking }
	words := []string{"on", "off", DefaultWord}
	return Setting{
		Field: FieldTCPWindowTracking, Label: "TCP Window Tracking", Short: "TCP Windows", Kind: ChoiceSetting, Words: words, Advanced: true, Optional: true, Shared: true,
		Usual:    []string{"off"},
		Usage:    "`on` replicates TCP windows, too; off has the peer accept any after a failover (default off)",
		Hint:     "replicates TCP windows, too.",
		Standard: "off", Example: "on",
		About: []string{
			"With off the node that takes over accepts any sequence number of a connection until it has seen both directions. With on the windows are replicated, as of the last message about the connection. " + leftOut,
		},
		Value:     optionalWord(at, "TCP window tracking", words),
		directive: onOffDirective(inOptions, "TCPWindowTracking", at),
	}
}

func expectationSyncSetting() Setting {
	at := func(s *Settings) *string { return &s.ExpectationSync }
	item := func(text string) (string, string) {
		for _, word := range []string{"on", "off"} {
			if strings.EqualFold(text, word) {
				return word, ""
			}
		}
		if !nameableHelper(text) {
			return "", typed.Show(text) + " is not a helper that conntrackd can read; type names such as ftp,sip, or on or off"
		}
		return text, ""
	}
	alone := func(list string) string {
		if all := strings.Split(list, ","); len(all) > 1 && (slices.Contains(all, "on") || slices.Contains(all, "off")) {
			return "on and off stand alone; type on, off or a list of helpers"
		}
		return ""
	}
	return Setting{
		Field: FieldExpectationSync, Label: "Expectation Sync", Short: "Expectations", Kind: ListSetting, Advanced: true, Optional: true, Shared: true,
		Words: []string{"on", "off", "ftp", "sip", "h323", "irc", "tftp", "pptp"}, Usual: []string{"on"},
		Usage:    "`helpers` whose announced connections are replicated, such as ftp,sip; or on for all, or off (default on in a new file)",
		Hint:     "on, off, or helpers such as ftp,sip.",
		Standard: "on in a new file, else off", Example: "ftp,sip",
		About: []string{
			"A conntrack helper announces connections, such as those for data of FTP. With on they are replicated; with off those that are announced and not yet open are lost at a failover. A list has the helpers whose announcements are replicated; those in this host's rules are added to it.",
			"Give the same on both nodes: with the states in the kernel, a conntrackd without it may end when the peer announces one. " + leftOut,
		},
		Value: optionalList(at, item, alone),
		directive: &directive{
			in: inOptions, place: placeAdvanced,
			read:  func(f *File, _ []*node, s *Settings) { s.ExpectationSync = f.expectations() },
			write: (*merge).expectationsGiven,
			same:  sameGiven(at),
		},
	}
}

// sameGiven compares lists and words of which b may leave one open.
func sameGiven(at func(*Settings) *string) func(a, b Settings) bool {
	return func(a, b Settings) bool {
		was, wanted := *at(&a), *at(&b)
		return wanted == "" || wanted == DefaultWord && was == "" || sameList(was, wanted)
	}
}
