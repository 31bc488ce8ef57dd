package conntrackd

// FilterList is a Protocol, Address or State list of the daemon's Filter.
type FilterList struct {
	Subject string // Protocol, Address or State
	Accept  bool   // else Ignore
	Line    int    // on which it begins
	Items   []FilterItem
}

// FilterItem is a protocol, an address or a TCP state of a [FilterList].
type FilterItem struct {
	Text string // a name, an address with its prefix length, or a state
	IPv6 bool   // of an address: the directive is the one for IPv6
	Line int
}

// FilterLists returns the lists of the daemon's Filter in the order of the file, and
// whether the kernel is to apply them to its events. Several Filter sections are one
// for the daemon, of which the last says who applies it.
func (f *File) FilterLists() (lists []FilterList, inKernel bool) {
	for _, filter := range named(inside(f.top, "General"), "Filter") {
		inKernel = f.arg(filter, 1) == "Kernelspace"
		for _, n := range filter.children {
			if n.rule != nil && n.open >= 0 {
				lists = append(lists, f.filterList(n))
			}
		}
	}
	return lists, inKernel
}

func (f *File) filterList(n *node) FilterList {
	list := FilterList{Subject: n.rule.keyword, Accept: f.arg(n, 0) == "Accept", Line: f.toks[n.first].line}
	for _, item := range n.children {
		if item.rule == nil || item.text == "for" {
			continue
		}
		i := FilterItem{Text: item.text, Line: f.toks[item.first].line}
		switch list.Subject {
		case "Address":
			i.Text, i.IPv6 = f.arg(item, 0), item.rule.keyword == "IPv6_address"
		case "State":
			i.Text = item.rule.name()
		}
		list.Items = append(list.Items, i)
	}
	return list
}

// filterLists are those of one subject.
func (f *File) filterLists(subject string) (lists []FilterList) {
	for _, n := range named(inside(inside(f.top, "General"), "Filter"), subject) {
		if n.open >= 0 {
			lists = append(lists, f.filterList(n))
		}
	}
	return lists
}

// LineOf returns the line of the directive that gives a setting of a top-level section
// its value, or zero where none does. It knows the daemon's other names for it.
func (f *File) LineOf(section, name string) int {
	n := lastWithin(inside(f.top, section), name)
	if n == nil {
		return 0
	}
	return f.toks[n.first].line
}

// PollSecs returns every how many seconds the daemon reads the kernel's table
// instead of listening to its events; zero where it listens.
func (f *File) PollSecs() int { return atoi(f.value("General", "PollSecs")) }

// TCPWindowTracking reports whether the daemon sends the peer TCP windows, too.
func (f *File) TCPWindowTracking() bool {
	n := lastWithin(inside(f.top, "Sync"), "TCPWindowTracking")
	return n != nil && f.argKind(n) == kindOn
}
