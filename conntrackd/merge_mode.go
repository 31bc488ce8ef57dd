package conntrackd

import (
	"cmp"
	"slices"
	"strings"
)

// modeComment introduces each mode in a new file.
var modeComment = map[string]string{
	modeFTFW:    "# Reliable: what is lost on the way is sent again.",
	modeNotrack: "# Best effort: what is lost on the way stays lost.",
	modeAlarm:   "# Every state is sent again at intervals.",
}

// otherMode makes the Mode in force another one, in its place. What both modes take
// stays, and what the new one does not take goes.
func (m *merge) otherMode(to string) {
	now := strings.ToLower(m.f.Mode())
	n := m.f.modeNode()
	if m.hadMode {
		m.note("Mode %s (line %d) becomes %s.", strings.ToUpper(now), m.f.line(n), strings.ToUpper(to))
	}
	if what := unacknowledged[to]; what != "" {
		m.note("%s.", strings.ToUpper(what[:1])+what[1:])
	} else {
		m.note("In mode FTFW the peer acknowledges messages, and status proves the sync in both directions.")
	}
	m.note("The mode has to be the same on both nodes: a peer in another mode takes nothing.")
	var gone []*node
	for _, other := range named(inside(m.f.top, "Sync"), "Mode") {
		if other != n {
			gone = append(gone, other)
		}
	}
	for _, c := range n.children {
		if c.rule != nil && !slices.Contains(c.rule.in, modeSections[to]) {
			gone = append(gone, c)
		}
	}
	for _, c := range gone {
		if m.hadMode {
			m.note("%s (line %d) goes: mode %s does not take it.", strings.TrimSpace(c.text+" "+m.f.arg(c, 0)), m.f.line(c), strings.ToUpper(to))
		}
	}
	lead := &m.f.toks[n.first].lead
	*lead = strings.Replace(*lead, modeComment[now], modeComment[to], 1)
	m.f.setArg(n, strings.ToUpper(to))
	m.f.removeAll(gone)
}

// mode sees to it that there is a mode in which the peer's states can go where
// the settings want them.
func (m *merge) mode() {
	if m.f.modeNode() == nil {
		m.f.insert(last(m.f.top, "Sync"), append([]string{""}, lines(newMode(m.s, ""))...)...)
		m.f.reparse()
	}
	kept := m.s.Mode == m.f.mode()
	if !kept {
		m.otherMode(cmp.Or(m.s.Mode, modeFTFW))
	}
	mode := m.f.modeNode()
	switch {
	case mode.block == inAlarm:
		if kept {
			m.note("Mode ALARM is kept: an idle pair sends nothing in this mode, so its health is unknown.")
		}
		// Another Mode may have it, which the daemon takes as well.
		m.switchMode("DisableExternalCache", !m.s.ExternalCache, m.f.modeSetting("DisableExternalCache") != nil && m.f.externalCache() != m.s.ExternalCache)
		return
	case mode.block == inNotrack && kept:
		m.note("Mode NOTRACK is kept: the peer never acknowledges messages in this mode.")
	}
	m.switchMode("DisableExternalCache", !m.s.ExternalCache, m.f.externalCache() != m.s.ExternalCache)
	m.f.reparse()
	resync := m.f.modeSetting("StartupResync")
	m.switchMode("StartupResync", true, resync == nil)
	if resync != nil && m.f.argKind(resync) == kindOff {
		m.note("StartupResync off is kept: after a restart, a node has no states of the peer until they change.")
	}
}

// switchMode sets an on/off directive of the mode in force where it is due.
func (m *merge) switchMode(name string, on, due bool) {
	if !due {
		return
	}
	if n := m.f.modeSetting(name); n != nil {
		m.f.setArg(n, onOff(on))
		return
	}
	m.f.insert(m.f.modeNode(), name+" "+onOff(on))
}
