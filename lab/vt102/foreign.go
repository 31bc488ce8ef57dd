package vt102

import (
	"fmt"
	"strings"
)

// Foreign returns an error for the first thing in a stream that a VT100 does
// not know (VT100 User Guide, chapter 3) or that consoles are known to print
// or to get wrong: bytes outside ASCII, private and intermediate bytes in
// control sequences, control strings, character set switches. Beyond a VT100 it
// lets IRM be reset, which one ignores.
func Foreign(stream []byte) error {
	for i := 0; i < len(stream); {
		n := foreignAt(stream[i:])
		if n < 0 {
			return fmt.Errorf("byte %d of %d: %q after %q", i, len(stream), stream[i:min(len(stream), i+16)], stream[max(0, i-32):i])
		}
		i += n
	}
	return nil
}

// foreignAt is the length of what s begins with, negative when it is foreign.
func foreignAt(s []byte) int {
	switch b := s[0]; {
	case b >= ' ' && b <= '~', strings.ContainsRune("\r\n\b\x0f", rune(b)):
		return 1
	case b != 0x1b || len(s) < 2:
		return -1
	case strings.IndexByte("M78", s[1]) >= 0: // RI, DECSC, DECRC
		return 2
	case s[1] != '[':
		return -1
	}
	for n := 2; n < len(s); n++ {
		switch b := s[n]; {
		case b >= '0' && b <= '9' || b == ';':
		case strings.IndexByte("ABCDHJKmr", b) >= 0, b == 'n' && n == 3 && s[2] == '6', b == 'l' && n == 3 && s[2] == '4':
			return n + 1
		default:
			return -1
		}
	}
	return -1
}
