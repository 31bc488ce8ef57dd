package tui

import (
	"fmt"
	"strconv"

	"connsync/conntrackd"
)

type fieldKind int

const (
	radioField fieldKind = iota
	interfaceField
	textField
	bufferField
)

// field describes one setting to the person. What is a good value is said by
// [ParseSettings] alone.
type field struct {
	id    conntrackd.Field
	label string
	short string // the label where the screen is narrow
	kind  fieldKind
	// hint is the line below the fields while this one has the focus; with
	// the label it fits into 76 cells, with the short one into twice 38.
	hint string
	// standard is the default in words, example a value that can be typed.
	standard, example string
	// about is the help screen: what it is, what may be typed, what follows.
	about []string
	// keys is the part of the help that is about the form alone.
	keys string
}

// inputLimit bounds what can be typed into a field. The longest good value is
// an IPv6 address with prefix length, 43 characters.
const inputLimit = 64

// fields is the table of the form, in its order. External cache is a matter of
// the command line: the form keeps what is saved.
func fields() []field {
	return []field{
		{
			id: conntrackd.FieldEnabled, label: "Enable Sync", short: "Enable Sync", kind: radioField,
			hint:     "conntrackd runs now and at boot, or not at all.",
			standard: "Disable", example: "Enable",
			about: []string{
				"Enable starts conntrackd now and at every boot; Disable stops it, now and at boot. The settings stay in the file, so that enabling again needs no typing.",
				"Both nodes have to be enabled. With one alone the sync goes one way.",
			},
			keys: "Space, or the left and right arrow, changes it.",
		},
		{
			id: conntrackd.FieldInterface, label: "Interface Name", short: "Interface", kind: interfaceField,
			hint:     "for sync alone. Enter lists them, or type a name.",
			standard: "none", example: "ens192",
			about: []string{
				"The interface that the two nodes are connected by for the sync. It should be dedicated to it (ens33, ens192, bond0, eth1), not the one that carries production traffic: sync bursts and traffic bursts come together.",
				"A name that is typed has letters, digits, dot, dash and underscore, beginning with a letter, at most 15. A name that is one to four hexadecimal digits (fe0, e1) cannot be read by conntrackd.",
			},
			keys: "Enter or space opens the list; a name can be typed too.",
		},
		{
			id: conntrackd.FieldCurrentIP, label: "Current IP", short: "Current IP", kind: textField,
			hint:     "with prefix length, an address of the interface.",
			standard: "none; choosing an interface fills it in", example: "10.0.0.101/24",
			about: []string{
				"The address of this node on the sync interface, with prefix length, IPv4 or IPv6. conntrackd binds to it, so it has to be assigned to the interface.",
			},
			keys: rightArrow + ".",
		},
		{
			id: conntrackd.FieldPeerIP, label: "Peer IP", short: "Peer IP", kind: textField,
			hint:     "the other node, in the same subnet, with prefix length.",
			standard: "none", example: "10.0.0.102/24",
			about: []string{
				"The address of the other node on the sync link, with prefix length: in the same subnet as Current IP and reachable through the sync interface, without a gateway.",
			},
			keys: rightArrow + ": the other end of a /30 or /31, or a neighbour that has been seen on the link.",
		},
		{
			id: conntrackd.FieldPort, label: "Port", short: "Port", kind: textField,
			hint:     "UDP, 1-65535: free on this node, the same on both.",
			standard: strconv.Itoa(conntrackd.DefaultPort), example: "3780",
			about: []string{
				"The UDP port of the sync, 1 to 65535. It has to be free on this node, the same on both nodes, and no firewall between or on them may block it.",
			},
		},
		{
			id: conntrackd.FieldSendBuffer, label: "Send Buffer Size", short: "Send Buffer", kind: bufferField,
			hint:     "bytes, or 128K. Raise it when sync drops messages.",
			standard: strconv.Itoa(conntrackd.DefaultBufferBytes), example: "131072 or 128K",
			about: []string{
				"How many bytes of messages to the peer may wait in the kernel. 131072 or 262144 for high throughput; raise it when the sync drops messages. " + bufferUnits,
				bufferDoubled + ", which is less than the 212992 of a socket that asks for nothing. " + bufferHeld,
			},
		},
		{
			id: conntrackd.FieldReceiveBuffer, label: "Receive Buffer Size", short: "Receive Buffer", kind: bufferField,
			hint:     "bytes. As the send buffer, the same on both nodes.",
			standard: strconv.Itoa(conntrackd.DefaultBufferBytes) + "; it follows the send buffer until it is edited", example: "131072 or 128K",
			about: []string{
				"How many bytes of messages from the peer may wait in the kernel. It should equal the send buffer, and be the same on both nodes. " + bufferUnits,
				bufferDoubled + ". " + bufferHeld,
			},
		},
	}
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

// What the help of two fields says alike.
const (
	rightArrow    = "The right arrow takes a suggestion that stands beside the field"
	bufferUnits   = "128K and 1M are understood."
	bufferDoubled = "The kernel doubles what is asked for: 65536 gives 131072 in force"
	bufferHeld    = "262144 held through every stall that was measured."
)
