package conntrackd

import (
	"net/netip"
	"slices"
)

// spareLinksDirective are the UDP blocks beside the one of the default link, which
// [File.Settings] reads and merge.links writes.
func spareLinksDirective() *directive {
	return &directive{
		in:   inSync,
		same: sameSpares,
	}
}

// sameSpares compares the spare links in their order, in which the daemon tries them.
func sameSpares(a, b Settings) bool {
	all := linkDirectives()
	return slices.EqualFunc(a.Spares(), b.Spares(), func(a, b Settings) bool { return sameLink(all, a, b.asRecorded(a)) })
}

// sameLink compares what the file keeps of two links, all of [linkDirectives]; what b
// leaves open does not count.
func sameLink(all []*directive, a, b Settings) bool {
	return !slices.ContainsFunc(all, func(d *directive) bool { return !d.same(a, b) })
}

// asRecorded is the link of s without the prefix lengths that the block of a spare link
// does not record: the interface has them.
func (s Settings) asRecorded(block Settings) Settings {
	for _, p := range []struct{ now, old *netip.Prefix }{{&s.Current, &block.Current}, {&s.Peer, &block.Peer}} {
		if p.now.Addr() == p.old.Addr() && p.old.Bits() < 0 {
			*p.now = *p.old
		}
	}
	return s
}

// linkDirectives are those of [LinkFields]. What else stands in a link is of no setting
// of its own.
func linkDirectives() []*directive {
	t := slices.DeleteFunc(NewSettingTable(), func(e Setting) bool { return !slices.Contains(LinkFields(), e.Field) })
	return t.inFile()
}

// usable reports whether anything could be sent over the link of s.
func (s Settings) usable() bool {
	return s.Interface != "" && s.Current.Addr().IsValid() && s.Peer.Addr().IsValid() && s.Port != 0
}

// links sees to it that the file has a block for each link of the settings and no
// other, and that the daemon starts with the default one. A block is the one of the
// link that it states, else of the one with its interface, else with its address; what
// of the default link is in none is written to the block of the daemon's. The blocks
// of the spare links are then set, the default one is with the other settings.
func (m *merge) links() {
	wanted := m.s.Links()
	standing, standard := m.f.bareLinks()
	blockOf := assign(wanted, standing, standard)
	for i := range wanted {
		if i > 0 && blockOf[i] >= 0 {
			wanted[i] = wanted[i].asRecorded(standing[blockOf[i]])
		}
	}
	m.dropLinks(blockOf, standing)
	for i, l := range wanted {
		if blockOf[i] < 0 {
			m.addLink(l)
			blockOf[i] = len(m.f.own()) - 1
		}
	}
	m.startWith(blockOf[0])
	m.order(blockOf[1:])
	for i, l := range wanted[1:] {
		m.onLink(blockOf[i+1], l)
	}
}

// assign returns the place of the block of each link; -1 where it has none.
func assign(wanted, standing []Settings, standard int) []int {
	blockOf := slices.Repeat([]int{-1}, len(wanted))
	take := func(fits func(i, block int) bool) {
		for i := range wanted {
			for block := range standing {
				if blockOf[i] < 0 && !slices.Contains(blockOf, block) && fits(i, block) {
					blockOf[i] = block
				}
			}
		}
	}
	all := linkDirectives()
	take(func(i, block int) bool { return sameLink(all, standing[block], wanted[i]) })
	take(func(i, block int) bool { return standing[block].Interface == wanted[i].Interface })
	take(func(i, block int) bool { return sameHost(standing[block].Current, wanted[i].Current) })
	take(func(i, block int) bool { return i == 0 && block == standard })
	return blockOf
}

// dropLinks takes the blocks away that are of no link, and lets blockOf follow. A
// block that states no whole link stays as long as the spare links do.
func (m *merge) dropLinks(blockOf []int, standing []Settings) {
	keep := sameSpares(m.before, m.s)
	blocks := m.f.own()
	var gone []*node
	for i := len(blocks) - 1; i >= 0; i-- {
		if slices.Contains(blockOf, i) || keep && !standing[i].usable() {
			continue
		}
		gone = append(gone, blocks[i])
		for j := range blockOf {
			if blockOf[j] > i {
				blockOf[j]--
			}
		}
	}
	m.f.removeAll(gone)
}

// addLink adds a block for a spare link behind the last one.
func (m *merge) addLink(l Settings) {
	blocks := m.f.own()
	m.f.insertAfter(blocks[len(blocks)-1], spareBlock(l))
	m.f.reparse()
}

// order has the blocks of the spare links stand in the order of these: blocks change
// places, and what stands between them stays.
func (m *merge) order(blockOf []int) {
	places := slices.Sorted(slices.Values(blockOf))
	if slices.Equal(places, blockOf) {
		return
	}
	blocks := m.f.own()
	var texts []string
	for _, block := range blockOf {
		texts = append(texts, m.f.text(blocks[block]))
	}
	for i, place := range slices.Backward(places) { // so that the tokens before one stay where they are
		m.f.exchange(blocks[place], texts[i])
	}
	m.f.reparse()
	copy(blockOf, places)
}

// startWith has the daemon start with the UDP link at a place: no other is marked
// Default, and it is where it is not the first.
func (m *merge) startWith(place int) {
	chosen, err := m.f.link()
	if err != nil || chosen == m.f.own()[place] {
		return
	}
	for i := range m.f.own() {
		if n := m.f.own()[i]; len(n.args) > 0 {
			m.f.dropArgs(n)
			m.f.reparse()
		}
	}
	if place > 0 {
		m.f.setKeyword(m.f.own()[place], "UDP Default")
		m.f.reparse()
	}
}

// onLink sets the directives of the UDP link at a place.
func (m *merge) onLink(place int, l Settings) {
	all := m.s
	m.s, m.at = l, place
	for _, d := range linkDirectives() {
		d.write(m)
	}
	m.s, m.at = all, -1
}
