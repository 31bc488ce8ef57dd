package conntrackd

import (
	"slices"
	"strings"

	"connsync/conntrackd/typed"
)

// SyncsExpectations reports whether the daemon syncs the expectations of a
// conntrack helper. Without that a connection which has only been announced, such
// as one for data of FTP, does not survive a failover.
func (f *File) SyncsExpectations(helper string) bool {
	all := f.expectationSync()
	if len(all) == 0 || f.argKind(all[len(all)-1]) == kindOff {
		return false
	}
	// Every list counts, also before a later "on". As the daemon compares them:
	// sip is sip-5062, too (filter.c).
	names := f.expectationHelpers()
	return len(names) == 0 || covers(names, helper)
}

func covers(names []string, helper string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return len(name) <= len(helper) && strings.EqualFold(name, helper[:len(name)])
	})
}

// withHelpers is a list of helpers with those that the host's rules assign, which a list
// has in any case.
func (s Settings) withHelpers(h Host) Settings {
	switch s.ExpectationSync {
	case "", DefaultWord, "on", "off":
		return s
	}
	names := strings.Split(s.ExpectationSync, ",")
	for _, helper := range h.Helpers {
		if !covers(names, helper) && nameableHelper(helper) {
			names = append(names, helper)
		}
	}
	s.ExpectationSync = strings.Join(names, ",")
	return s
}

// ExpectationSyncOff returns the line in which the file says that no expectation
// is synchronised; zero where it does not.
func (f *File) ExpectationSyncOff() (line int) {
	if all := f.expectationSync(); len(all) > 0 && f.argKind(all[len(all)-1]) == kindOff {
		return f.line(all[len(all)-1])
	}
	return 0
}

func (f *File) expectationSync() []*node {
	return named(inside(inside(f.top, "Sync"), "Options"), "ExpectationSync")
}

func (f *File) expectationHelpers() (names []string) {
	for _, list := range f.expectationSync() {
		for _, n := range list.children {
			if n.rule != nil {
				names = append(names, n.text)
			}
		}
	}
	return names
}

// expectations are on, off, or the helpers whose expectations the file syncs; blank where
// it says nothing of them.
func (f *File) expectations() string {
	all := f.expectationSync()
	switch names := f.expectationHelpers(); {
	case len(all) == 0:
		return ""
	case f.argKind(all[len(all)-1]) == kindOff:
		return "off"
	case len(names) > 0:
		list, _ := typed.List(strings.Join(names, ","), func(name string) (string, string) { return name, "" })
		return list
	}
	return "on"
}

// expectationsGiven sets what was given of the expectations. A list keeps its place, and
// those of its items that are wanted.
func (m *merge) expectationsGiven() {
	wanted, all := m.s.ExpectationSync, m.f.expectationSync()
	if wanted == "" || wanted == DefaultWord && len(all) == 0 || sameList(m.s.withHelpers(m.h).ExpectationSync, m.now().withHelpers(m.h).ExpectationSync) {
		return
	}
	if wanted == DefaultWord {
		m.takeOut(inOptions, "ExpectationSync")
		return
	}
	line := []string{"ExpectationSync " + wanted}
	if wanted != "on" && wanted != "off" {
		line = slices.Concat([]string{"ExpectationSync {"}, shifted(strings.Split(wanted, ",")), []string{"}"})
	}
	if len(all) == 0 {
		if options := m.f.block(inOptions); options != nil {
			m.f.insert(options, line...)
			return
		}
		m.f.insert(last(m.f.top, "Sync"), slices.Concat([]string{"", "Options {"}, shifted(line), []string{"}"})...)
		return
	}
	m.f.removeAll(all[:len(all)-1])
	n := last(m.f.contents(inOptions), "ExpectationSync")
	if len(n.args) == 0 && len(line) > 1 {
		m.helperList(n, strings.Split(wanted, ","))
		return
	}
	m.f.replace(n, m.inPlace(n, strings.Join(line, "\n")))
}

// helperList has a list of helpers hold the names and no others.
func (m *merge) helperList(list *node, names []string) {
	var gone []*node
	for _, n := range list.children {
		if i := slices.Index(names, n.text); n.rule != nil && i >= 0 {
			names = slices.Delete(names, i, i+1)
		} else if n.rule != nil && !slices.Contains(m.h.Helpers, n.text) {
			gone = append(gone, n)
		}
	}
	if len(names) > 0 {
		m.f.insert(list, names...)
	}
	m.f.removeAll(gone)
}

func shifted(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "\t" + l
	}
	return out
}

// missingHelpers are those of the host's helpers whose expectations the file does
// not sync, without those that it cannot name.
func (f *File) missingHelpers(h Host) []string {
	return slices.DeleteFunc(slices.Clone(h.Helpers), func(name string) bool {
		return f.SyncsExpectations(name) || !nameableHelper(name)
	})
}

// nameableHelper reports whether the daemon can read the name in its list.
func nameableHelper(name string) bool {
	f, _ := Parse("", []byte("Sync { Options { ExpectationSync { "+name+" } } }"))
	names := f.expectationHelpers()
	return !f.bad && len(names) == 1 && names[0] == name
}

// optionsBlock is the block of a file that has none. With the states in the
// kernel, conntrackd without ExpectationSync ends when the peer sends an
// expectation (1.4.7, external_inject.c): hence it is in every new file, whatever
// the host's rules assign.
const optionsBlock = `Options {
	# Connections that a helper has announced, such as those for data of FTP, are
	# synchronised, too. On both nodes or on neither: a conntrackd without this
	# may end when the peer announces one.
	ExpectationSync on
}
`

// expectations adds the host's helpers to those whose expectations are
// synchronised, where that can do the peer no harm: the file has a list of them
// already, or the states stay in the external cache. Where the settings take it out of
// the file, or the file says off, it is left alone.
func (m *merge) expectations() {
	missing := m.f.missingHelpers(m.h)
	if len(missing) == 0 {
		return
	}
	all := m.f.expectationSync()
	lists := slices.DeleteFunc(slices.Clone(all), func(n *node) bool { return len(n.args) > 0 })
	options := last(inside(m.f.top, "Sync"), "Options")
	switch line := m.f.ExpectationSyncOff(); {
	case line > 0, len(all) == 0 && (!m.s.ExternalCache || m.s.ExpectationSync != ""):
		m.note("The file does not sync the expectations of %s; check expectations says what to do.", strings.Join(missing, ", "))
		return
	case len(lists) > 0:
		m.f.insert(lists[len(lists)-1], missing...)
	case options != nil:
		block := lines(optionsBlock)
		m.f.insert(options, unindent(block[1:len(block)-1])...)
	default:
		m.f.insert(last(m.f.top, "Sync"), append([]string{""}, lines(optionsBlock)...)...)
	}
	m.note("The expectations of the helpers in this host's rules are synchronised from now on (%s).", strings.Join(missing, ", "))
	m.f.reparse()
}

func unindent(block []string) []string {
	var out []string
	for _, l := range block {
		out = append(out, strings.TrimPrefix(l, "\t"))
	}
	return out
}
