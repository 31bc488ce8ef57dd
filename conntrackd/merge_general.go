package conntrackd

import (
	"strconv"
)

// general adds what the sync needs and the General section lacks.
func (m *merge) general() {
	if last(m.f.top, "General") == nil {
		m.f.appendText(generalSection(m.s, m.h))
		return
	}
	if m.distribution {
		m.distributionGeneral()
	}
	m.add("HashSize", strconv.Itoa(m.h.hashSize()))
	m.add("HashLimit", strconv.Itoa(m.h.hashLimit()))
	m.add("LockFile", m.h.lockFile())
	m.controlSocket()
	m.netlinkBuffers()
	m.systemd()
	m.warn()
}

// generalDirective returns the General section that is edited, and its last directive
// with the name, in any of the sections.
func (m *merge) generalDirective(name string) (section, n *node) {
	m.f.reparse()
	return last(m.f.top, "General"), last(inside(m.f.top, "General"), name)
}

func (m *merge) add(name, value string) {
	if section, n := m.generalDirective(name); n == nil {
		m.f.insert(section, name+" "+value)
	}
}

// put sets a directive that is there.
func (m *merge) put(name, value string) {
	if _, n := m.generalDirective(name); n != nil {
		m.f.setArg(n, value)
	}
}

func (m *merge) drop(n *node) {
	if n != nil {
		m.f.remove(n)
	}
}

// distributionGeneral gives the distribution's own values, which nobody has chosen,
// the size that this host needs.
func (m *merge) distributionGeneral() {
	m.put("HashSize", strconv.Itoa(m.h.hashSize()))
	m.put("HashLimit", strconv.Itoa(m.h.hashLimit()))
	m.put("NetlinkBufferSize", strconv.Itoa(netlinkBuffer))
	m.put("NetlinkBufferSizeMaxGrowth", strconv.Itoa(netlinkGrowth))
	m.put("Syslog", "off") // the journal has every line already
	// LockFile and UNIX Path stay: the distribution's unit and scripts may name them.
	general := func() []*node { m.f.reparse(); return inside(m.f.top, "General") }
	m.drop(last(inside(general(), "UNIX"), "Backlog")) // deprecated: the daemon would warn
	filter := last(general(), "Filter")
	if filter != nil {
		m.drop(last(filter.children, "Protocol")) // without /etc/protocols it lets nothing through
		m.f.reparse()
	}
	switch list := m.ignoreList(); {
	case filter == nil:
		section, _ := m.generalDirective("Filter")
		m.f.insert(section, append([]string{""}, lines(filterBlock(m.s, m.h, ""))...)...)
	case list != nil:
		for _, a := range m.h.ignored(m.s) {
			if list = m.ignoreList(); !m.f.covers(list, a) {
				m.f.insert(list, ignoreLine(a))
				m.f.reparse()
			}
		}
	}
}

func (m *merge) controlSocket() {
	section, unix := m.generalDirective("UNIX")
	switch {
	case unix == nil:
		m.f.insert(section, "UNIX {", "\tPath "+m.h.socketPath(), "}")
	case last(inside(inside(m.f.top, "General"), "UNIX"), "Path") == nil:
		m.f.insert(unix, "Path "+m.h.socketPath())
	default:
		return
	}
	m.note("The control socket %s is added: without it nothing can be asked of the daemon.", m.h.socketPath())
}

// netlinkBuffers come in pairs: without the growth the daemon ignores the size.
func (m *merge) netlinkBuffers() {
	_, size := m.generalDirective("NetlinkBufferSize")
	grown := netlinkGrowth
	if size != nil {
		grown = max(grown, atoi(m.f.arg(size, 0)))
	}
	m.add("NetlinkBufferSize", strconv.Itoa(netlinkBuffer))
	m.add("NetlinkBufferSizeMaxGrowth", strconv.Itoa(grown))
}

func (m *merge) systemd() {
	if !m.h.UnitNotify {
		return
	}
	_, n := m.generalDirective("Systemd")
	if n != nil && m.f.argKind(n) == kindOff {
		m.put("Systemd", "on")
		m.note("Systemd becomes on: the service unit waits for the daemon's word, and kills it after 90 seconds without.")
	}
	m.add("Systemd", "on")
}

// warn says what stays and deserves a look.
func (m *merge) warn() {
	if _, n := m.generalDirective("HashLimit"); n != nil && m.h.ConntrackMax > 0 {
		if v := atoi(m.f.arg(n, 0)); v > 0 && v < m.h.ConntrackMax {
			m.note("HashLimit %d is kept and is less than the kernel's limit of %d connections: states beyond it are lost silently.",
				v, m.h.ConntrackMax)
		}
	}
	if _, n := m.generalDirective("HashSize"); n != nil && m.s.ExternalCache {
		if v := atoi(m.f.arg(n, 0)); v > 0 && v <= CommitStep {
			m.note("HashSize %d is kept: with %d or less, conntrackd refuses to flush its caches at a failover.", v, CommitStep)
		}
	}
	if _, n := m.generalDirective("PollSecs"); n != nil {
		m.note("PollSecs is kept: the daemon polls the kernel, and short connections are not replicated.")
	}
	for _, n := range named(inside(inside(m.f.top, "General"), "Filter"), "Protocol") {
		if m.f.arg(n, 0) == "Accept" {
			m.note("The Protocol Accept list in line %d is kept: other protocols are not replicated, and without /etc/protocols none is.", m.f.line(n))
		}
	}
}
