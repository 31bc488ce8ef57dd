package conntrackd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// newFile returns a complete, commented file for the settings and the host. The
// settings have to be good; see [Settings.Complete].
func newFile(s Settings, h Host) []byte {
	return []byte(linkWords(s, `# conntrackd.conf: synchronisation of connections with the peer node.
#
# connsync keeps the link in "UDP" and "DisableExternalCache" up to date and
# leaves everything else as it stands here. The number after an address is the
# prefix length of the sync subnet: conntrackd itself takes bare addresses only.
# After a change by hand: connsync apply, which restarts conntrackd

`) + syncSection(s) + "\n" + generalSection(s, h))
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func syncSection(s Settings) string {
	return "Sync {\n" + newLines(inSync, s, "\t") + newMode(s, "\t") + "\n" + newLinks(s, "\t") + "\n" + shift("\t", optionsBlock) + "}\n"
}

func newMode(s Settings, indent string) string {
	return shift(indent, fmt.Sprintf(`# Reliable: what is lost on the way is sent again.
Mode FTFW {
	# on: the peer's states are written to the kernel's table at once, so that a
	# failover needs no script. off: they are kept in the external cache
	# until a failover script commits them.
	DisableExternalCache %s

	# Ask the peer for its states at start; a restarted node stays empty
	# otherwise.
	StartupResync on
%s}
`, onOff(!s.ExternalCache), newLines(inFTFW, s, "\t")))
}

// newLinks are the default link and the spare ones.
func newLinks(s Settings, indent string) string {
	text := newLink(s, indent)
	for _, l := range s.withDefaults().Spares() {
		text += "\n" + shift(indent, "# A spare link: the daemon goes over to it when the interface above loses its\n# carrier.\n"+spareBlock(l))
	}
	return text
}

func newLink(s Settings, indent string) string {
	return shift(indent, linkWords(s, `# The dedicated link: this node's address, the peer's, and the port, which is
# the same on both nodes.
`)+linkBlock(s))
}

// spareBlock is a spare link, without the comments that the default one has.
func spareBlock(s Settings) string {
	plain := slices.DeleteFunc(lines(linkBlock(s)), func(l string) bool { return l == "" || strings.HasPrefix(l, "\t#") })
	return strings.Join(plain, "\n") + "\n"
}

func linkBlock(s Settings) string {
	return s.keyword() + " {\n" + newLines(inUDP, s, "\t") + "\n\tChecksum on\n}\n"
}

// newLines are the lines of the settings in a block that has others as well.
func newLines(in section, s Settings, indent string) string {
	return shift(indent, settingTable().lines(in, s.withDefaults()))
}

// addressLine is an address directive with the prefix length behind it.
func addressLine(keyword string, p netip.Prefix) string {
	line := fmt.Sprintf(keyword, family(p.Addr())) + " " + p.Addr().String()
	if p.Bits() >= 0 {
		line += fmt.Sprintf(" # /%d", p.Bits())
	}
	return line
}

func generalSection(s Settings, h Host) string {
	var b strings.Builder
	b.WriteString("General {\n")
	if h.UnitNotify {
		b.WriteString("\t# The service unit waits for this (Type=notify).\n\tSystemd on\n\n")
	}
	known := ""
	if h.ConntrackMax <= 0 {
		known = ", as assumed"
	}
	fmt.Fprintf(&b, `	# For the kernel's table of %d connections%s (nf_conntrack_max):
	# a quarter of it in buckets, twice of it in states. A full cache loses
	# states without a word.
	HashSize %d
	HashLimit %d

	LockFile %s

	UNIX {
		Path %s
	}

	# Room for the kernel's events, in bytes, and up to where it grows. Without
	# the second the first is ignored.
	NetlinkBufferSize %d
	NetlinkBufferSizeMaxGrowth %d

`, h.table(), known, h.hashSize(), h.hashLimit(), h.lockFile(), h.socketPath(), netlinkBuffer, netlinkGrowth)
	b.WriteString(newLines(inGeneral, s, "\t"))
	b.WriteString(filterBlock(s, h, "\t"))
	b.WriteString("}\n")
	return b.String()
}

// What upstream recommends against lost events, in bytes.
const (
	netlinkBuffer = 2 << 20
	netlinkGrowth = 8 << 20
)

func filterBlock(s Settings, h Host, indent string) string {
	return shift(indent, `# Connections of the nodes themselves are not replicated. Single addresses
# only: what is in a network listed here would be lost at a failover.
Filter From Userspace {
`+ignoreBlock(h.ignored(s), "\t")+`}
`)
}

func ignoreBlock(addrs []netip.Addr, indent string) string {
	var b strings.Builder
	b.WriteString("Address Ignore {\n")
	for _, a := range addrs {
		b.WriteString("\t" + ignoreLine(a) + "\n")
	}
	b.WriteString("}\n")
	return shift(indent, b.String())
}

// family is the address's part of a directive's name.
func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func ignoreLine(a netip.Addr) string { return family(a) + "_address " + a.String() }

// shift indents every line that is not blank.
func shift(indent, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Trim(line, "\r\n") != "" {
			b.WriteString(indent)
		}
		b.WriteString(line)
	}
	return b.String()
}
