package conntrackd

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Errors of [File.Settings].
var (
	// ErrNoSync: the file has no Sync section, and no Stats section either.
	ErrNoSync = errors.New("the file has no Sync section")
	// ErrStatsOnly: the daemon only gathers statistics, as the distributions'
	// files have it.
	ErrStatsOnly = errors.New("the file is for statistics only")
	// ErrNoLink: there is a Sync section without any dedicated link.
	ErrNoLink = errors.New("the Sync section has no dedicated link")
)

// TransportError says that the dedicated link is not one of UDP, nor a single one by
// multicast.
type TransportError struct {
	Transport string // Multicast or TCP
	Interface string // as in the file; blank where it is not given
	Line      int
}

// Error names the transport, and the interface where it is given.
func (e *TransportError) Error() string {
	text := fmt.Sprintf("line %d: the dedicated link is %s", e.Line, e.what())
	switch e.Transport {
	case "TCP":
		text += "; " + tcpUnsuitable
	case keywordMulticast:
		text += "; of links by multicast connsync manages one without another link beside it"
	}
	return text
}

func (e *TransportError) what() string {
	if e.Interface == "" {
		return e.Transport
	}
	return e.Transport + " on " + e.Interface
}

// OtherLink names the link over which a daemon syncs with the file and whose
// [File.Settings] are not complete, such as "TCP on eth1"; blank where there is no such
// link.
func (f *File) OtherLink() string {
	s, err := f.Settings()
	var other *TransportError
	switch {
	case errors.As(err, &other):
		return other.what()
	case err == nil && s.Multicast() && !s.Complete(): // which needs no Peer IP
		return (&TransportError{Transport: keywordMulticast, Interface: s.Interface}).what()
	}
	return ""
}

// StatisticsOnly says that the file is for a daemon that keeps statistics and does not
// sync, as the distributions' files are.
func (f *File) StatisticsOnly() bool {
	_, err := f.link()
	return errors.Is(err, ErrStatsOnly)
}

// Settings returns what the daemon would do after reading the file: of values
// that stand twice the last, of several links the one that it starts with. The
// prefix length comes from the comment on the line of the address ("# /24" or
// "# 10.0.0.101/24"), Bits is -1 where there is none. Enabled is never set: the
// service knows. An address which the daemon does not take, such as one with
// its prefix length, is returned as it was meant; a diagnostic says so.
//
// The errors are [ErrNoSync], [ErrStatsOnly], [ErrNoLink] and *[TransportError].
// The Settings are [Defaults] then; with the last, they are those of the UDP link
// that [File.Apply] would make of the other. Of a Multicast link the peer, and with IPv6
// this node's address, come from the comment behind the group.
func (f *File) Settings() (Settings, error) {
	link, err := f.link()
	if errors.As(err, new(*TransportError)) {
		return f.convertedSettings(), err
	}
	if err != nil {
		return Defaults(), err
	}
	return f.settingsOf(link, f.spares()), nil
}

// settingsOf are the settings with the link and those spare ones.
func (f *File) settingsOf(link *node, spares []Settings) (s Settings) {
	s = s.WithSpares(spares)
	for _, d := range settingTable().inFile() {
		if d.read == nil {
			continue
		}
		from := f.contents(d.in)
		if d.in == inUDP {
			from = link.children // which may be of another transport
		}
		d.read(f, from, &s)
	}
	return s
}

// convertedSettings are those of the link with which the daemon starts, as far as
// a link of another transport states them.
func (f *File) convertedSettings() Settings {
	link := f.starting(named(inside(f.top, "Sync"), "UDP", "TCP", "Multicast"))
	s := f.settingsOf(link, nil)
	if link.rule.keyword == "Multicast" { // its addresses are the group's
		s.Current, s.Peer = f.address(link.children, "IPv4_interface"), netip.Prefix{}
		if n := last(link.children, "Group"); n != nil {
			s.Port = port(f.arg(n, 0))
		}
	}
	return s.withDefaults()
}

// EachLink returns the settings of every UDP link, or of the Multicast one, in the order of the file, and the
// place of the one with which the daemon starts, whose are [File.Settings]. What is no
// matter of a link, such as the external cache, is equal in all, and none has spare
// links. There is none where those cannot be read.
func (f *File) EachLink() (all []Settings, standard int) {
	chosen, err := f.link()
	if err != nil {
		return nil, 0
	}
	return f.eachLink(chosen, f.settingsOf(chosen, nil))
}

// bareLinks is [File.EachLink] without what is no matter of a link.
func (f *File) bareLinks() (all []Settings, standard int) {
	chosen, err := f.link()
	if err != nil {
		return nil, 0
	}
	return f.eachLink(chosen, Settings{})
}

// eachLink is [File.EachLink] with s for what is no matter of a link.
func (f *File) eachLink(chosen *node, s Settings) (all []Settings, standard int) {
	inLink := slices.DeleteFunc(NewSettingTable(), func(e Setting) bool { return e.directive == nil || e.directive.in != inUDP })
	slices.SortStableFunc(inLink, func(a, b Setting) int { return a.directive.place - b.directive.place }) // the group first
	if chosen.rule.keyword == keywordMulticast {
		s.Transport = transportMulticast
	}
	for i, l := range f.own() {
		for _, e := range inLink {
			e.Value.clear(&s)
			e.directive.read(f, l.children, &s)
		}
		all = append(all, s)
		if l == chosen {
			standard = i
		}
	}
	return all, standard
}

// spares are the UDP links with which the daemon does not start, as far as the settings
// are of a link: it goes over to one of them when its link fails, and not back by itself.
// Those that lack an interface, an address or a port are left out, since nothing can be
// sent there.
func (f *File) spares() []Settings {
	all, standard := f.bareLinks()
	var spares []Settings
	for i, s := range all {
		if i != standard && s.usable() {
			spares = append(spares, s)
		}
	}
	return spares
}

// link returns the link with which the daemon starts, of UDP or a single one by
// multicast: the last one marked Default, or the first.
func (f *File) link() (*node, error) {
	sync := named(f.top, "Sync")
	if len(sync) == 0 {
		if len(named(f.top, "Stats")) > 0 {
			return nil, ErrStatsOnly
		}
		return nil, ErrNoSync
	}
	links := named(inside(f.top, "Sync"), "UDP", "TCP", "Multicast")
	if len(links) == 0 {
		return nil, ErrNoLink
	}
	if i := slices.IndexFunc(links, func(l *node) bool { return l.rule.keyword != "UDP" }); i >= 0 && !oneMulticast(links) {
		return nil, f.transport(links[i])
	}
	return f.starting(links), nil
}

// starting is the link with which the daemon starts; nil where there is none.
func (f *File) starting(links []*node) (chosen *node) {
	for _, l := range links {
		if chosen == nil || f.arg(l, 0) == "Default" {
			chosen = l
		}
	}
	return chosen
}

func (f *File) transport(l *node) *TransportError {
	e := &TransportError{Transport: l.rule.keyword, Line: f.line(l)}
	if n := last(l.children, "Interface"); n != nil {
		e.Interface = f.arg(n, 0)
	}
	return e
}

// Link is a dedicated link as a file states it.
type Link struct {
	Interface string // blank where it is not given
	Addresses []netip.Addr
}

// Links returns the dedicated links of any transport in the order of the file,
// with the addresses of this node, or of the group, that the daemon takes.
func (f *File) Links() []Link {
	var links []Link
	for _, n := range named(inside(f.top, "Sync"), "UDP", "TCP", "Multicast") {
		var l Link
		if i := last(n.children, "Interface"); i != nil {
			l.Interface = f.arg(i, 0)
		}
		l.Addresses = f.taken(n.children, "IPv4_address", "IPv6_address", "IPv4_interface")
		links = append(links, l)
	}
	return links
}

// taken returns the addresses that the daemon takes of those in directives with
// one of the names.
func (f *File) taken(nodes []*node, names ...string) []netip.Addr {
	var addresses []netip.Addr
	for _, n := range named(nodes, names...) {
		if a, ok := readAddress(n.rule.keyword, f.arg(n, 0)); ok {
			addresses = append(addresses, a)
		}
	}
	return addresses
}

// listening returns interface, Current IP, Port and group of the link with which
// the daemon starts, as far as a look at its sockets needs the settings. ok is
// false where the daemon would not listen at an address and port of the file.
func (f *File) listening() (s Settings, ok bool) {
	link, err := f.link()
	if err != nil || len(f.taken(link.children, "IPv4_address", "IPv6_address")) == 0 {
		return Settings{}, false
	}
	all, err := f.Settings()
	if err != nil || all.Port == 0 {
		return Settings{}, false
	}
	group := Advanced{Transport: all.Transport, MulticastGroup: all.MulticastGroup}
	return Settings{Interface: all.Interface, Current: all.Current, Port: all.Port, Advanced: group}, true
}

// Mode returns the mode in which the daemon syncs: FTFW, NOTRACK or ALARM.
func (f *File) Mode() string {
	if n := f.modeNode(); n != nil {
		return modeNames[n.block]
	}
	if t := f.misplaced("Mode"); t != nil {
		switch t.kind {
		case kindAlarm:
			return modeNames[inAlarm]
		case kindNotrack:
			return modeNames[inNotrack]
		}
	}
	return modeNames[inFTFW]
}

// modeNode returns the Mode in force: FTFW before ALARM before NOTRACK (the flags
// are tested in that order), and of equal ones the last. It is nil where there
// is none, which is FTFW.
func (f *File) modeNode() *node {
	modes := named(inside(f.top, "Sync"), "Mode")
	for _, b := range []section{inFTFW, inAlarm, inNotrack} {
		for i := len(modes) - 1; i >= 0; i-- {
			if modes[i].block == b {
				return modes[i]
			}
		}
	}
	return nil
}

// modeSetting returns the last directive with the name in any Mode: the daemon
// keeps one value for all.
func (f *File) modeSetting(name string) *node {
	var found *node
	for _, m := range named(inside(f.top, "Sync"), "Mode") {
		if n := last(m.children, name); n != nil {
			found = n
		}
	}
	return found
}

func (f *File) externalCache() bool {
	n := f.modeSetting("DisableExternalCache")
	return n == nil || f.argKind(n) != kindOn
}

// address returns the address in force among directives of either family.
func (f *File) address(nodes []*node, names ...string) netip.Prefix {
	var wanted netip.Prefix
	for _, n := range named(nodes, names...) {
		if len(n.args) == 0 {
			continue
		}
		text := f.arg(n, 0)
		if a, ok := readAddress(n.rule.keyword, text); ok {
			wanted = netip.PrefixFrom(a, f.recordedBits(n, a))
		} else if p, ok := intendedPrefix(text); ok && !wanted.Addr().IsValid() {
			wanted = p
		}
	}
	return wanted
}

// prefixMark is how the prefix length stands at the beginning of a comment.
var prefixMark = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^#[ \t]*/([0-9]{1,3})\b`) })

// recordedBits returns the prefix length which the comment behind a directive
// records for an address, or -1.
func (f *File) recordedBits(n *node, a netip.Addr) int {
	comment, _ := f.comment(n)
	start, end := markIn(comment, a)
	if end == 0 {
		return -1
	}
	bits, err := strconv.Atoi(comment[start:end])
	if err != nil || bits > a.BitLen() {
		return -1
	}
	return bits
}

// markIn finds the digits of the prefix length in a comment; end is zero where
// there are none. The length after another address than a is not a's.
func markIn(comment string, a netip.Addr) (start, end int) {
	if m := prefixMark().FindStringSubmatchIndex(comment); m != nil {
		return m[2], m[3]
	}
	full := a.String() + "/"
	i := strings.Index(comment, full)
	if i < 0 || i > 0 && strings.IndexByte("0123456789abcdefABCDEF.:", comment[i-1]) >= 0 {
		return 0, 0
	}
	start = i + len(full)
	end = start + span(comment[start:], isDigit)
	if end == start || end > start+3 {
		return 0, 0
	}
	return start, end
}

// comment returns the comment that follows a directive on its line, without
// the end of the line, and where it begins in the lead of the next token.
func (f *File) comment(n *node) (text string, at int) {
	lead := f.after(n)
	line, _, _ := strings.Cut(*lead, "\n")
	at = strings.IndexByte(line, '#')
	if at < 0 {
		return "", -1
	}
	return strings.TrimRight(line[at:], "\r"), at
}

// after is what stands between a directive and the next token.
func (f *File) after(n *node) *string {
	if n.last+1 < len(f.toks) {
		return &f.toks[n.last+1].lead
	}
	return &f.tail
}
