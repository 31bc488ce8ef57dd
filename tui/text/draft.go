package text

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
	return s, addPairProblems(t, problems, s, false)
}

// addPairProblems adds what the two addresses of each link have with each other, or
// what is unusual about them.
func addPairProblems(t conntrackd.SettingTable, problems []conntrackd.Problem, s conntrackd.Settings, warnings bool) []conntrackd.Problem {
	for i, l := range s.Links() {
		if i > 0 && l.Current.Bits() < 0 {
			continue // which a file need not record
		}
		for _, p := range netcheck.SameSubnet(l.Current, l.Peer) {
			switch {
			case p.Warning != warnings:
			case i == 0:
				problems = AddProblem(t, problems, pairProblem(p))
			default:
				problems = AddProblem(t, problems, conntrackd.Problem{Field: conntrackd.FieldSpareLinks, Message: "spare link " + l.Interface + ": " + p.Message})
			}
		}
	}
	return problems
}

// Warnings are what is unusual about settings that can be used, keyed by field.
func Warnings(t conntrackd.SettingTable, s conntrackd.Settings) []conntrackd.Problem {
	return addPairProblems(t, t.Advice(s), s, true)
}

func pairProblem(p netcheck.PairProblem) conntrackd.Problem {
	f := conntrackd.FieldCurrentIP
	if p.Peer {
		f = conntrackd.FieldPeerIP
	}
	return conntrackd.Problem{Field: f, Message: p.Message}
}

// AddProblem puts p in its place in the order of the fields, unless its field
// has a problem already: the first one found is nearer to the cause.
func AddProblem(t conntrackd.SettingTable, problems []conntrackd.Problem, p conntrackd.Problem) []conntrackd.Problem {
	var out []conntrackd.Problem
	for _, f := range t.Fields() {
		if m := ProblemOf(problems, f); m != "" {
			out = append(out, conntrackd.Problem{Field: f, Message: m})
		} else if f == p.Field {
			out = append(out, p)
		}
	}
	return out
}

// ProblemOf is the message of the problem of a field; blank where it has none.
func ProblemOf(problems []conntrackd.Problem, f conntrackd.Field) string {
	for _, p := range problems {
		if p.Field == f {
			return p.Message
		}
	}
	return ""
}

// Draft is what has been typed, beside what is saved. It knows no screen. It is
// not safe for concurrent use.
type Draft struct {
	table         conntrackd.SettingTable
	values, saved conntrackd.Values
	// following are the settings that still have the value of the setting they
	// follow, as the receive buffer has that of the send buffer.
	following []conntrackd.Field
	// filled is what choosing an interface put into Current IP; as long as it
	// stands there unedited, the next choice may replace it.
	filled string
	// stateUnknown: see ForgetState; stateLeft: see LeaveState.
	stateUnknown, stateLeft bool
}

// NewDraft is a draft of what is saved, with the defaults where that is blank.
func NewDraft(t conntrackd.SettingTable, saved conntrackd.Settings) *Draft {
	d := &Draft{table: t, saved: shown(t, saved)}
	d.Take(d.saved)
	return d
}

// shown are saved settings as a draft has them: with the defaults, and with the word for
// the default where conntrackd has its own.
func shown(t conntrackd.SettingTable, saved conntrackd.Settings) conntrackd.Values {
	v := t.Values(t.WithDefaults(saved))
	for _, e := range t {
		if e.Optional && v[e.Field] == "" {
			v[e.Field] = conntrackd.DefaultWord
		}
	}
	return v
}

// Take takes other values as a whole, as if they had been typed.
func (d *Draft) Take(v conntrackd.Values) {
	d.values, d.filled, d.following = v, "", nil
	saved, _ := d.table.Settings(d.saved)
	for _, e := range d.table {
		if e.Optional && v[e.Field] == "" {
			// What both nodes have is as there; of the rest each has its own.
			text := d.saved[e.Field]
			if e.Shared && e.Told(saved, conntrackd.Host{}) {
				text = conntrackd.DefaultWord
			}
			d.values = d.values.With(e.Field, text)
		}
		if e.Follows != "" && v[e.Field] == v[e.Follows] {
			d.following = append(d.following, e.Field)
		}
	}
}

// ForgetState is for a service that could not be read: whether the sync is
// enabled is blank, and a problem until it is answered.
func (d *Draft) ForgetState() {
	d.stateUnknown = true
	d.values = d.values.With(conntrackd.FieldEnabled, "")
}

// LeaveState is for a service that is left alone: whether the sync is enabled is blank,
// also after a save, and needs no answer.
func (d *Draft) LeaveState() {
	d.ForgetState()
	d.stateLeft = true
}

// StateUnknown reports whether ForgetState was called since the last save.
func (d *Draft) StateUnknown() bool { return d.stateUnknown }

// Values are the texts of all fields, as they are saved: without those that stay as they
// are in the file, and those that mean nothing beside the others any more.
func (d *Draft) Values() conntrackd.Values {
	v := make(conntrackd.Values, len(d.table))
	maps.Copy(v, d.values)
	for _, e := range d.table {
		if !e.Optional {
			continue
		}
		text := d.optional(e.Field)
		if text == conntrackd.DefaultWord && d.saved[e.Field] == text {
			text = ""
		}
		v[e.Field] = text
	}
	return d.table.Settle(v, d.Changed)
}

// optional is the text of an optional field, where blank leaves it to conntrackd.
func (d *Draft) optional(f conntrackd.Field) string {
	text := strings.TrimSpace(d.values[f])
	if text == "" || strings.EqualFold(text, conntrackd.DefaultWord) {
		return conntrackd.DefaultWord
	}
	return text
}

// Saved are the texts that the fields had when they were last saved or read.
func (d *Draft) Saved() conntrackd.Values { return d.saved }

// Value is the text of one field.
func (d *Draft) Value(f conntrackd.Field) string { return d.values[f] }

// SavedValue is the text that the field had when it was last saved or read.
func (d *Draft) SavedValue(f conntrackd.Field) string { return d.saved[f] }

// Set is an edit by the operator.
func (d *Draft) Set(f conntrackd.Field, text string) {
	d.values = d.values.With(f, text)
	for _, e := range d.table {
		if e.Follows == f && slices.Contains(d.following, e.Field) {
			d.values = d.values.With(e.Field, text)
		}
	}
	d.following = slices.DeleteFunc(slices.Clone(d.following), func(other conntrackd.Field) bool { return other == f })
}

// Enabled reports whether the draft is to enable the sync.
func (d *Draft) Enabled() bool { return d.Value(conntrackd.FieldEnabled) == "enable" }

// Settings is the one conversion from what was typed to what it means.
func (d *Draft) Settings() (conntrackd.Settings, []conntrackd.Problem) {
	s, problems := ParseSettings(d.table, d.Values())
	if d.stateUnknown && !d.stateLeft && d.Value(conntrackd.FieldEnabled) == "" {
		problems = AddProblem(d.table, problems, conntrackd.Problem{
			Field: conntrackd.FieldEnabled, Message: "whether sync is enabled now is unknown; choose Enable or Disable",
		})
	}
	return s, problems
}

// Problem is why one field cannot be used as it is; blank when it can.
func (d *Draft) Problem(f conntrackd.Field) string {
	_, problems := d.Settings()
	return ProblemOf(problems, f)
}

// Changed reports whether a field means something else than what is saved:
// 64K and 65536 are the same.
func (d *Draft) Changed(f conntrackd.Field) bool {
	now, saved := d.Value(f), d.SavedValue(f)
	if e, _ := d.table.Find(f); e.Optional {
		now = d.optional(f)
	}
	return now != saved && d.Meaning(f, now) != d.Meaning(f, saved)
}

// Meaning is text in the form in which it is saved, or as typed where it
// cannot be read.
func (d *Draft) Meaning(f conntrackd.Field, text string) string {
	s, problems := d.table.Settings(conntrackd.Values{f: text})
	if ProblemOf(problems, f) != "" {
		return strings.TrimSpace(text)
	}
	return d.table.Values(s)[f]
}

// Dirty reports whether anything would be lost by leaving.
func (d *Draft) Dirty() bool { return len(d.Changes()) > 0 }

// Changes are the changed fields in order.
func (d *Draft) Changes() []conntrackd.Field {
	var out []conntrackd.Field
	for _, f := range d.table.Fields() {
		if d.Changed(f) {
			out = append(out, f)
		}
	}
	return out
}

// Revert puts a field back to what is saved.
func (d *Draft) Revert(f conntrackd.Field) {
	d.Set(f, d.SavedValue(f))
	e, _ := d.table.Find(f)
	if e.Follows != "" && d.SavedValue(e.Follows) == d.SavedValue(f) && !d.Changed(e.Follows) {
		d.following = append(d.following, f)
	}
}

// Rebase takes s as what is saved now. What was typed and is something else
// stays; every other field becomes what is saved.
func (d *Draft) Rebase(s conntrackd.Settings) {
	typed, changed := d.values, d.Changes()
	settings, problems := d.Settings()
	s.Enabled = s.Enabled && !d.stateLeft
	d.saved, d.stateUnknown = shown(d.table, s), d.stateLeft
	d.values = d.saved
	if d.stateLeft {
		d.values = d.values.With(conntrackd.FieldEnabled, "")
		changed = slices.DeleteFunc(changed, func(f conntrackd.Field) bool { return f == conntrackd.FieldEnabled })
		settings.Enabled = false
	}
	if len(problems) == 0 && maps.Equal(shown(d.table, settings), d.saved) {
		return
	}
	for _, f := range changed {
		d.values = d.values.With(f, typed[f])
	}
}

// ChooseInterface takes an interface, and fills Current IP from its addresses
// where that is blank or was filled the same way.
func (d *Draft) ChooseInterface(i netcheck.Interface) {
	d.Set(conntrackd.FieldInterface, i.Name)
	if own := d.Value(conntrackd.FieldCurrentIP); own != "" && own != d.filled {
		return
	}
	d.filled = ""
	if own := OwnAddresses(i); len(own) > 0 {
		d.filled = own[0].String()
	}
	d.Set(conntrackd.FieldCurrentIP, d.filled)
}

// OwnAddresses are the addresses of an interface that can be a Current IP,
// IPv4 first.
func OwnAddresses(i netcheck.Interface) []netip.Prefix {
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

// Suggestions are values that a field is likely to get: for Current IP the
// addresses of its interface, for Peer IP the other end of a point-to-point
// subnet, then the neighbours that have been seen in the subnet.
func (d *Draft) Suggestions(f conntrackd.Field, on netcheck.Interface, seen []netip.Addr) []string {
	var out []string
	switch f {
	case conntrackd.FieldCurrentIP:
		for _, p := range OwnAddresses(on) {
			out = append(out, p.String())
		}
	case conntrackd.FieldPeerIP:
		s, _ := d.Settings()
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

// Suggestion is the first of the suggestions that goes on from what the field
// holds; blank when there is none.
func (d *Draft) Suggestion(f conntrackd.Field, on netcheck.Interface, seen []netip.Addr) string {
	typed := d.Value(f)
	for _, s := range d.Suggestions(f, on, seen) {
		if len(s) > len(typed) && strings.HasPrefix(s, typed) {
			return s
		}
	}
	return ""
}

// Followed lets what follows another setting, and is left to the system as that is in
// the saved values, go with it in v, unless it is given itself.
func Followed(t conntrackd.SettingTable, v, saved conntrackd.Values, given func(conntrackd.Field) bool) conntrackd.Values {
	for _, e := range t {
		if e.Follows != "" && !given(e.Field) && saved[e.Field] == conntrackd.SystemBufferWord && saved[e.Field] == saved[e.Follows] {
			v = v.With(e.Field, v[e.Follows])
		}
	}
	return v
}

// WithDefaults fills in what a file made by hand may leave out and a sync that
// is enabled has to state. A receive buffer is as the send buffer.
func WithDefaults(t conntrackd.SettingTable, v conntrackd.Values) conntrackd.Values {
	standard := t.Values(t.Defaults())
	for _, e := range t {
		switch {
		case v[e.Field] != "":
		case e.Follows != "":
			v = v.With(e.Field, v[e.Follows])
		default:
			v = v.With(e.Field, standard[e.Field])
		}
	}
	return v
}
