package conntrackd

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"connsync/conntrackd/typed"
)

// commitTimeout takes away what means nothing without the external cache, and
// of which the daemon warns then.
func (m *merge) commitTimeout() {
	if m.s.ExternalCache {
		return
	}
	sync := inside(m.f.top, "Sync")
	all := named(sync, "CommitTimeout")
	for _, mode := range named(sync, "Mode") {
		all = append(all, named(mode.children, "CommitTimeout")...)
	}
	for _, n := range all {
		m.note("CommitTimeout (line %d) goes: nothing is committed when states go straight into the kernel.", m.f.line(n))
	}
	m.f.removeAll(all)
}

// settings sets what the settings name, in the block of each.
func (m *merge) settings() {
	for _, d := range settingTable().inFile() {
		if d.write != nil {
			d.write(m)
		}
	}
}

// find returns the block and the last directive in it with one of the names;
// either is nil where there is none.
func (m *merge) find(in section, names ...string) (block, n *node) {
	m.f.reparse()
	if in == inUDP && m.at >= 0 {
		block = m.f.own()[m.at]
		return block, last(block.children, names...)
	}
	return m.f.block(in), last(m.f.contents(in), names...)
}

func (m *merge) number(in section, name string, value int) {
	block, n := m.find(in, name)
	text := strconv.Itoa(value)
	switch {
	case block == nil:
	case n == nil:
		m.f.insert(block, name+" "+text)
	case atoi(m.f.arg(n, 0)) != value:
		m.f.setArg(n, text)
	}
}

func (m *merge) interfaceName() {
	block, n := m.find(inUDP, "Interface")
	switch {
	case block == nil:
	case n == nil:
		m.f.insert(block, "Interface "+m.s.Interface)
	case m.f.arg(n, 0) != m.s.Interface:
		m.f.setArg(n, m.s.Interface)
	}
}

// address sets an address directive of whatever family it was. The last of
// several is the one in force.
func (m *merge) address(p netip.Prefix, format string) {
	keyword := fmt.Sprintf(format, family(p.Addr()))
	block, n := m.find(inUDP, fmt.Sprintf(format, "IPv4"), fmt.Sprintf(format, "IPv6"))
	switch {
	case block == nil:
		return
	case n == nil:
		m.f.insert(block, addressLine(format, p))
		return
	}
	text := m.f.arg(n, 0)
	old, ok := readAddress(n.text, text)
	if !ok {
		if was, known := intendedPrefix(text); known {
			old = was.Addr()
		}
		m.note("%s in line %d was no bare address: the daemon went on without it.", typed.Show(text), m.f.line(n))
	}
	if old != p.Addr() || p.Bits() >= 0 && m.f.recordedBits(n, old) != p.Bits() {
		m.f.recordBits(n, old, p.Addr(), p.Bits())
	}
	if !ok || old != p.Addr() {
		m.f.setKeyword(n, keyword)
		m.f.setArg(n, p.Addr().String())
	}
}

// ignore keeps the sync addresses in the list of addresses whose connections
// are not replicated, where the file has such a list.
func (m *merge) ignore() {
	wanted := m.s.linkAddresses()
	for _, change := range m.addressChanges() {
		m.f.reparse()
		list := m.ignoreList()
		if list == nil {
			return
		}
		entry, covered := m.f.listed(list, change.old), !change.now.IsValid() || m.f.covers(list, change.now)
		keep := slices.Contains(wanted, change.old) || slices.Contains(m.h.OwnAddresses, change.old)
		switch {
		case change.old == change.now && covered, covered && (entry == nil || keep):
		case entry != nil && !keep && covered:
			m.f.remove(entry)
		case entry != nil && !keep:
			m.f.setKeyword(entry, family(change.now)+"_address")
			m.f.setArg(entry, change.now.String())
		default:
			m.f.insert(list, ignoreLine(change.now))
		}
	}
}

// addressChange is an address of a link that becomes another one; one of them is not
// valid where it goes, or is new.
type addressChange struct{ old, now netip.Addr }

// addressChanges are those of the default link, then those of the spare ones.
func (m *merge) addressChanges() []addressChange {
	changes := []addressChange{{m.before.Current.Addr(), m.s.Current.Addr()}, {m.before.Peer.Addr(), m.s.Peer.Addr()}}
	before, now := m.before.linkAddresses(), m.s.linkAddresses()
	for _, a := range before[2:] {
		if !slices.Contains(now, a) {
			changes = append(changes, addressChange{old: a})
		}
	}
	for _, a := range now[2:] {
		changes = append(changes, addressChange{now: a})
	}
	return changes
}

// linkAddresses are the addresses of each link, this node's before the peer's, those
// of the default link first.
func (s Settings) linkAddresses() []netip.Addr {
	var all []netip.Addr
	for _, l := range s.Links() {
		all = append(all, l.Current.Addr(), l.Peer.Addr())
	}
	return all
}

// ignoreList returns the last Address Ignore of the file, or nil.
func (m *merge) ignoreList() *node {
	var list *node
	for _, n := range named(inside(inside(m.f.top, "General"), "Filter"), "Address") {
		if m.f.arg(n, 0) == "Ignore" && n.open >= 0 {
			list = n
		}
	}
	return list
}

// listed returns the entry for exactly this address, or nil.
func (f *File) listed(list *node, a netip.Addr) *node {
	for _, n := range list.children {
		if n.rule == nil {
			continue
		}
		if b, ok := readAddress(n.text, f.arg(n, 0)); ok && b == a {
			return n
		}
	}
	return nil
}

// covers reports whether the list has the address or a network around it.
func (f *File) covers(list *node, a netip.Addr) bool {
	for _, n := range list.children {
		if n.rule == nil {
			continue
		}
		if p, ok := intendedPrefix(f.arg(n, 0)); ok && p.Contains(a) {
			return true
		}
	}
	return f.listed(list, a) != nil
}
