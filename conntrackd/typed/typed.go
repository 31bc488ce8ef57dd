package typed

import (
	"fmt"
	"strconv"
	"strings"
)

// Show is a value as it stands in a message: quoted where it could be
// misread, and cut where it would fill the screen.
func Show(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strconv.QuoteToGraphic(s)
}

// Foreign describes the first character of s that is not printable ASCII, or
// returns "". Look-alikes such as full-width digits come from other keyboards
// and from documents, and are invisible as such.
func Foreign(s string) string {
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

// Enabled reads enable or disable, or another word for them in either case. A
// blank text is false and no problem.
func Enabled(s string) (on bool, problem string) {
	switch strings.ToLower(s) {
	case "enable", "enabled", "on", "yes", "true":
		return true, ""
	case "", "disable", "disabled", "off", "no", "false":
		return false, ""
	}
	return false, fmt.Sprintf("%s is neither enable nor disable; type enable or disable", Show(s))
}

// Switch reads on or off, or another word for them in either case. A blank text
// is false and no problem.
func Switch(s string) (on bool, problem string) {
	switch strings.ToLower(s) {
	case "on", "yes", "true", "enable", "enabled":
		return true, ""
	case "", "off", "no", "false", "disable", "disabled":
		return false, ""
	}
	return false, fmt.Sprintf("%s is neither on nor off; type on or off", Show(s))
}

// Port reads a UDP port, without blank space around it. A blank text is zero and
// no problem.
func Port(s string) (port uint16, problem string) {
	const want = "type a number from 1 to 65535, such as 3780"
	digits := strings.Trim(s, "0123456789") == ""
	switch f := Foreign(s); {
	case s == "":
		return 0, ""
	case f != "":
		return 0, fmt.Sprintf("the port contains %s; %s", f, want)
	case digits && strings.Trim(s, "0") == "":
		return 0, fmt.Sprintf("port must be 1 to 65535, such as 3780; with %s the daemon would take a random one", s)
	case digits && s[0] == '0':
		return 0, fmt.Sprintf("port %s begins with a zero; type it as %s", Show(s), Show(strings.TrimLeft(s, "0")))
	case digits:
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return 0, fmt.Sprintf("port %s is above 65535, the highest; %s", Show(s), want)
		}
		return uint16(n), ""
	case s[0] == '-' || s[0] == '+':
		return 0, fmt.Sprintf("port %s has a sign; %s", Show(s), want)
	case strings.HasPrefix(strings.ToLower(s), "0x"):
		return 0, fmt.Sprintf("port %s is hexadecimal; type it in decimal, such as 3780", Show(s))
	case strings.ContainsAny(s, " \t"):
		return 0, fmt.Sprintf("port %s contains a space; type one number from 1 to 65535, such as 3780", Show(s))
	case strings.ContainsAny(s, ".,"):
		return 0, fmt.Sprintf("port %s is not a whole number; type it without point or comma, such as 3780", Show(s))
	case strings.ContainsAny(s[1:], "-"):
		return 0, fmt.Sprintf("port %s is a range; type one number from 1 to 65535, such as 3780", Show(s))
	case strings.ContainsAny(s, "/:"):
		return 0, fmt.Sprintf("port %s is more than a number (it is always UDP); %s", Show(s), want)
	case strings.Trim(s, "0123456789") == s:
		return 0, fmt.Sprintf("%s is a name; the daemon reads no service names; %s", Show(s), want)
	}
	return 0, fmt.Sprintf("port %s is not a number; %s", Show(s), want)
}
