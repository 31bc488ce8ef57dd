package text

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/shell"
)

// PeerCommand is the command to type at the other node of the pair: the same
// settings with the two addresses swapped. The interface is this node's; the
// other one may have another name for it, see [PeerNote].
func PeerCommand(t conntrackd.SettingTable, s conntrackd.Settings, before ...conntrackd.Settings) string {
	var words []string
	for _, w := range peerWords(t, s, before...) {
		words = append(words, w.String())
	}
	return strings.Join(words, " ")
}

// PeerLines are what there is to do at the other node, a line each.
func PeerLines(t conntrackd.SettingTable, s conntrackd.Settings, before ...conntrackd.Settings) []string {
	return []string{
		"On the other node: " + PeerCommand(t, s, before...),
		"  " + peerNoteFor(s),
		fingerprintBegin + ", the same on both nodes: " + Fingerprint(t, s),
	}
}

// PeerProblems are those with which the other node would refuse the command of
// [PeerCommand]. Their fields are those of the other node.
func PeerProblems(t conntrackd.SettingTable, s conntrackd.Settings) []conntrackd.Problem {
	s.Enabled = true
	_, problems := ParseSettings(t, t.Values(otherEnd(s)))
	return problems
}

// PeerTakes says that sync is to run with s, and that there is a [PeerCommand] for the other
// node, which it would not refuse.
func PeerTakes(t conntrackd.SettingTable, s conntrackd.Settings) bool {
	return s.Enabled && s.Complete() && len(PeerProblems(t, s)) == 0
}

// PeerIntro comes before the lines of [PeerCommandLines], and [PeerCheck] after them.
const PeerIntro = "At the other node, with its own interface name:"

// PeerCheck is what both nodes show once the other one is set up.
func PeerCheck(t conntrackd.SettingTable, s conntrackd.Settings) string {
	return bothNodes + " then show the fingerprint " + Fingerprint(t, s) + "."
}

// How the lines begin that come after the command, which [ParsePeerLine] passes
// over.
const (
	fingerprintBegin = "Fingerprint"
	bothNodes        = "Both nodes"
)

// PeerNote says what has to be adapted in [PeerCommand].
const PeerNote = "put the peer's own interface name after --interface"

// peerNoteFor is [PeerNote], with what is to be adapted of spare links.
func peerNoteFor(s conntrackd.Settings) string {
	if len(s.Spares()) == 0 {
		return PeerNote
	}
	return PeerNote + ", and first in each --" + conntrackd.FieldSpareLinks.Flag()
}

// peerWord is a flag of the command with its value, if it has one.
type peerWord struct{ flag, value string }

// String is the word as it is typed in a shell.
func (w peerWord) String() string {
	if w.value == "" {
		return w.flag
	}
	return w.flag + " " + shell.Word(w.value)
}

// peerWords are the words of the command. The last one has no value: of a number
// nobody could tell whether its end was cut off. before are the settings that a save has
// replaced, if any: what it has set back is told too, since the other node still has it.
func peerWords(t conntrackd.SettingTable, s conntrackd.Settings, before ...conntrackd.Settings) []peerWord {
	words := []peerWord{{flag: "connsync apply"}}
	v := t.Values(otherEnd(s))
	for _, e := range t {
		flag, value := "--"+e.Field.Flag(), Whole(v[e.Field])
		back := slices.ContainsFunc(before, func(b conntrackd.Settings) bool { return setBack(e, b, s) })
		if back && e.Optional {
			value = cmp.Or(value, conntrackd.DefaultWord)
		}
		switch {
		case e.Usage == "" || value == "":
		case e.Kind == conntrackd.LinksSetting:
			for link := range strings.SplitSeq(value, ", ") {
				words = append(words, peerWord{flag, link})
			}
		case !back && !tellPeer(e, s):
		case e.Kind != conntrackd.SwitchSetting:
			words = append(words, peerWord{flag, value})
		case back || e.On(value): // else off is what the other node has by itself
			words = append(words, peerWord{flag: flag + "=" + value})
		}
	}
	return append(words, peerWord{flag: peerLineEnd})
}

// otherEnd are the settings with the addresses of each link swapped.
func otherEnd(s conntrackd.Settings) conntrackd.Settings {
	swap := func(s conntrackd.Settings) conntrackd.Settings {
		s.Current, s.Peer = withLength(s.Peer, s.Current), withLength(s.Current, s.Peer)
		return s
	}
	spares := s.Spares()
	for i := range spares {
		spares[i] = swap(spares[i])
	}
	return swap(s).WithSpares(spares)
}

// tellPeer says whether the other node has to be told of the setting: it has the same
// defaults, and its own sizes.
func tellPeer(e conntrackd.Setting, s conntrackd.Settings) bool {
	return !e.Advanced || e.Shared && e.Told(s, conntrackd.Host{})
}

// setBack says whether a setting that the other node was told of has its usual value again.
func setBack(e conntrackd.Setting, before, now conntrackd.Settings) bool {
	if e.Kind == conntrackd.SwitchSetting {
		return e.Advanced && e.On(e.Text(before)) && !e.On(e.Text(now))
	}
	return e.Advanced && tellPeer(e, before) && !tellPeer(e, now)
}

// Prefix is p as it is typed. A prefix length that is not known is taken
// from the other end of the link, which has the same one.
func Prefix(p, other netip.Prefix) string {
	p = withLength(p, other)
	switch {
	case !p.Addr().IsValid():
		return ""
	case p.Bits() >= 0:
		return p.String()
	}
	return p.Addr().String()
}

func withLength(p, other netip.Prefix) netip.Prefix {
	if p.Bits() < 0 && p.Addr().IsValid() && other.Bits() >= 0 && other.Addr().Is4() == p.Addr().Is4() {
		return netip.PrefixFrom(p.Addr(), other.Bits())
	}
	return p
}

// FingerprintCovers says in words what has to be equal on both nodes, for the fingerprints
// to be.
func FingerprintCovers(t conntrackd.SettingTable) string {
	labels := t.SharedLabels()
	last := len(labels) - 1
	return "the two addresses and the prefix length of each link, spare links too, and " + strings.Join(labels[:last], ", ") + " and " + labels[last]
}

// Fingerprint is [conntrackd.SettingTable.Fingerprint].
func Fingerprint(t conntrackd.SettingTable, s conntrackd.Settings) string { return t.Fingerprint(s) }
