package conntrackd

import (
	"errors"
	"fmt"
	"strings"

	"connsync/conntrackd/typed"
	"connsync/plural"
)

// maxInterfaceName is IFNAMSIZ without the final NUL.
const maxInterfaceName = 15

// CheckInterfaceName tells whether conntrackd can read name after `Interface`
// in its file. The kernel allows far more names than the daemon's lexer does
// (read_config_lex.l): there is no quoting, up to four hexadecimal digits are
// an IPv6 address, and a keyword is a keyword everywhere. The error is a
// sentence that names the rule and a way out; nil means readable.
func CheckInterfaceName(name string) error {
	if m := interfaceProblem(name); m != "" {
		return errors.New(m)
	}
	return nil
}

func interfaceProblem(name string) string {
	const rename = "rename the interface, such as sync0"
	switch f := typed.Foreign(name); {
	case name == "":
		return "no interface is named; type the name of the sync interface, such as eth1"
	case f != "":
		return fmt.Sprintf("the name contains %s; conntrackd reads plain letters, digits, dot, dash and underscore only", f)
	case strings.ContainsAny(name, " \t"):
		return fmt.Sprintf("%s contains a space; type one interface name, such as eth1", typed.Show(name))
	case strings.ContainsAny(name, "\"'"):
		return fmt.Sprintf("%s has quotes, which conntrackd does not know; type the name alone, such as eth1", typed.Show(name))
	case strings.Contains(name, ","):
		return fmt.Sprintf("%s is a list; type one interface name, such as eth1", typed.Show(name))
	case strings.Contains(name, "/"):
		return fmt.Sprintf("%s contains a slash, which no interface name has; type the name alone, such as eth1", typed.Show(name))
	case strings.Contains(name, "@"):
		base, _, _ := strings.Cut(name, "@")
		if base == "" || interfaceProblem(base) != "" {
			return fmt.Sprintf("%s contains @, which conntrackd cannot read; %s", typed.Show(name), rename)
		}
		return fmt.Sprintf("%s shows the lower device after the @; type the name alone: %s", typed.Show(name), base)
	case strings.Contains(name, ":"):
		base, _, _ := strings.Cut(name, ":")
		if base == "" || interfaceProblem(base) != "" {
			return fmt.Sprintf("%s contains a colon, which conntrackd cannot read; %s", typed.Show(name), rename)
		}
		return fmt.Sprintf("%s is an address label, not an interface; type the interface: %s", typed.Show(name), base)
	case len(name) > maxInterfaceName:
		return fmt.Sprintf("%s has %s; an interface name has at most %d", typed.Show(name), plural.Of(len(name), "character", "characters"), maxInterfaceName)
	case name[0] >= '0' && name[0] <= '9':
		return fmt.Sprintf("%s begins with a digit, which conntrackd cannot read; %s", typed.Show(name), rename)
	case isHexWord(name):
		return fmt.Sprintf("conntrackd reads %s as an IPv6 address (one to four hexadecimal digits); %s", typed.Show(name), rename)
	case !isLetter(name[0]):
		return fmt.Sprintf("%s does not begin with a letter, so conntrackd cannot read it; %s", typed.Show(name), rename)
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return !isStringByte(byte(r)) }); i >= 0 {
		return fmt.Sprintf("%s contains %q, which conntrackd cannot read; %s", typed.Show(name), name[i], rename)
	}
	if k := classify(name); k != kindString {
		return fmt.Sprintf("%s is a word of conntrackd's own language; %s", typed.Show(name), rename)
	}
	return ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isStringByte(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func isHexWord(s string) bool {
	if len(s) > 4 {
		return false
	}
	for i := range len(s) {
		if !isHexDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
