// Package console is the line between the program and the terminal: what kind
// of terminal it is, how large, which bytes may go out to it, and how the
// program ends when the line does. It exists because Bubble Tea sends
// sequences that a serial console prints as text and has no options against
// them.
package console

import (
	"os"
	"slices"
	"strings"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/sys/unix"
)

// Kind is how much a terminal can be trusted with.
type Kind int

const (
	// Dumb cannot address the cursor, or does not say that it can.
	Dumb Kind = iota
	// Serial is treated as a VT100: no alternate screen, no queries, nothing
	// outside ASCII, output paced to the line.
	Serial
	// Rich is a terminal emulator on a pseudo-terminal that is known to
	// understand more.
	Rich
)

// Line is a terminal that the program runs on. It is not safe for concurrent
// use.
type Line struct {
	in, out *os.File
	environ []string
	kind    Kind
	uart    bool
	pty     bool
	// The attributes that this program has given the input, and its device.
	raw       unix.Termios
	rawDevice uint64
	// What the operator does not want, whatever the terminal can.
	ascii, colourless bool
}

// Open looks at the terminal behind in and out; environ is as from
// [os.Environ]. It sends nothing.
func Open(in, out *os.File, environ []string) *Line {
	l := &Line{in: in, out: out, environ: environ}
	if rdev, ok := device(out); ok {
		l.pty = isPty(rdev)
		l.uart = isUART(rdev)
	}
	l.kind = kindOf(lookup(environ, "TERM"), l.pty)
	return l
}

// Kind says what the terminal is.
func (l *Line) Kind() Kind { return l.kind }

// Restrict takes away what the operator does not want: characters outside
// ASCII, colour. It never gives more than the terminal is known to take.
func (l *Line) Restrict(ascii, colourless bool) {
	l.ascii, l.colourless = ascii, colourless
}

// ASCII says whether only ASCII may be drawn: always on a serial line, and
// wherever the locale is not UTF-8.
func (l *Line) ASCII() bool {
	return l.ascii || l.kind != Rich || !utf8Locale(l.environ)
}

// Profile is the colour profile. Any non-empty NO_COLOR means no colour
// (https://no-color.org), and so do the VT100 family and a dumb terminal.
func (l *Line) Profile() colorprofile.Profile {
	term := lookup(l.environ, "TERM")
	switch {
	case l.colourless || lookup(l.environ, "NO_COLOR") != "":
		return colorprofile.ASCII
	case l.kind == Rich, strings.HasPrefix(term, "linux"), strings.HasPrefix(term, "xterm"):
		return colorprofile.ANSI
	default:
		return colorprofile.ASCII
	}
}

// rich lists terminal types whose emulators were tried with this program's
// output. Anything else is treated as a VT100, which costs nothing but colour.
var rich = []string{"xterm", "tmux", "screen", "rxvt", "alacritty", "foot", "kitty", "wezterm", "ghostty", "konsole", "gnome", "vte"}

// dumb lists terminal types whose terminfo entry has no cursor addressing.
var dumb = []string{
	"", "dumb", "unknown", "dialup", "network", "ethernet", "switch", "patch", "plugboard", "printer", "lpr",
	"tty33", "tty35", "tty37", "tty43", "glasstty",
}

func kindOf(term string, pty bool) Kind {
	if slices.Contains(dumb, term) {
		return Dumb
	}
	if pty {
		for _, prefix := range rich {
			if strings.HasPrefix(term, prefix) {
				return Rich
			}
		}
	}
	return Serial
}

// utf8Locale follows the order of setlocale(3) for LC_CTYPE.
func utf8Locale(environ []string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := lookup(environ, name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// lookup returns the value of the last entry for name, as execve(2) users do.
func lookup(environ []string, name string) string {
	value := ""
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// Discard throws away what a terminal has not sent yet, so that a line which
// takes no output does not hold up the end of the program.
func Discard(out *os.File) { discard(out) }

// Columns is the width of a terminal, 80 where it does not know.
func Columns(out *os.File) int {
	if width, _, ok := windowSize(out); ok {
		return width
	}
	return 80
}

// device is the terminal behind f: also where f is /dev/tty or /dev/console,
// which stand for another one.
func device(f *os.File) (uint64, bool) {
	rdev, err := unix.IoctlGetUint32(int(f.Fd()), unix.TIOCGDEV)
	return uint64(rdev), err == nil
}

// isPty and isVirtualConsole follow the kernel's Documentation/admin-guide/devices.txt.
func isPty(rdev uint64) bool {
	major := unix.Major(rdev)
	return major >= 136 && major <= 143
}

func isVirtualConsole(rdev uint64) bool {
	return unix.Major(rdev) == 4 && unix.Minor(rdev) < 64
}

// isUART says whether the terminal is a line that takes its time: neither
// another program nor the kernel's own console.
func isUART(rdev uint64) bool { return !isPty(rdev) && !isVirtualConsole(rdev) }
