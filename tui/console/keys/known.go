package keys

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// keypad is what the keys of a VT100's keypad type in application mode (VT100
// User Guide, table 3-8), with those that other keyboards have beside them.
var keypad = [256]rune{
	'p': '0', 'q': '1', 'r': '2', 's': '3', 't': '4', 'u': '5', 'v': '6', 'w': '7', 'x': '8', 'y': '9',
	'n': '.', 'm': '-', 'l': ',', 'k': '+', 'j': '*', 'o': '/', 'X': '=', ' ': ' ', 'I': '\t', 'M': '\r',
}

// withAlt is a key with Alt, in kitty's spelling: for what may follow Esc and a
// letter Bubble Tea waits, again with each key that comes.
func withAlt(b byte) string {
	const alt, shift, ctrl = 2, 1, 4
	code, held := int(b), 1+alt
	switch {
	case b == '\n':
		code = '\r'
	case b == '\t' || b == '\r' || b == 0x7f:
	case b == 0:
		code, held = ' ', held+ctrl
	case b < esc:
		code, held = int(b)+0x60, held+ctrl
	case b < ' ':
		code, held = int(b)+0x40, held+ctrl
	case b >= 'A' && b <= 'Z':
		code, held = int(b)+0x20, held+shift
	}
	return fmt.Sprintf("\x1b[%d;%du", code, held)
}

// knownSS3 says whether a sequence is a key: an arrow, Begin, End, Home, F1 to
// F4, or one of rxvt's arrows with Ctrl.
func knownSS3(final byte) bool { return strings.IndexByte("ABCDEFHPQRSabcd", final) >= 0 }

// knownCSI says whether a sequence with those parameters is a key.
func knownCSI(params string, final byte) bool {
	if strings.Trim(params, "0123456789;:") != "" {
		return false
	}
	first, rest, _ := strings.Cut(params, ";")
	switch final {
	case 'A', 'B', 'C', 'D', 'E', 'F', 'H', 'P', 'Q', 'S', 'Z', 'a', 'b', 'c', 'd':
		return first == "" || first == "1"
	case 'R': // with parameters it is the place of the cursor
		return params == ""
	case 'u':
		code, _, _ := strings.Cut(first, ":")
		return isKey(code)
	case '~', '^', '@':
		if first == "27" && final == '~' {
			modifier, code, _ := strings.Cut(rest, ";")
			return isNumber(modifier, 1, 256) && isKey(code)
		}
		return isNumber(first, 1, 34)
	}
	return false
}

// isKey says whether code is a key in the spelling that kitty and xterm share:
// a character, a control that is a key, or one of kitty's own.
func isKey(code string) bool {
	n, err := strconv.Atoi(code)
	if err != nil {
		return false
	}
	return unicode.IsPrint(rune(n)) && n <= unicode.MaxRune || unicode.Is(unicode.Co, rune(n)) ||
		n == '\b' || n == '\t' || n == '\r' || n == esc || n == 0x7f
}

func isNumber(s string, low, high int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= low && n <= high
}
