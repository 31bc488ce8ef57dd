package coverage

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
)

// Filter is what a file tells the daemon not to replicate (filter.c, read_config_yy.y).
// Its zero value lets everything through.
type Filter struct {
	inKernel bool // the kernel filters the events; a resync goes through the daemon's own
	protocol filterList[uint8]
	address  filterList[netip.Prefix]
	state    filterList[uint8]
}

// filterList is all lists of a subject: for the daemon they are one, whose last
// Accept or Ignore counts for all.
type filterList[T any] struct {
	text   string // how it stands in the file; blank where there is none
	accept bool
	// ignored says that one of them is an Ignore list, which the kernel's filter keeps to.
	ignored bool
	line    int
	items   []filterItem[T]
}

type filterItem[T any] struct {
	value T
	text  string
	line  int
}

// Rule is a place in the file that keeps entries from being replicated.
type Rule struct {
	Line int    `json:"line"`
	Text string `json:"text"` // such as "Address Ignore 10.1.0.0/16"; from the file, and what an Accept list of states is without
}

// NewFilter reads the filter of a file. protocols are the numbers of the names that
// /etc/protocols knows, see [ReadProtocols]; the daemon drops others from its list.
func NewFilter(file *conntrackd.File, protocols map[string]uint8) Filter {
	var f Filter
	lists, inKernel := file.FilterLists()
	f.inKernel = inKernel
	for _, list := range lists {
		switch list.Subject {
		case "Protocol":
			f.protocol.add(list, func(i conntrackd.FilterItem) (uint8, bool) {
				name := i.Text
				if name == "TCP" || name == "UDP" { // words of the language
					name = strings.ToLower(name)
				}
				number, ok := protocols[name]
				return number, ok
			})
		case "Address":
			f.address.add(list, filterPrefix)
		case "State":
			f.state.add(list, func(i conntrackd.FilterItem) (uint8, bool) {
				name := i.Text
				switch name {
				case "CLOSED":
					name = "CLOSE"
				case "LISTEN":
					name = "SYN_SENT2" // which has its number since
				}
				state := slices.Index(tcpStates[:], name)
				return uint8(state), state >= 0
			})
		}
	}
	return f
}

func (l *filterList[T]) add(list conntrackd.FilterList, read func(conntrackd.FilterItem) (T, bool)) {
	verb := "Ignore"
	if list.Accept {
		verb = "Accept"
	}
	l.text, l.accept, l.line = list.Subject+" "+verb, list.Accept, list.Line
	l.ignored = l.ignored || !list.Accept
	for _, i := range list.Items {
		if value, ok := read(i); ok {
			l.items = append(l.items, filterItem[T]{value, i.Text, i.Line})
		}
	}
}

// filterPrefix reads an address of the file; false where the daemon passes over it.
func filterPrefix(i conntrackd.FilterItem) (netip.Prefix, bool) {
	text, length, isNetwork := strings.Cut(i.Text, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is4() == i.IPv6 || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if isNetwork {
		if bits, err = strconv.Atoi(length); err != nil || bits > a.BitLen() {
			return netip.Prefix{}, false
		}
	}
	return netip.PrefixFrom(a, bits), true
}

// Drops says whether the daemon keeps an entry from its cache, and by which place in
// the file. A filter of the kernel sees events, and the daemon's own the kernel's table
// at a resync: what either drops may not be replicated.
func (f *Filter) Drops(e *Entry) (Rule, bool) {
	if f.inKernel {
		if rule, dropped := f.dropsEvent(e); dropped {
			return rule, true
		}
	}
	return f.dropsEntry(e)
}

// Drops says which rule of the file keeps an entry out, if one does.
func (l *Looker) Drops(e *Entry) (rule Rule, drops bool, err error) {
	protocols, err := ReadProtocols(protocolsFile)
	if err != nil {
		return Rule{}, false, err
	}
	f := NewFilter(l.File, protocols)
	rule, drops = f.Drops(e)
	return rule, drops, nil
}

// dropsEntry is the daemon's own filter: every list has to let the entry through.
func (f *Filter) dropsEntry(e *Entry) (Rule, bool) {
	if l := &f.protocol; l.text != "" {
		if rule, dropped := l.judge(l.accept, func(p uint8) bool { return p == e.Protocol }); dropped {
			return rule, true
		}
	}
	if l := &f.address; l.text != "" {
		matches := func(p netip.Prefix) bool { return p.Contains(e.Original.Source) || p.Contains(e.Reply.Source) }
		if rule, dropped := l.judge(l.accept, matches); dropped {
			return rule, true
		}
	}
	if l := &f.state; l.text != "" && e.Protocol == unix.IPPROTO_TCP && e.HasState {
		return judgeState(l, l.accept, e)
	}
	return Rule{}, false
}

// dropsEvent is the filter that the daemon has the kernel run over its events (bsf.c of
// libnetfilter_conntrack): an empty list drops nothing there.
func (f *Filter) dropsEvent(e *Entry) (Rule, bool) {
	if l := &f.protocol; len(l.items) > 0 {
		if rule, dropped := l.judge(!l.ignored, func(p uint8) bool { return p == e.Protocol }); dropped {
			return rule, true
		}
	}
	if rule, dropped := dropsEventAddress(&f.address, e); dropped {
		return rule, true
	}
	if l := &f.state; len(l.items) > 0 && e.Protocol == unix.IPPROTO_TCP && e.HasState {
		return judgeState(l, !l.ignored, e)
	}
	return Rule{}, false
}

// dropsEventAddress looks at both addresses of the original direction: an Accept list
// has to have both. Of its IPv6 addresses only the first counts. To the IPv4 ones an
// IPv6 entry is one of 0.0.0.0; the other way round an entry passes.
func dropsEventAddress(l *filterList[netip.Prefix], e *Entry) (Rule, bool) {
	v4, v6 := *l, *l
	v4.items, v6.items = nil, nil
	for _, i := range l.items {
		switch {
		case i.value.Addr().Is4():
			v4.items = append(v4.items, i)
		case l.ignored || len(v6.items) == 0:
			v6.items = append(v6.items, i)
		}
	}
	for _, a := range [...]netip.Addr{e.Original.Source, e.Original.Destination} {
		in4 := a
		if a.Is6() {
			in4 = netip.IPv4Unspecified()
			if rule, dropped := judgeAddress(&v6, a); dropped {
				return rule, true
			}
		}
		if rule, dropped := judgeAddress(&v4, in4); dropped {
			return rule, true
		}
	}
	return Rule{}, false
}

// judgeAddress is judge for a list of the kernel's.
func judgeAddress(l *filterList[netip.Prefix], a netip.Addr) (Rule, bool) {
	if len(l.items) == 0 {
		return Rule{}, false
	}
	return l.judge(!l.ignored, func(p netip.Prefix) bool { return p.Contains(a) })
}

// judgeState is judge for a list of states. Of an Accept list, which names what it lets
// through, the rule says the state that is not in it.
func judgeState(l *filterList[uint8], accept bool, e *Entry) (Rule, bool) {
	rule, dropped := l.judge(accept, func(s uint8) bool { return s == e.State })
	if dropped && accept {
		rule.Text += " without " + e.StateName()
	}
	return rule, dropped
}

// judge says whether a list drops an entry: an Ignore list what it has, an Accept list
// what it has not.
func (l *filterList[T]) judge(accept bool, matches func(T) bool) (Rule, bool) {
	at := slices.IndexFunc(l.items, func(i filterItem[T]) bool { return matches(i.value) })
	switch {
	case at >= 0 && !accept:
		return Rule{l.items[at].line, l.text + " " + l.items[at].text}, true
	case at < 0 && accept:
		return Rule{l.line, l.text}, true
	}
	return Rule{}, false
}

// String is the rule for a sentence.
func (r Rule) String() string { return fmt.Sprintf("line %d: %s", r.Line, r.Text) }
