package conntrackd

import (
	"fmt"
	"slices"
	"strings"
)

// inOtherLink is what the directives of a link are called in one of another transport,
// by what it becomes and what it was. A blank name is one that means nothing there.
var inOtherLink = map[string]map[string]map[string]string{
	keywordUDP: {
		keywordMulticast: {
			"Group": "Port", "IPv4_interface": "IPv4_address", "IPv4_address": "IPv4_Destination_Address",
			"IPv6_address": "IPv6_Destination_Address", "IPv6_interface": "",
		},
		"TCP": {"ErrorQueueLength": ""},
	},
	keywordMulticast: {
		keywordUDP: inGroupLink(),
		"TCP":      inGroupLink(),
	},
}

func inGroupLink() map[string]string {
	return map[string]string{
		"Port": "Group", "IPv4_address": "IPv4_interface", "IPv4_Destination_Address": "IPv4_address",
		"IPv6_address": "", "IPv6_Destination_Address": "IPv6_address", "ErrorQueueLength": "",
	}
}

// linkValue is a directive of a link that is replaced.
type linkValue struct{ keyword, text, now string }

// transports makes a link of the transport of the settings of the one with which the
// daemon starts, and takes the other links away that cannot stand beside it. What is
// lost of a file that the settings could not say is for the operator to agree to.
func (m *merge) transports() {
	links := func() []*node { return named(inside(m.f.top, "Sync"), "UDP", "TCP", "Multicast") }
	keep := m.kept(links())
	var gone []*node
	for _, n := range links() {
		if n != keep && (m.s.Multicast() || n.rule.keyword != keywordUDP) {
			m.tellTransport(n, "goes")
			gone = append(gone, n)
		}
	}
	becomes := keep != nil && keep.rule.keyword != m.s.keyword()
	if becomes {
		m.tellTransport(keep, "becomes one by "+m.s.keyword())
	}
	m.f.removeAll(gone)
	if becomes {
		m.note("The transport has to be the same on both nodes: a peer with another one takes nothing.")
		m.convert(m.kept(links()))
	}
}

func (m *merge) tellTransport(n *node, what string) {
	t := m.f.transport(n)
	name := t.Transport + " link" + strings.TrimPrefix(t.what(), t.Transport)
	if m.foreign {
		m.replacing(n, name)
		return
	}
	m.note("%s (line %d) %s.", name, m.f.line(n), what)
}

// convert makes a link of the transport of the settings of one of another, with
// everything in it that means the same there. What the settings say differently comes
// later.
func (m *merge) convert(n *node) {
	m.replaced = n.rule.keyword
	names := inOtherLink[m.s.keyword()][m.replaced]
	for _, c := range slices.Backward(n.children) { // so that the tokens before one stay where they are
		if c.rule == nil {
			continue
		}
		v := linkValue{keyword: c.rule.keyword, text: m.f.arg(c, 0), now: c.rule.keyword}
		if now, known := names[v.keyword]; known {
			v.now = now
		}
		m.replacedValues = append(m.replacedValues, v)
		if strings.HasSuffix(v.now, "_Destination_Address") && m.replaced == keywordMulticast {
			m.f.recordNodes(c, "")
		}
		if v.now == "" {
			m.dropAddress(c)
		} else if v.now != v.keyword {
			m.f.setKeyword(c, v.now)
		}
	}
	slices.Reverse(m.replacedValues)
	m.f.setKeyword(n, m.s.keyword())
	for _, at := range []int{0, n.first} {
		m.f.toks[at].lead = linkWords(m.s, m.f.toks[at].lead)
	}
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
