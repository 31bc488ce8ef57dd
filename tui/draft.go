package tui

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// ParseSettings converts text to settings and returns every problem: those of
// each field (conntrackd) and those that the two addresses have with each
// other (netcheck), at most one a field, in the order of the fields. The
// screens, the line mode and the command line all go through it.
func ParseSettings(t conntrackd.SettingTable, v conntrackd.Values) (conntrackd.Settings, []conntrackd.Problem) {
	s, problems := t.Settings(v)
	for _, p := range netcheck.SameSubnet(s.Current, s.Peer) {
		if !p.Warning {
			problems = addProblem(t, problems, pairProblem(p))
		}
	}
	return s, problems
}

// Warnings are what is unusual about settings that can be used, keyed by field.
func Warnings(t conntrackd.SettingTable, s conntrackd.Settings) []conntrackd.Problem {
	out := t.Advice(s)
	for _, p := range netcheck.SameSubnet(s.Current, s.Peer) {
		if p.Warning {
			out = addProblem(t, out, pairProblem(p))
		}
	}
	return out
}

func pairProblem(p netcheck.PairProblem) conntrackd.Problem {
	f := conntrackd.FieldCurrentIP
	if p.Peer {
		f = conntrackd.FieldPeerIP
	}
	return conntrackd.Problem{Field: f, Message: p.Message}
}

// addProblem puts p in its place in the order of the fields, unless its field
// has a problem already: the first one found is nearer to the cause.
func addProblem(t conntrackd.SettingTable, problems []conntrackd.Problem, p conntrackd.Problem) []conntrackd.Problem {
	var out []conntrackd.Problem
	for _, f := range t.Fields() {
		if m := problemOf(problems, f); m != "" {
			out = append(out, conntrackd.Problem{Field: f, Message: m})
		} else if f == p.Field {
			out = append(out, p)
		}
	}
	return out
}

func problemOf(problems []conntrackd.Problem, f conntrackd.Field) string {
	for _, p := range problems {
		if p.Field == f {
			return p.Message
		}
	}
	return ""
}

// draft is what has been typed, beside what is saved. It knows no screen.
type draft struct {
	table         conntrackd.SettingTable
	values, saved conntrackd.Values
	// following are the settings that still have the value of the setting they
	// follow, as the receive buffer has that of the send buffer.
	following []conntrackd.Field
	// filled is what choosing an interface put into Current IP; as long as it
	// stands there unedited, the next choice may replace it.
	filled string
}

func newDraft(t conntrackd.SettingTable, saved conntrackd.Settings) *draft {
	d := &draft{table: t, saved: t.Values(t.WithDefaults(saved))}
	d.take(d.saved)
	return d
}

// take takes other values as a whole.
func (d *draft) take(v conntrackd.Values) {
	d.values, d.filled, d.following = v, "", nil
	for _, e := range d.table {
		if e.Follows != "" && v[e.Field] == v[e.Follows] {
			d.following = append(d.following, e.Field)
		}
	}
}

// value is the text of one field.
func (d *draft) value(f conntrackd.Field) string { return d.values[f] }

// savedValue is the text that the field had when it was last saved or read.
func (d *draft) savedValue(f conntrackd.Field) string { return d.saved[f] }

// set is an edit by the operator.
func (d *draft) set(f conntrackd.Field, text string) {
	d.values = d.values.With(f, text)
	for _, e := range d.table {
		if e.Follows == f && slices.Contains(d.following, e.Field) {
			d.values = d.values.With(e.Field, text)
		}
	}
	d.following = slices.DeleteFunc(slices.Clone(d.following), func(other conntrackd.Field) bool { return other == f })
}

// enabled reports whether the draft is to enable the sync.
func (d *draft) enabled() bool { return d.value(conntrackd.FieldEnabled) == "enable" }

// settings is the one conversion from what was typed to what it means.
func (d *draft) settings() (conntrackd.Settings, []conntrackd.Problem) {
	return ParseSettings(d.table, d.values)
}

// problem is why one field cannot be used as it is; blank when it can.
func (d *draft) problem(f conntrackd.Field) string {
	_, problems := d.settings()
	return problemOf(problems, f)
}

// changed reports whether a field means something else than what is saved:
// 64K and 65536 are the same.
func (d *draft) changed(f conntrackd.Field) bool {
	now, saved := d.value(f), d.savedValue(f)
	return now != saved && d.meaning(f, now) != d.meaning(f, saved)
}

// meaning is text in the form in which it is saved, or as typed where it
// cannot be read.
func (d *draft) meaning(f conntrackd.Field, text string) string {
	s, problems := d.table.Settings(conntrackd.Values{f: text})
	if problemOf(problems, f) != "" {
		return strings.TrimSpace(text)
	}
	return d.table.Values(s)[f]
}

// dirty reports whether anything would be lost by leaving.
func (d *draft) dirty() bool { return len(d.changes()) > 0 }

// changes are the changed fields in order.
func (d *draft) changes() []conntrackd.Field {
	var out []conntrackd.Field
	for _, f := range d.table.Fields() {
		if d.changed(f) {
			out = append(out, f)
		}
	}
	return out
}

// revert puts a field back to what is saved.
func (d *draft) revert(f conntrackd.Field) {
	d.set(f, d.savedValue(f))
	e, _ := d.table.Find(f)
	if e.Follows != "" && d.savedValue(e.Follows) == d.savedValue(f) && !d.changed(e.Follows) {
		d.following = append(d.following, f)
	}
}

// rebase takes s as what is saved now. What was typed and is something else
// stays; every other field becomes what is saved.
func (d *draft) rebase(s conntrackd.Settings) {
	typed, changed := d.values, d.changes()
	settings, problems := d.settings()
	d.saved = d.table.Values(d.table.WithDefaults(s))
	d.values = d.saved
	if len(problems) == 0 && maps.Equal(d.table.Values(settings), d.saved) {
		return
	}
	for _, f := range changed {
		d.values = d.values.With(f, typed[f])
	}
}

// chooseInterface takes an interface, and fills Current IP from its addresses
// where that is blank or was filled the same way.
func (d *draft) chooseInterface(i netcheck.Interface) {
	d.set(conntrackd.FieldInterface, i.Name)
	if own := d.value(conntrackd.FieldCurrentIP); own != "" && own != d.filled {
		return
	}
	d.filled = ""
	if own := ownAddresses(i); len(own) > 0 {
		d.filled = own[0].String()
	}
	d.set(conntrackd.FieldCurrentIP, d.filled)
}

// ownAddresses are the addresses of an interface that can be a Current IP,
// IPv4 first.
func ownAddresses(i netcheck.Interface) []netip.Prefix {
	var four, six []netip.Prefix
	for _, p := range i.Addresses {
		switch a := p.Addr(); {
		case a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsMulticast():
		case a.Is4():
			four = append(four, p)
		default:
			six = append(six, p)
		}
	}
	return append(four, six...)
}

// suggestions are values that a field is likely to get: for Current IP the
// addresses of its interface, for Peer IP the other end of a point-to-point
// subnet, then the neighbours that have been seen in the subnet.
func (d *draft) suggestions(f conntrackd.Field, on netcheck.Interface, seen []netip.Addr) []string {
	var out []string
	switch f {
	case conntrackd.FieldCurrentIP:
		for _, p := range ownAddresses(on) {
			out = append(out, p.String())
		}
	case conntrackd.FieldPeerIP:
		s, _ := d.settings()
		if !s.Current.IsValid() {
			return nil
		}
		if a, ok := netcheck.OtherEnd(s.Current); ok {
			out = append(out, netip.PrefixFrom(a, s.Current.Bits()).String())
		}
		for _, a := range seen {
			p := netip.PrefixFrom(a, s.Current.Bits())
			if s.Current.Contains(a) && len(netcheck.SameSubnet(s.Current, p)) == 0 {
				out = append(out, p.String())
			}
		}
	}
	return out
}

// suggestion is the first of the suggestions that goes on from what the field
// holds; blank when there is none.
func (d *draft) suggestion(f conntrackd.Field, on netcheck.Interface, seen []netip.Addr) string {
	typed := d.value(f)
	for _, s := range d.suggestions(f, on, seen) {
		if len(s) > len(typed) && strings.HasPrefix(s, typed) {
			return s
		}
	}
	return ""
}
