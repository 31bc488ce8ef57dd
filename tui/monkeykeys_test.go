package tui

import (
	"strings"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
)

// monkeySequences are keys of terminals, answers of terminals, and the mouse.
var monkeySequences = []string{
	"\t", "\t", "\x1b[Z", "\r", "\r", "\r", "\n", "\r\n", "\x1b", "\x7f", "\b", " ", " ",
	"\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1bOA", "\x1bOB", "\x1bOC", "\x1bOD", "\x1b[H", "\x1b[F", "\x1b[1~", "\x1b[4~",
	"\x1b[3~", "\x1b[5~", "\x1b[6~", "\x1bOP", "\x1b[[A", "\x1b[[E", "\x1b[15~", "\x1b[24~", "\x1bOp", "\x1bOn", "\x1bOM", "\x1bOk",
	"\x1bd", "\x1bb", "\x1bf", "\x1b\x7f", "\x1b[1;5C", "\x1b[1;3D", "\x1b[3;5~", "\x1b[3;3~", "\x1b[27u", "\x1b[97;5u", "\x1b\x1b[A",
	"\x15", "\x17", "\x0b", "\x12", "\x0c", "\x01", "\x05", "\x06", "\x02", "\x07", "\x1a", "\x00", "\x04", "\x11", "\x13", "\x16", "\x0e", "\x10",
	"\x1b[<0;10;20M", "\x1b[<0;10;20m", "\x1b[M !!", "\x1b[I", "\x1b[O", "\x1b[24;80R", "\x1b[?1;2c", "\x1b]11;rgb:0/0/0\x1b\\",
	"\x1b[200~", "\x1b[201~", "\x1b[200~10.0.0.9/24\x1b[201~", "\x1b[200~y\ry\r\x1b[201~", "\x1b[200~a\x1b[20~", "\x1b[", "\x1bO", "\x1b]", "\x1bP",
	"\xff", "\xc3", "\xe6\x97", "\x9b", "\xc2\x9b", "\xf0\x9f\x98\x80", "日本", "e\u0301", "\u202e", "\u200b",
}

// monkeyWays go where chance seldom does: to the buttons of the form, through
// the checks and a review, and along a good line of the other node.
var monkeyWays = [][]string{
	{"\x1b[27u", "\x1b[D", "\x1b[D", "\x1b[D", "\r"}, // Save
	{"\x1b[27u", "\x1b[D", "\x1b[D", "\x1b[D", "\r", "wait", "wait", "\r", "wait"},
	{"\x1b[27u", "\x1b[D", "\x1b[D", "\x1b[D", "\r", "wait", "wait", "a", "\x1b[Z", "\r", "wait"},
	{"\x1b[27u", "\x1b[D", "\x1b[D", "\x1b[D", "\r", "moment", "\r", "moment", "\r", "moment", "\r", "a", "\x1b[Z", "\r"}, // typed ahead
	{"\x1b[27u", "\x1b[D", "\x1b[D", "\r"},                                                                                // Check
	{"\x1b[27u", "\x1b[D", "\r"},                                                                                          // Status
	{"\x1b[27u", "h"},                                                                                                     // History
	{"wait", "\r"}, {"wait", "\r"}, {"wait", "a", "\t", "\r"}, {"wait", "f"}, {"wait", "c"},
	{"\t", "\t", "\x15", "1", "0", ".", "0", ".", "0", ".", "1", "0", "1", "/", "2", "4", "\t", "\x15", "10.0.0.102/24", "\t"},
	{"\x15", "connsync apply --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24 --port 3780 --enable", "\r", "wait"},
	{"\x1b[D", "\x1bd"}, {"1", "\r"}, {"e", "t", "h", "1", "\r"},
}

const monkeyLetters = "0123456789./:abcdefhjknqrstvy?-x"

// act does one thing that an operator, a terminal or a bad line may do.
func (k *monkey) act() {
	switch n := k.Intn(100); {
	case n < 30:
		k.send(string(monkeyLetters[k.Intn(len(monkeyLetters))]))
	case n < 70:
		k.send(k.oneOf(monkeySequences))
	case n < 78: // cut, on a line that may be slow
		s := k.oneOf(monkeySequences)
		at := k.Intn(len(s))
		k.send(s[:at])
		k.pause(400)
		k.send(s[at:])
	case n < 86:
		k.way()
	case n < 89:
		k.resize()
	case n < 91:
		k.send(k.noise())
	case n < 92:
		k.send("\x1b[200~" + strings.Repeat("y\r", k.Intn(6000)))
	case n < 93:
		k.interrupt()
	default:
		k.pause(3000)
	}
}

func (k *monkey) oneOf(all []string) string { return all[k.Intn(len(all))] }

func (k *monkey) way() {
	for _, s := range monkeyWays[k.Intn(len(monkeyWays))] {
		switch s {
		case "wait":
			time.Sleep(2500 * time.Millisecond)
			synctest.Wait()
		case "moment":
			k.pause(900)
		default:
			k.send(s)
		}
	}
}

func (k *monkey) pause(most int) {
	time.Sleep(time.Duration(k.Intn(most)) * time.Millisecond)
	synctest.Wait()
}

func (k *monkey) resize() {
	sizes := []tea.WindowSizeMsg{{Width: 80, Height: 24}, {Width: 40, Height: 12}, {Width: 132, Height: 43}, {}, {Width: 1, Height: 1}, {Width: k.Intn(301), Height: k.Intn(101)}}
	if !k.over() {
		k.program.Send(sizes[k.Intn(len(sizes))])
		synctest.Wait()
	}
}

// noise is what a line at the wrong speed delivers, without Ctrl+C.
func (k *monkey) noise() string {
	b := make([]byte, 1+k.Intn(40))
	for i := range b {
		if b[i] = byte(k.Intn(256)); b[i] == 3 {
			b[i] = 0x80
		}
	}
	return string(b)
}
