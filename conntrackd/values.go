package conntrackd

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Values returns s as text, in the form in which it can be typed back. What is
// not set is blank; an address without a known prefix length is written bare.
func (s Settings) Values() Values {
	v := Values{
		Enabled:       "disable",
		Interface:     s.Interface,
		CurrentIP:     formatPrefix(s.Current),
		PeerIP:        formatPrefix(s.Peer),
		SendBuffer:    formatPositive(s.SendBuffer),
		ReceiveBuffer: formatPositive(s.ReceiveBuffer),
		Port:          formatPositive(int(s.Port)),
		ExternalCache: "off",
	}
	if s.Enabled {
		v.Enabled = "enable"
	}
	if s.ExternalCache {
		v.ExternalCache = "on"
	}
	return v
}

// Settings converts v and returns every problem found, at most one a field, in
// the order of the fields. Blank space around a value does not count. A field
// with a problem has its zero value in the Settings returned.
//
// A blank field is a problem only where an enabled sync needs it. A field that
// is not blank has to be good whether the sync is enabled or not.
func (v Values) Settings() (Settings, []Problem) {
	var s Settings
	bad := map[Field]string{}
	note := func(f Field, message string) {
		if message != "" {
			bad[f] = message
		}
	}
	var m string
	s.Enabled, m = parseEnabled(trim(v.Enabled))
	note(FieldEnabled, m)
	s.ExternalCache, m = parseSwitch(trim(v.ExternalCache))
	note(FieldExternalCache, m)
	s.Interface = trim(v.Interface)
	zone := s.Interface
	if s.interfaceProblem() != "" {
		zone = "" // a zone cannot be compared with a name that is no name
	}
	s.Current, m = parseAddress(trim(v.CurrentIP), zone)
	note(FieldCurrentIP, m)
	s.Peer, m = parseAddress(trim(v.PeerIP), zone)
	note(FieldPeerIP, m)
	s.Port, m = parsePort(trim(v.Port))
	note(FieldPort, m)
	s.SendBuffer, m = parseBuffer(trim(v.SendBuffer))
	note(FieldSendBuffer, m)
	s.ReceiveBuffer, m = parseBuffer(trim(v.ReceiveBuffer))
	note(FieldReceiveBuffer, m)

	// What could not even be read is named for that; the rules of the values
	// are asked only about the rest.
	for _, p := range s.Validate() {
		if _, known := bad[p.Field]; !known {
			bad[p.Field] = p.Message
		}
	}
	problems := sorted(bad)
	for _, p := range problems {
		s.clear(p.Field)
	}
	return s, problems
}

func (s *Settings) clear(f Field) {
	switch f {
	case FieldInterface:
		s.Interface = ""
	case FieldCurrentIP:
		s.Current = netip.Prefix{}
	case FieldPeerIP:
		s.Peer = netip.Prefix{}
	case FieldPort:
		s.Port = 0
	case FieldSendBuffer:
		s.SendBuffer = 0
	case FieldReceiveBuffer:
		s.ReceiveBuffer = 0
	}
}

// Fields lists every field in the order in which they are shown.
func Fields() []Field {
	return []Field{
		FieldEnabled, FieldInterface, FieldCurrentIP, FieldPeerIP,
		FieldPort, FieldSendBuffer, FieldReceiveBuffer, FieldExternalCache,
	}
}

func sorted(bad map[Field]string) []Problem {
	var problems []Problem
	for _, f := range Fields() {
		if m, ok := bad[f]; ok {
			problems = append(problems, Problem{Field: f, Message: m})
		}
	}
	return problems
}

func formatPrefix(p netip.Prefix) string {
	switch {
	case !p.Addr().IsValid():
		return ""
	case p.Bits() < 0:
		return p.Addr().String()
	}
	return p.String()
}

func formatPositive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// trim takes off what a terminal or a paste leaves around a value. A
// no-break space is not blank: it is named to the person who typed it.
func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// show is a value as it stands in a message: quoted where it could be
// misread, and cut where it would fill the screen.
func show(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strconv.QuoteToGraphic(s)
}

// foreign describes the first character of s that is not printable ASCII, or
// returns "". Look-alikes such as full-width digits come from other keyboards
// and from documents, and are invisible as such.
func foreign(s string) string {
	for i, r := range s {
		switch {
		case r == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD"):
			return fmt.Sprintf("the byte 0x%02X", s[i])
		case r < ' ' || r == 0x7f:
			return fmt.Sprintf("a control character (U+%04X)", r)
		case r >= '0'+0xFEE0 && r <= '9'+0xFEE0:
			return fmt.Sprintf("the full-width digit %c (U+%04X)", r, r)
		case r == 0xA0 || r == 0x202F || r == 0x3000 || r >= 0x2000 && r <= 0x200F || r == 0xFEFF:
			return fmt.Sprintf("an invisible character (U+%04X)", r)
		case r > 0x7e:
			return fmt.Sprintf("the character %c (U+%04X)", r, r)
		}
	}
	return ""
}

func parseEnabled(s string) (bool, string) {
	switch strings.ToLower(s) {
	case "enable", "enabled", "on", "yes", "true":
		return true, ""
	case "", "disable", "disabled", "off", "no", "false":
		return false, ""
	}
	return false, fmt.Sprintf("%s is neither enable nor disable; type enable or disable", show(s))
}

func parseSwitch(s string) (bool, string) {
	switch strings.ToLower(s) {
	case "on", "yes", "true", "enable", "enabled":
		return true, ""
	case "", "off", "no", "false", "disable", "disabled":
		return false, ""
	}
	return false, fmt.Sprintf("%s is neither on nor off; type on or off", show(s))
}

func parsePort(s string) (uint16, string) {
	const want = "type a number from 1 to 65535, such as 3780"
	digits := strings.Trim(s, "0123456789") == ""
	switch f := foreign(s); {
	case s == "":
		return 0, ""
	case f != "":
		return 0, fmt.Sprintf("the port contains %s; %s", f, want)
	case digits && strings.Trim(s, "0") == "":
		return 0, fmt.Sprintf("port %s is none: the daemon would take a random one; %s", s, want)
	case digits && s[0] == '0':
		return 0, fmt.Sprintf("port %s begins with a zero; type it as %s", show(s), show(strings.TrimLeft(s, "0")))
	case digits:
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return 0, fmt.Sprintf("port %s is above 65535, the highest; %s", show(s), want)
		}
		return uint16(n), ""
	case s[0] == '-' || s[0] == '+':
		return 0, fmt.Sprintf("port %s has a sign; %s", show(s), want)
	case strings.HasPrefix(strings.ToLower(s), "0x"):
		return 0, fmt.Sprintf("port %s is hexadecimal; type it in decimal, such as 3780", show(s))
	case strings.ContainsAny(s, " \t"):
		return 0, fmt.Sprintf("port %s contains a space; type one number from 1 to 65535, such as 3780", show(s))
	case strings.ContainsAny(s, ".,"):
		return 0, fmt.Sprintf("port %s is no whole number; type it without point or comma, such as 3780", show(s))
	case strings.ContainsAny(s[1:], "-"):
		return 0, fmt.Sprintf("port %s is a range; type one number from 1 to 65535, such as 3780", show(s))
	case strings.ContainsAny(s, "/:"):
		return 0, fmt.Sprintf("port %s is more than a number (it is always UDP); %s", show(s), want)
	case strings.Trim(s, "0123456789") == s:
		return 0, fmt.Sprintf("%s is a name; the daemon reads no service names; %s", show(s), want)
	}
	return 0, fmt.Sprintf("port %s is no number; %s", show(s), want)
}
