package conntrackd

import (
	"maps"
	"slices"
	"strings"

	"connsync/conntrackd/typed"
)

// Setting is one entry of a [SettingTable]: everything that is particular to one
// setting. The flags, the keys of a --from file, what show prints, the peer line,
// the form, the line mode, the rules and the file are made from it.
type Setting struct {
	// Field is its name in JSON and, as [Field.Flag], on the command line.
	Field Field
	// Label is its name for people, Short the same where the screen is narrow.
	Label, Short string
	Kind         SettingKind
	// Words are the two values of a [SwitchSetting], that for true first; those of a
	// [ChoiceSetting] in the order in which they are offered; and what is usual in a
	// [ListSetting], which may have others.
	Words []string
	// Usage is the help of its flag, with the name of the value in backquotes;
	// blank where no flag takes its value.
	Usage string
	// Hint is one line for the person who types it; with the label it fits into
	// 76 cells, with the short one into twice 38.
	Hint string
	// Standard is the default in words, Example a value that can be typed.
	Standard, Example string
	// About says what it is, what may be typed and what follows from it.
	About []string
	// Advanced says that the form has it on a page of its own, and line mode behind
	// a question of its own.
	Advanced bool
	// Optional says that the file may leave the value to conntrackd: typed as
	// [DefaultWord], which takes it out of the file, and null in JSON.
	Optional bool
	// Required says that an enabled sync does not work without it.
	Required bool
	// Shared says that it has to be equal on both nodes. It is then part of the
	// pair's fingerprint.
	Shared bool
	// Follows is the setting whose value this one takes until it is given
	// itself; blank for none.
	Follows Field
	// Usual are texts of an advanced setting that need no mention, since conntrackd does
	// so by itself or a new file has them.
	Usual []string
	// Value is how it lies in Settings; a [Value].
	Value settingValue
	// Rule says why the value cannot be used, and Advice why it should not be;
	// blank where it can. Nil is no rule and no advice.
	Rule, Advice func(Settings) string

	group     SettingGroup
	directive *directive // nil where the file does not have it
	// computed is what connsync puts into a file on the host; nil where it puts nothing.
	computed func(Host, Settings) int
	// takes reports whether the value means something beside the others; nil is always.
	takes func(Settings) bool
}

// SettingKind is what kind of value a setting has. It decides how it is asked
// for, and its type in JSON: a text, a whole number, true and false, or an array.
type SettingKind int

const (
	TextSetting      SettingKind = iota // a text
	InterfaceSetting                    // the name of an interface of this host
	AddressSetting                      // an address with prefix length
	NumberSetting                       // a whole number
	BytesSetting                        // a size, in bytes or with a unit
	SwitchSetting                       // true or false, typed as one of two words
	ChoiceSetting                       // one of several words
	ListSetting                         // texts with commas between them, in JSON an array of texts
	LinksSetting                        // up to [MaxSpareLinks] links with commas between them
)

// DefaultWord is how the value of an Optional setting is typed that the file leaves
// to conntrackd.
const DefaultWord = typed.DefaultWord

// Flag is the field's name on the command line, without the dashes.
func (f Field) Flag() string {
	if f == FieldSpareLinks {
		return "spare-link" // once for each
	}
	return strings.ReplaceAll(string(f), "_", "-")
}

// Text is the value in s as it is typed; blank where it is not set.
func (s Setting) Text(in Settings) string { return s.Value.text(in) }

// JSON is the value in s as it stands in JSON. A size that is not set is 0, an
// Optional value null.
func (s Setting) JSON(in Settings) any {
	text := s.Value.text(in)
	if s.Optional && (text == "" || text == DefaultWord) {
		return nil
	}
	switch s.Kind {
	case ListSetting:
		return strings.Split(text, ",")
	case NumberSetting, SwitchSetting:
		return s.Value.held(in)
	case BytesSetting:
		if n, ok := s.Value.held(in).(int); ok && n != typed.SystemBuffer {
			return n
		}
		return 0 // not set in the file
	case LinksSetting:
		return in.spareLinksJSON()
	}
	return text
}

// Word is the one of the two words of a [SwitchSetting] that says on or off.
func (s Setting) Word(on bool) string {
	if on {
		return s.Words[0]
	}
	return s.Words[1]
}

// On reports whether text is the first of the two words of a [SwitchSetting].
func (s Setting) On(text string) bool { return text == s.Words[0] }

// settingValue is a [Value] of any type.
type settingValue interface {
	text(Settings) string
	held(Settings) any
	read(s *Settings, text string) (problem string)
	clear(*Settings)
	fill(s *Settings)
}

// Value is a setting's place in [Settings], its two conversions and its default.
type Value[T comparable] struct {
	// At returns where the value lies.
	At func(*Settings) *T
	// Parse converts what was typed, without blank space around it, or says why
	// it cannot; then the value is zero. Blank is zero and no problem. The
	// settings that stand before it in the table are in the Settings.
	Parse func(text string, before Settings) (v T, problem string)
	// Format is the text for a value, blank for one that is not set.
	Format func(T) string
	// Default takes the place of a zero value, which is not set.
	Default T
}

func (v Value[T]) text(s Settings) string { return v.Format(*v.At(&s)) }

func (v Value[T]) held(s Settings) any { return *v.At(&s) }

func (v Value[T]) read(s *Settings, text string) (problem string) {
	*v.At(s), problem = v.Parse(text, *s)
	return problem
}

func (v Value[T]) clear(s *Settings) {
	var zero T
	*v.At(s) = zero
}

func (v Value[T]) fill(s *Settings) {
	var zero T
	if at := v.At(s); *at == zero {
		*at = v.Default
	}
}

// SettingTable is the settings in the order in which they are asked for and
// shown. [NewSettingTable] is the one of this program.
type SettingTable []Setting

// Fields lists the names in order.
func (t SettingTable) Fields() []Field {
	fields := make([]Field, len(t))
	for i, e := range t {
		fields[i] = e.Field
	}
	return fields
}

// Find returns the entry of a field; ok is false where the table has none.
func (t SettingTable) Find(f Field) (e Setting, ok bool) {
	i := slices.IndexFunc(t, func(e Setting) bool { return e.Field == f })
	if i < 0 {
		return Setting{}, false
	}
	return t[i], true
}

// Defaults are the settings of a host on which nothing has been set.
func (t SettingTable) Defaults() Settings { return t.WithDefaults(Settings{}) }

// WithDefaults returns s with the default of every setting that is not set, as
// a file made by hand may leave it out.
func (t SettingTable) WithDefaults(s Settings) Settings {
	for _, e := range t {
		e.Value.fill(&s)
	}
	return s
}

// Values returns s as text, in the form in which it can be typed back. What is
// not set is blank; an address without a known prefix length is written bare.
func (t SettingTable) Values(s Settings) Values {
	v := Values{}
	for _, e := range t {
		v[e.Field] = e.Text(s)
	}
	return v
}

// Settings converts v and returns every problem found, at most one a field, in
// the order of the table. Blank space around a value does not count. A field
// with a problem has its zero value in the Settings returned.
//
// A blank field is a problem only where an enabled sync needs it. A field that
// is not blank has to be good whether the sync is enabled or not.
func (t SettingTable) Settings(v Values) (Settings, []Problem) {
	var s Settings
	bad := map[Field]string{}
	for _, e := range t {
		if m := e.Value.read(&s, trim(v[e.Field])); m != "" {
			bad[e.Field] = m
		}
	}
	// What could not even be read is named for that; the rules of the values
	// are asked only about the rest.
	for _, p := range t.validate(s) {
		if bad[p.Field] == "" {
			bad[p.Field] = p.Message
		}
	}
	problems := t.problems(func(e Setting) string { return bad[e.Field] })
	for _, e := range t {
		if bad[e.Field] != "" {
			e.Value.clear(&s)
		}
	}
	return s, problems
}

// validate returns every problem of the single values, at most one a field, in
// the order of the table; nil means good. It is pure: whether an address is on
// the interface, or two addresses share a subnet, is not asked here. Where
// Enabled is false a value that is not set is no problem, a bad one is.
func (t SettingTable) validate(s Settings) []Problem {
	return t.problems(func(e Setting) string {
		if e.Rule == nil {
			return ""
		}
		return e.Rule(s)
	})
}

// Advice returns what is allowed and not advisable, as one sentence a field.
func (t SettingTable) Advice(s Settings) []Problem {
	return t.problems(func(e Setting) string {
		if e.Advice == nil {
			return ""
		}
		return e.Advice(s)
	})
}

// Difference is a setting whose value differs between two [Settings].
type Difference struct {
	Setting Field  `json:"setting"`
	From    string `json:"from"` // as it is typed, blank where it was not set
	To      string `json:"to"`
}

// Differences are the settings in which the two differ, in the order of the table.
// Whether the sync is enabled is no matter of them: the service knows.
func (t SettingTable) Differences(from, to Settings) []Difference {
	var all []Difference
	for _, e := range t {
		if was, is := e.Text(from), e.Text(to); e.Field != FieldEnabled && was != is {
			all = append(all, Difference{e.Field, was, is})
		}
	}
	return all
}

// problems are the messages that are not blank, in the order of the table.
func (t SettingTable) problems(message func(Setting) string) []Problem {
	var out []Problem
	for _, e := range t {
		if m := message(e); m != "" {
			out = append(out, Problem{Field: e.Field, Message: m})
		}
	}
	return out
}

// Values are settings as text, as typed into a form or given to a flag. Blank
// means not given. Copies share the map: [Values.With] changes none of them.
type Values map[Field]string

// With returns v with another text for a field; v stays as it is.
func (v Values) With(f Field, text string) Values {
	changed := maps.Clone(v)
	if changed == nil {
		changed = Values{}
	}
	changed[f] = text
	return changed
}

// trim takes off what a terminal or a paste leaves around a value. A
// no-break space is not blank: it is named to the person who typed it.
func trim(s string) string { return strings.Trim(s, " \t\r\n") }
