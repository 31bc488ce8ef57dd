package tui

import (
	"fmt"
	"strconv"
	"strings"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// field is a setting that the form and the line mode ask for. What is a good
// value is said by [text.ParseSettings] alone.
type field struct{ conntrackd.Setting }

// inputLimit bounds what can be typed into a field of one value. The longest good one
// is an IPv6 address with prefix length, 43 characters.
const inputLimit = 64

// listLimit is that of every other, such as a list, which a file may have longer than
// anyone types.
const listLimit = 8192

func (f field) limit() int {
	switch f.Kind {
	case conntrackd.InterfaceSetting, conntrackd.AddressSetting, conntrackd.NumberSetting, conntrackd.BytesSetting:
		return inputLimit
	}
	return listLimit
}

// fields are those of the form's first page, in its order.
func fields(t conntrackd.SettingTable) []field {
	var out []field
	for _, e := range t {
		if !e.Advanced {
			out = append(out, field{e})
		}
	}
	return out
}

// advancedFields are those of the page behind it, by their groups.
func advancedFields(t conntrackd.SettingTable) []field {
	var out []field
	for _, g := range conntrackd.SettingGroups() {
		for _, e := range t {
			if e.Advanced && e.Group() == g {
				out = append(out, field{e})
			}
		}
	}
	return out
}

// choices are the values of a field of which one is chosen, nil where one is typed.
func (f field) choices() []string {
	if f.Kind == conntrackd.ChoiceSetting || f.Kind == conntrackd.SwitchSetting {
		return f.Words
	}
	return nil
}

// left says that a value is not in the file: it is left to conntrackd.
func (f field) left(value string) bool {
	value = strings.TrimSpace(value)
	return f.Optional && (value == "" || strings.EqualFold(value, conntrackd.DefaultWord))
}

// drawn is a value as the form has it. What is left to conntrackd is the word for that
// where one is chosen, and blank where one is typed.
func (f field) drawn(value string) string {
	switch {
	case value == "" && f.Kind == conntrackd.SwitchSetting && f.Field != conntrackd.FieldEnabled:
		return f.Word(false)
	case !f.left(value):
		return value
	case f.choices() != nil:
		return conntrackd.DefaultWord
	}
	return ""
}

// keys is the part of the help that is about the form alone.
func (f field) keys() string {
	const rightArrow = "The right arrow accepts the suggestion beside the field"
	switch {
	case f.choices() != nil:
		return "Space or the left and right arrows change it."
	case f.Kind == conntrackd.ListSetting:
		return "Type the items with commas between them. A blank field leaves them to conntrackd."
	case f.Optional:
		return "A blank field leaves it to conntrackd."
	case f.Kind == conntrackd.InterfaceSetting:
		return "Enter or space opens the list; you can also type a name."
	case f.Field == conntrackd.FieldPeerIP:
		return rightArrow + ": the other end of a /30 or /31, or a neighbour seen on the link."
	case f.Kind == conntrackd.AddressSetting:
		return rightArrow + "."
	}
	return ""
}

// advancedText is what the advanced fields have that is not their default; blank for
// nothing.
func advancedText(t conntrackd.SettingTable, d *text.Draft, fields []field) string {
	standard := t.Values(t.Defaults())
	var told []string
	for _, fd := range fields {
		if v := d.Value(fd.Field); fd.Advanced && v != "" && !fd.left(v) && v != standard[fd.Field] {
			told = append(told, fd.Label+" "+valueText(fd, v))
		}
	}
	return strings.Join(told, ", ")
}

// title is one of the choices, as it stands on a screen.
func (f field) title(choice string) string {
	if f.Kind == conntrackd.SwitchSetting {
		return text.Capital(choice)
	}
	return choice
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
