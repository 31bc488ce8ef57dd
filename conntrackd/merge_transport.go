package conntrackd

import (
	"fmt"
	"slices"
	"strings"
)

// inUDPLink is what the directives of the other transports are called in a UDP
// link. A blank name is one that means nothing there.
var inUDPLink = map[string]map[string]string{
	"Multicast": {
		"Group": "Port", "IPv4_interface": "IPv4_address",
		"IPv4_address": "", "IPv6_address": "", "IPv6_interface": "",
	},
	"TCP": {"ErrorQueueLength": ""},
}

// linkValue is a directive of a link that is replaced.
type linkValue struct{ keyword, text, now string }

// transports makes a UDP link of the one with which the daemon starts, and takes
// the other links that are not UDP away.
func (m *merge) transports() {
	for {
		links := named(inside(m.f.top, "Sync"), "UDP", "TCP", "Multicast")
		n := m.f.converted(links)
		i := slices.IndexFunc(links, func(other *node) bool { return other.rule.keyword != "UDP" && other != n })
		if i >= 0 {
			n = links[i]
		}
		if n == nil {
			return
		}
		t := m.f.transport(n)
		m.replacing(n, t.Transport+" link"+strings.TrimPrefix(t.what(), t.Transport))
		if i >= 0 {
			m.f.remove(n)
		} else {
			m.convert(n)
		}
		m.f.reparse()
	}
}

// converted is the link that becomes one of UDP; nil where there is one already.
func (f *File) converted(links []*node) *node {
	if n := f.starting(links); n != nil && !slices.ContainsFunc(links, func(n *node) bool { return n.rule.keyword == "UDP" }) {
		return n
	}
	return nil
}

// convert makes a UDP link of one of another transport, with everything in it
// that means the same there. What the settings say differently comes later.
func (m *merge) convert(n *node) {
	m.replaced = n.rule.keyword
	for _, c := range slices.Backward(n.children) { // so that the tokens before one stay where they are
		if c.rule == nil {
			continue
		}
		v := linkValue{keyword: c.rule.keyword, text: m.f.arg(c, 0), now: c.rule.keyword}
		if now, known := inUDPLink[m.replaced][v.keyword]; known {
			v.now = now
		}
		m.replacedValues = append(m.replacedValues, v)
		if v.now == "" {
			m.f.remove(c)
		} else if v.now != v.keyword {
			m.f.setKeyword(c, v.now)
		}
	}
	slices.Reverse(m.replacedValues)
	m.f.setKeyword(n, "UDP")
}

// tellReplaced notes what became of the directives of a link that was replaced.
func (m *merge) tellReplaced() {
	link, err := m.f.link()
	if m.replaced == "" || err != nil {
		return
	}
	var kept, changed, dropped []string
	for _, v := range m.replacedValues {
		was := strings.TrimSpace(v.keyword + " " + v.text)
		names := []string{v.now}
		if family, rest, ok := strings.Cut(v.now, "_"); ok { // the settings may have another family
			names = []string{family + "_" + rest, "IPv4_" + rest, "IPv6_" + rest}
		}
		n := last(link.children, names...)
		if v.now == "" || n == nil {
			dropped = append(dropped, was)
			continue
		}
		if now := strings.TrimSpace(n.text + " " + m.f.arg(n, 0)); now != was {
			changed = append(changed, was+" becomes "+now)
		} else {
			kept = append(kept, was)
		}
	}
	var parts []string
	for _, p := range []struct {
		what string
		all  []string
	}{{"kept", kept}, {"changed", changed}, {"dropped", dropped}} {
		if len(p.all) > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", p.what, strings.Join(p.all, ", ")))
		}
	}
	if len(parts) > 0 {
		m.note("Of the %s link, %s.", m.replaced, strings.Join(parts, "; "))
	}
}
