package conntrackd

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// directive is how a setting stands in the configuration file.
type directive struct {
	// place orders the directives of the UDP link in a file.
	place int
	// comment stands above the line in a new file, blank line and all; blank for
	// none.
	comment string
	// line is the directive in a new file; nil where it stands in no UDP link.
	line func(Settings) string
	// read takes the value in force into the Settings, from the UDP link or
	// elsewhere in the file.
	read func(f *File, link *node, s *Settings)
	// write sets the directive in the UDP link; nil as line.
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

// link are the lines of the settings in the UDP block of a new file.
func (t SettingTable) link(s Settings) string {
	var b strings.Builder
	for _, d := range t.inFile() {
		if d.line != nil {
			b.WriteString(d.comment + d.line(s) + "\n")
		}
	}
	return b.String()
}

// addressDirective is one of two keywords, by the family of the address.
func addressDirective(format string, place int, at func(*Settings) *netip.Prefix) *directive {
	return &directive{
		place: place,
		line:  func(s Settings) string { return addressLine(format, *at(&s)) },
		read: func(f *File, link *node, s *Settings) {
			*at(s) = f.address(link.children, fmt.Sprintf(format, "IPv4"), fmt.Sprintf(format, "IPv6"))
		},
		write: func(m *merge) { m.address(*at(&m.s), format) },
		same: func(a, b Settings) bool {
			x, y := *at(&a), *at(&b)
			return x.Addr() == y.Addr() && (y.Bits() < 0 || x.Bits() == y.Bits())
		},
	}
}

// numberDirective is a number that may be missing, which is zero.
func numberDirective[T uint16 | int](keyword string, place int, comment string, at func(*Settings) *T, read func(string) T) *directive {
	return &directive{
		place: place, comment: comment,
		line: func(s Settings) string { return keyword + " " + strconv.Itoa(int(*at(&s))) },
		read: func(f *File, link *node, s *Settings) {
			if n := last(link.children, keyword); n != nil {
				*at(s) = read(f.arg(n, 0))
			}
		},
		write: func(m *merge) {
			if n := *at(&m.s); n != 0 {
				m.number(keyword, int(n))
			}
		},
		same: func(a, b Settings) bool { return *at(&b) == 0 || *at(&a) == *at(&b) },
	}
}

func interfaceDirective() *directive {
	return &directive{
		place: 3,
		line:  func(s Settings) string { return "Interface " + s.Interface },
		read: func(f *File, link *node, s *Settings) {
			if n := last(link.children, "Interface"); n != nil {
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
		read: func(f *File, _ *node, s *Settings) { s.ExternalCache = f.externalCache() },
		same: func(a, b Settings) bool { return a.ExternalCache == b.ExternalCache },
	}
}
