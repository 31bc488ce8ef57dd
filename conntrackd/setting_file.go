package conntrackd

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"connsync/conntrackd/typed"
)

// directive is how a setting stands in the configuration file.
type directive struct {
	// in is the section that it stands in: inUDP for the link, whatever its transport, with which the
	// daemon starts, inFTFW for the Mode in force whichever it is, inSync,
	// inOptions, inGeneral or inScheduler.
	in section
	// place orders the directives of a block in a new file.
	place int
	// comment stands above the line in a new file, blank line and all; blank for
	// none.
	comment string
	// line is the directive in a new file, blank where the settings leave it out; nil
	// where the template has it.
	line func(Settings) string
	// read takes the value in force into the Settings, from what stands in the block;
	// nil where another step of the reading does.
	read func(f *File, inBlock []*node, s *Settings)
	// write sets the directive in its block; nil where another step of the merge does.
	write func(m *merge)
	// same compares what a file keeps of two settings; what b leaves open does
	// not count.
	same func(a, b Settings) bool
}

// inFile are the directives of all settings that the file has, in its order.
func (t SettingTable) inFile() []*directive {
	var all []*directive
	for _, e := range t {
		if e.directive != nil {
			all = append(all, e.directive)
		}
	}
	slices.SortStableFunc(all, func(a, b *directive) int { return cmp.Compare(a.place, b.place) })
	return all
}

// lines are those of the settings in a block of a new file.
func (t SettingTable) lines(in section, s Settings) string {
	var b strings.Builder
	for _, d := range t.inFile() {
		if d.line == nil || d.in != in {
			continue
		}
		if line := d.line(s); line != "" {
			b.WriteString(d.comment + line + "\n")
		}
	}
	return b.String()
}

// contents returns what stands in the section, wherever the file has it: the
// daemon merges sections that stand twice. The last of two directives is the
// one in force. What a Mode takes may stand in Sync itself as well.
func (f *File) contents(in section) []*node {
	sync := inside(f.top, "Sync")
	switch in {
	case inUDP:
		if link, err := f.link(); err == nil {
			return link.children
		}
		return nil
	case inFTFW:
		var all []*node
		for _, n := range sync {
			all = append(all, n)
			if n.rule != nil && n.rule.name() == "Mode" {
				all = append(all, n.children...)
			}
		}
		return all
	case inOptions:
		return inside(sync, "Options")
	case inGeneral:
		return inside(f.top, "General")
	case inScheduler:
		return inside(inside(f.top, "General"), "Scheduler")
	}
	return sync
}

// block returns where in the section a new directive goes; nil where there is no
// such block.
func (f *File) block(in section) *node {
	switch in {
	case inUDP:
		link, err := f.link()
		if err != nil {
			return nil
		}
		return link
	case inFTFW:
		return f.modeNode()
	case inOptions:
		return last(inside(f.top, "Sync"), "Options")
	case inGeneral:
		return last(f.top, "General")
	case inScheduler:
		return last(inside(f.top, "General"), "Scheduler")
	}
	return last(f.top, "Sync")
}

// addressDirective is one of two keywords, by the family of the address.
func addressDirective(format string, place int, at func(*Settings) *netip.Prefix) *directive {
	return &directive{
		in: inUDP, place: place,
		line: func(s Settings) string { return addressLine(format, *at(&s)) },
		read: func(f *File, link []*node, s *Settings) {
			*at(s) = f.address(link, fmt.Sprintf(format, "IPv4"), fmt.Sprintf(format, "IPv6"))
		},
		write: func(m *merge) { m.address(*at(&m.s), format) },
		same: func(a, b Settings) bool {
			x, y := *at(&a), *at(&b)
			return x.Addr() == y.Addr() && (y.Bits() < 0 || x.Bits() == y.Bits())
		},
	}
}

// numberDirective is a number that may be missing, which is zero.
func numberDirective[T uint16 | int](in section, keyword string, place int, comment string, at func(*Settings) *T, read func(string) T) *directive {
	return &directive{
		in: in, place: place, comment: comment,
		line: func(s Settings) string {
			if *at(&s) == 0 {
				return ""
			}
			return keyword + " " + strconv.Itoa(int(*at(&s)))
		},
		read: func(f *File, inBlock []*node, s *Settings) {
			if n := last(inBlock, keyword); n != nil {
				*at(s) = read(f.arg(n, 0))
			}
		},
		write: func(m *merge) {
			if n := *at(&m.s); n != 0 {
				m.number(in, keyword, int(n))
			}
		},
		same: func(a, b Settings) bool { return *at(&b) == 0 || *at(&a) == *at(&b) },
	}
}

// bufferDirective is a size that the file may leave to the system.
func bufferDirective(keyword string, place int, comment string, at func(*Settings) *int) *directive {
	d := numberDirective(inUDP, keyword, place, comment, at, atoi)
	number := *d
	d.line = func(s Settings) string {
		if *at(&s) == typed.SystemBuffer {
			return ""
		}
		return number.line(s)
	}
	d.read = func(f *File, link []*node, s *Settings) {
		number.read(f, link, s)
		if *at(s) == 0 {
			*at(s) = typed.SystemBuffer // to the daemon zero is not set
		}
	}
	d.write = func(m *merge) {
		if *at(&m.s) != typed.SystemBuffer {
			number.write(m)
			return
		}
		for {
			_, n := m.find(inUDP, keyword)
			if n == nil || atoi(m.f.arg(n, 0)) == 0 {
				return
			}
			m.f.remove(n)
		}
	}
	return d
}

func interfaceDirective() *directive {
	return &directive{
		in: inUDP, place: 3,
		line: func(s Settings) string { return "Interface " + s.Interface },
		read: func(f *File, link []*node, s *Settings) {
			if n := last(link, "Interface"); n != nil {
				s.Interface = f.arg(n, 0)
			}
		},
		write: (*merge).interfaceName,
		same:  func(a, b Settings) bool { return a.Interface == b.Interface },
	}
}

// externalCacheDirective is part of the mode; see merge.mode.
func externalCacheDirective() *directive {
	return &directive{
		in:   inFTFW,
		read: func(f *File, _ []*node, s *Settings) { s.ExternalCache = f.externalCache() },
		same: func(a, b Settings) bool { return a.ExternalCache == b.ExternalCache },
	}
}
