package conntrackd

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrDamaged says that a file cannot be edited: a block does not end, or the
// daemon stops reading before the end.
var ErrDamaged = errors.New("the file cannot be edited")

// SettingsError says that settings cannot be written to a file.
type SettingsError struct{ Problems []Problem }

// Error lists the problems on one line.
func (e *SettingsError) Error() string {
	var all []string
	for _, p := range e.Problems {
		all = append(all, string(p.Field)+": "+p.Message)
	}
	return "settings: " + strings.Join(all, "; ")
}

// Apply edits the file so that the daemon runs with the settings, whether they
// are enabled or not. Only what the settings name changes, and beside that only
// what the sync needs and the file lacks; comments and everything tuned stay.
// Where the settings are in force already, no byte changes.
//
// The link becomes one of the transport of the settings, with what it states. replaces
// lists what is lost of links that the settings could not say, such as of TCP, and a
// Stats section that is no distribution's own, for the operator to agree to. notes are sentences on whatever else
// changes or deserves a look.
//
// Enabled settings have to be valid. In disabled ones a zero buffer or port, and
// a prefix length of -1, leave the file's own.
//
// The errors are *[SettingsError] for settings that are bad or incomplete, and
// [ErrDamaged]; the file is as before then.
func (f *File) Apply(s Settings, h Host) (replaces, notes []string, err error) {
	if problems := s.unwritable(); problems != nil {
		return nil, nil, &SettingsError{Problems: problems}
	}
	m := &merge{s: s, h: h, at: -1, hadMode: f.modeNode() != nil}
	src := f.Bytes()
	if len(bytes.TrimSpace(src)) == 0 {
		src = newFile(s, h)
	}
	if bom := []byte("\ufeff"); bytes.HasPrefix(src, bom) {
		src = bytes.TrimPrefix(src, bom)
		m.note("The byte order mark at the beginning goes: the daemon took it for the end of the file.")
	}
	m.f, _ = Parse(f.name, src)
	if m.f.unendedComment() {
		m.f, _ = Parse(f.name, append(src, m.f.newline()...))
		m.note("The comment on the last line gets a newline: the daemon refuses a file without it.")
	}
	if err := m.f.damage(); err != nil {
		return nil, nil, err
	}
	before, unread := m.f.Settings()
	m.foreign = errors.As(unread, new(*TransportError))
	m.before = before.OnHost(h)
	m.s = m.s.OnHost(h)
	steps := []func(){m.statistics, m.transports, m.sync, m.mode, m.commitTimeout, m.general, m.links, m.settings, m.ignore, m.expectations}
	if unread == nil && m.inForce() {
		steps = []func(){m.expectations}
	}
	for _, step := range steps {
		step()
		m.f.reparse()
		if err := m.f.damage(); err != nil {
			return nil, nil, err
		}
	}
	m.tellReplaced()
	if got, err := m.f.Settings(); err != nil || !same(got.OnHost(h).withHelpers(h), m.s.withHelpers(h)) {
		return nil, nil, fmt.Errorf("%w: %s: the settings would not be in force after the edit", ErrDamaged, f.name)
	}
	*f = *m.f
	return m.replaces, m.notes, nil
}

// unwritable are the problems that keep s out of any file. What Apply leaves to
// the file may be missing in settings that are not to be started.
func (s Settings) unwritable() []Problem {
	if s.Enabled {
		return s.validate()
	}
	s.Enabled = true
	return s.withDefaults().withLengths().validate()
}

func (f *File) damage() error {
	switch {
	case f.cut >= 0:
		t := f.toks[f.cut]
		return fmt.Errorf("%w: %s: line %d, column %d: the daemon takes byte 0x%02X for the end of the file; remove it",
			ErrDamaged, f.name, t.line, t.col, t.text[0])
	case f.open:
		for _, d := range f.diags {
			if d.Severity == SeverityError {
				return fmt.Errorf("%w: %s: line %d, column %d: %s", ErrDamaged, f.name, d.Line, d.Column, d.Message)
			}
		}
	}
	return nil
}

// unendedComment reports whether no newline ends the last line's comment. To
// the daemon that is none: what it hides is part of the file until a newline
// comes behind it.
func (f *File) unendedComment() bool {
	return slices.ContainsFunc(f.toks, func(t token) bool { return t.kind == kindStray && t.text == "#" })
}

// inForce reports whether the file says the settings already, so that no edit is
// needed. Without a control socket nothing could be known of the daemon, and a
// daemon that does not tell systemd is killed after 90 seconds: these are
// mended in any case.
func (m *merge) inForce() bool {
	f := m.f
	if !same(m.before.withHelpers(m.h), m.s.withHelpers(m.h)) || len(named(f.top, "Stats")) > 0 {
		return false
	}
	all, _ := f.bareLinks()
	for i, link := range f.own() {
		if all[i].usable() && !f.bareAddresses(link) {
			return false
		}
	}
	general := inside(f.top, "General")
	silent := last(general, "Systemd")
	if m.h.UnitNotify && silent != nil && f.argKind(silent) == kindOff {
		return false
	}
	return last(inside(general, "UNIX"), "Path") != nil
}

// bareAddresses reports whether the daemon takes the addresses of a link.
func (f *File) bareAddresses(link *node) bool {
	for _, slot := range [][]string{
		{"IPv4_address", "IPv6_address"}, {"IPv4_Destination_Address", "IPv6_Destination_Address"}, {"IPv4_interface"},
	} {
		if n := last(link.children, slot...); n != nil {
			if _, ok := readAddress(n.text, f.arg(n, 0)); !ok {
				return false
			}
		}
	}
	return true
}

// same compares what a file keeps of two settings; what b leaves open does not
// count.
func same(a, b Settings) bool {
	return !slices.ContainsFunc(settingTable().inFile(), func(d *directive) bool { return !d.same(a, b) })
}

// merge is one Apply under way.
type merge struct {
	f            *File
	s            Settings
	h            Host
	at           int // the place of the UDP link whose directives are set; -1 for that of the daemon's start
	before       Settings
	distribution bool
	foreign      bool // the links were nothing that settings can say
	hadMode      bool // the file had a Mode before the edit
	replaces     []string
	notes        []string

	replaced       string // the transport of the link that became one of another
	replacedValues []linkValue
}

func (m *merge) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf(format, args...))
}

// replacing says that something of the operator's goes.
func (m *merge) replacing(n *node, what string) {
	m.replaces = append(m.replaces, fmt.Sprintf("%s (line %d)", what, m.f.line(n)))
}

// statistics puts a Sync section in the place of a Stats section.
func (m *merge) statistics() {
	m.distribution = m.f.isDistributionFile()
	if m.distribution {
		m.note("The distribution's file for statistics becomes one for the sync.")
	}
	all := named(m.f.top, "Stats")
	if len(all) == 0 {
		return
	}
	if !m.distribution {
		for _, n := range slices.Backward(all) {
			m.replacing(n, "Stats section: the daemon cannot gather statistics and sync at once")
		}
	}
	if len(named(m.f.top, "Sync")) == 0 {
		end := len(all) - 1
		m.f.replace(all[end], m.f.laidOut(nil, strings.TrimSuffix(syncSection(m.s), "\n")))
		all = all[:end]
	}
	m.f.removeAll(all)
}

// inPlace prepares a block to stand where n does: indented alike, without the
// comment that introduces it in a new file.
func (m *merge) inPlace(n *node, text string) string {
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	lead := m.f.toks[n.first].lead
	indent := lead[strings.LastIndexByte(lead, '\n')+1:]
	if strings.Trim(indent, " \t") != "" {
		indent = "\t"
	}
	return strings.TrimSpace(shift(indent, m.f.laidOut(nil, text)))
}

// sync adds the section and the link where they are missing.
func (m *merge) sync() {
	_, err := m.f.link()
	switch {
	case errors.Is(err, ErrNoLink):
		m.f.insert(last(m.f.top, "Sync"), lines(newLinks(m.s, ""))...)
	case err != nil:
		m.f.appendText(syncSection(m.s))
	}
}

func lines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
