package tui

import (
	"fmt"
	"strconv"
	"strings"

	"connsync/conntrackd"
)

// field is a setting that the form and the line mode ask for. What is a good
// value is said by [text.ParseSettings] alone.
type field struct{ conntrackd.Setting }

// inputLimit bounds what can be typed into a field. The longest good value is
// an IPv6 address with prefix length, 43 characters.
const inputLimit = 64

// fields are those of the form, in its order. An advanced setting is a matter of
// the command line: the form keeps what is saved.
func fields(t conntrackd.SettingTable) []field {
	var out []field
	for _, e := range t {
		if !e.Advanced {
			out = append(out, field{e})
		}
	}
	return out
}

// keys is the part of the help that is about the form alone.
func (f field) keys() string {
	const rightArrow = "The right arrow accepts the suggestion beside the field"
	switch {
	case f.Kind == conntrackd.SwitchSetting:
		return "Space or the left and right arrows change it."
	case f.Kind == conntrackd.InterfaceSetting:
		return "Enter or space opens the list; you can also type a name."
	case f.Field == conntrackd.FieldPeerIP:
		return rightArrow + ": the other end of a /30 or /31, or a neighbour seen on the link."
	case f.Kind == conntrackd.AddressSetting:
		return rightArrow + "."
	}
	return ""
}

// title is one of the two words of a switch, as it stands on a screen.
func (f field) title(on bool) string {
	word := f.Word(on)
	return strings.ToUpper(word[:1]) + word[1:]
}

// bytesNote says a buffer size in the other way of writing: bytes where a unit
// was typed, else a unit where it comes out even.
func bytesNote(typed string, n int) string {
	switch {
	case n <= 0:
		return ""
	case typed != strconv.Itoa(n):
		return fmt.Sprintf("%d bytes", n)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	case n >= 1<<20:
		return fmt.Sprintf("about %.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("about %.1f KiB", float64(n)/(1<<10))
}
