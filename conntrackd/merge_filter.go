package conntrackd

import (
	"net/netip"
	"slices"
	"strings"
)

// filterDirective is the Protocol or the State lists of the Filter as one setting.
func filterDirective(subject string, at func(*Settings) *string) *directive {
	same := sameGiven(at)
	return &directive{
		in: inGeneral, place: placeAdvanced,
		read: func(f *File, _ []*node, s *Settings) { *at(s) = f.filtered(subject) },
		write: func(m *merge) {
			var now Settings
			m.f.reparse()
			if *at(&now) = m.f.filtered(subject); !same(now, m.s) {
				m.filterList(subject, *at(&m.s))
			}
		},
		same: same,
	}
}

// now are the settings of the file as it is in the middle of the merge.
func (m *merge) now() Settings {
	m.f.reparse()
	s, _ := m.f.Settings()
	return s.OnHost(m.h)
}

// filtered are the items of all lists of a subject: to the daemon they are one list, of
// which the last says what they do.
func (f *File) filtered(subject string) string {
	var all []string
	sign := ""
	for _, list := range f.filterLists(subject) {
		if sign = except; list.Accept {
			sign = ""
		}
		for _, i := range list.Items {
			name := i.Text
			if subject == "Protocol" {
				name = protocolName(name)
			}
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	for i := range all {
		all[i] = sign + all[i]
	}
	return strings.Join(all, ",")
}

// filterNodes are the lists of a subject in the file.
func (m *merge) filterNodes(subject string) []*node {
	m.f.reparse()
	return slices.DeleteFunc(named(inside(inside(m.f.top, "General"), "Filter"), subject), func(n *node) bool { return n.open < 0 })
}

// filterList has the lists of a subject hold the items of a value, and nothing else.
// What stands there and is wanted stays where it is.
func (m *merge) filterList(subject, value string) {
	lists := m.filterNodes(subject)
	if value == DefaultWord {
		m.f.removeAll(lists)
		return
	}
	verb, items := "Accept", strings.Split(value, ",")
	if strings.HasPrefix(value, except) {
		verb = "Ignore"
	}
	for i := range items {
		items[i] = strings.TrimPrefix(items[i], except)
	}
	if len(lists) == 0 {
		m.f.insert(m.filter(), m.newFilterList(subject, verb, items)...)
		return
	}
	m.f.removeAll(lists[:len(lists)-1])
	list := m.filterNodes(subject)[0]
	if m.f.arg(list, 0) != verb {
		m.f.setArg(list, verb)
	}
	missing := slices.Clone(items)
	var gone []*node
	for _, n := range list.children {
		if n.rule == nil || n.text == "for" {
			continue
		}
		name := n.rule.name()
		if subject == "Protocol" {
			name = protocolName(n.text)
		}
		if i := slices.Index(missing, name); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		} else {
			gone = append(gone, n)
		}
	}
	m.addItems(subject, list, missing)
	m.f.removeAll(gone)
}

func protocolName(word string) string {
	if word == "TCP" || word == "UDP" {
		return strings.ToLower(word)
	}
	return word
}

// addItems adds items to a list without moving the tokens of those that it has: a list
// of states ends in words of its own.
func (m *merge) addItems(subject string, list *node, items []string) {
	if len(items) == 0 {
		return
	}
	if subject == "Protocol" {
		for i := range items {
			items[i] = protocolWord(items[i])
		}
		m.f.insert(list, items...)
		return
	}
	words := strings.Join(items, " ")
	if end := slices.IndexFunc(list.children, func(n *node) bool { return n.text == "for" }); end >= 0 {
		m.f.setKeyword(list.children[end], words+" for")
		return
	}
	m.f.insert(list, words+" for TCP")
}

func (m *merge) newFilterList(subject, verb string, items []string) []string {
	if subject == "State" {
		return []string{"State " + verb + " {", "\t" + strings.Join(items, " ") + " for TCP", "}"}
	}
	all := []string{subject + " " + verb + " {"}
	for _, i := range items {
		all = append(all, "\t"+protocolWord(i))
	}
	return append(all, "}")
}

// filter is the last Filter of the file, which is made where there is none.
func (m *merge) filter() *node {
	m.f.reparse()
	if n := last(inside(m.f.top, "General"), "Filter"); n != nil {
		return n
	}
	m.f.insert(last(m.f.top, "General"), append([]string{""}, lines(filterBlock(m.s, m.h, ""))...)...)
	m.f.reparse()
	return last(inside(m.f.top, "General"), "Filter")
}

// ignoredByHand are the addresses of the Ignore list without those that every file has:
// loopback and the sync link.
func (f *File) ignoredByHand(s Settings) string {
	var all []string
	seen := map[netip.Prefix]bool{}
	for _, list := range f.filterLists("Address") {
		if list.Accept {
			return "" // what it does not have is ignored, which is no list of addresses
		}
		for _, i := range list.Items {
			p, ok := network(i.Text)
			if ok && p.Addr().Is4() != i.IPv6 && !seen[p] {
				seen[p] = true
				all = append(all, shortNetwork(p))
			}
		}
	}
	s.IgnoreAddresses = strings.Join(all, ",")
	return s.OnHost(Host{}).IgnoreAddresses
}

// shortNetwork is an address where the network has no other.
func shortNetwork(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// ignoreAddresses has the Ignore list hold the addresses of the value beside the host's
// own.
func (m *merge) ignoreAddresses() {
	if m.s.IgnoreAddresses == "" {
		return // without reading a list that may be long
	}
	if sameGiven(func(s *Settings) *string { return &s.IgnoreAddresses })(m.now(), m.s) {
		return
	}
	accepting := slices.DeleteFunc(m.filterNodes("Address"), func(n *node) bool { return m.f.arg(n, 0) != "Accept" })
	for _, n := range accepting {
		m.replacing(n, "Address Accept list: it ignores every address that it does not have")
	}
	m.f.removeAll(accepting)
	wanted := map[netip.Prefix]bool{}
	if m.s.IgnoreAddresses != DefaultWord {
		for text := range strings.SplitSeq(m.s.IgnoreAddresses, ",") {
			if p, ok := network(text); ok {
				wanted[p] = true
			}
		}
	}
	var gone []*node
	for _, list := range m.filterNodes("Address") {
		for _, n := range list.children {
			p, ok := network(m.f.arg(n, 0))
			switch {
			case n.rule == nil || !ok || m.own(p):
			case wanted[p]:
				delete(wanted, p)
			default:
				gone = append(gone, n)
			}
		}
	}
	m.f.removeAll(gone)
	if len(wanted) == 0 {
		return
	}
	if filter := m.filter(); m.ignoreList() == nil {
		m.f.insert(filter, lines(ignoreBlock(m.h.ignored(m.s), ""))...)
		m.f.reparse()
	}
	var missing []string
	for text := range strings.SplitSeq(m.s.IgnoreAddresses, ",") {
		if p, ok := network(text); ok && wanted[p] {
			missing = append(missing, family(p.Addr())+"_address "+shortNetwork(p))
		}
	}
	m.f.insert(m.ignoreList(), missing...)
}

// own reports whether the address is one that is ignored without being typed, before or
// after the merge.
func (m *merge) own(p netip.Prefix) bool {
	return p.IsSingleIP() && (slices.Contains(m.h.ignored(m.s), p.Addr()) || slices.Contains(m.h.ignored(m.before), p.Addr()))
}

func (f *File) readFilterFrom(_ []*node, s *Settings) {
	if n := last(inside(f.top, "General"), "Filter"); n != nil {
		s.FilterFrom = strings.ToLower(f.arg(n, 1))
	}
}

// filterFrom sets who filters, in every Filter of the file.
func (m *merge) filterFrom() {
	var now Settings
	m.f.reparse()
	m.f.readFilterFrom(nil, &now)
	wanted := m.s.FilterFrom
	if wanted == "" || wanted == DefaultWord && now.FilterFrom == "" || wanted == now.FilterFrom {
		return
	}
	n := m.filter()
	switch {
	case wanted != DefaultWord && len(n.args) > 1:
		m.f.set(n.args[1], upperFirst(wanted))
	case wanted != DefaultWord:
		m.f.setKeyword(n, "Filter From "+upperFirst(wanted))
	default:
		m.f.dropArgs(n)
	}
	m.f.reparse()
}

func upperFirst(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
