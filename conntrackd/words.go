package conntrackd

import "bytes"

// word is a piece of a configuration file as the daemon's lexer cuts it
// (read_config_lex.l), as far as a private copy of the file needs it. It is
// not the file's model: it serves contents that do not parse, too.
type word struct {
	text       string
	start, end int // offsets in the file
	line       int // from 1
}

// words cuts content into words, braces, paths and numbers; comments and white
// space are left out. The second result is the first byte outside a comment
// or path that ends the daemon's reading in silence, or -1: bison takes a byte
// above 0x7f, which the lexer hands over as a negative char, for the end of
// the file.
func words(content []byte) (list []word, silentEnd int) {
	line := 1
	for i := 0; i < len(content); {
		c := content[i]
		end := i + 1
		switch {
		case c == '\n':
			line++
		case c == ' ' || c == '\t' || c == '\r':
		case c == '#':
			end = until(content, i, "\n")
		case c >= 0x80:
			return list, i
		case c == '/':
			end = until(content, i, "\" \n")
			list = append(list, word{string(content[i:end]), i, end, line})
		case c == '{' || c == '}':
			list = append(list, word{string(c), i, end, line})
		default:
			for end < len(content) && inWord(content[end]) {
				end++
			}
			list = append(list, word{string(content[i:end]), i, end, line})
		}
		i = end
	}
	return list, -1
}

func until(content []byte, from int, stop string) int {
	if n := bytes.IndexAny(content[from:], stop); n >= 0 {
		return from + n
	}
	return len(content)
}

// inWord takes in what stands in names, numbers and addresses. A '/' belongs
// to a word only inside it, as in 10.0.0.0/24.
func inWord(c byte) bool {
	return c > ' ' && c < 0x80 && c != '{' && c != '}' && c != '#' && c != '"'
}

// replaceArguments returns content with the word after each keyword replaced.
// Line numbers stay as they are.
func replaceArguments(content []byte, replacements map[string]string) []byte {
	list, _ := words(content)
	var out []byte
	last := 0
	for i := 0; i+1 < len(list); i++ {
		text, ok := replacements[list[i].text]
		if !ok || list[i+1].text == "{" || list[i+1].text == "}" {
			continue
		}
		out = append(out, content[last:list[i+1].start]...)
		out = append(out, text...)
		last = list[i+1].end
		i++
	}
	return append(out, content[last:]...)
}

// argument returns the word after the last occurrence of keyword, as the last
// of several wins, or "".
func argument(content []byte, keyword string) string {
	list, _ := words(content)
	value := ""
	for i := 0; i+1 < len(list); i++ {
		if list[i].text == keyword {
			value = list[i+1].text
			i++
		}
	}
	return value
}

// ControlSocket returns the UNIX Path that a configuration file gives the
// daemon, or "" when it gives none.
func ControlSocket(content []byte) string { return argument(content, "Path") }

// lockFile returns the lock file of a daemon with this configuration.
func lockFile(content []byte) string {
	if path := argument(content, "LockFile"); path != "" {
		return path
	}
	return "/var/lock/conntrackd.lock" // DEFAULT_LOCKFILE
}

// SyncMode returns the mode in which a daemon with this configuration syncs:
// FTFW, NOTRACK or ALARM. It is what [Observer].Mode wants.
func SyncMode(content []byte) string {
	list, _ := words(content)
	mode := ""
	for i := 0; i+1 < len(list); i++ {
		if list[i].text == "Mode" {
			mode = list[i+1].text
		}
	}
	if mode == "" {
		return "FTFW"
	}
	return upper(mode)
}

func upper(s string) string {
	s = string(bytes.ToUpper([]byte(s)))
	if s == "NACK" {
		return "FTFW" // its old name
	}
	return s
}

// fileLink is one sync link as a file states it, read without judgement.
type fileLink struct {
	transport          string // UDP, TCP, Multicast
	iface              string
	addresses          []string
	port               string
	sendSize, recvSize string
}

// fileLinks returns the dedicated links of a file.
func fileLinks(content []byte) []fileLink {
	list, _ := words(content)
	var links []fileLink
	for i := 0; i < len(list); i++ {
		if t := list[i].text; t != "UDP" && t != "TCP" && t != "Multicast" {
			continue
		}
		open := i + 1
		if open < len(list) && list[open].text == "Default" {
			open++
		}
		if open >= len(list) || list[open].text != "{" {
			continue // a protocol's name in a filter
		}
		link := fileLink{transport: list[i].text}
		end := open + 1
		for ; end+1 < len(list) && list[end].text != "}"; end++ {
			link.take(list[end].text, list[end+1].text)
		}
		if link.iface != "" || len(link.addresses) > 0 {
			links = append(links, link)
		}
		i = end
	}
	return links
}

func (l *fileLink) take(keyword, value string) {
	switch keyword {
	case "Interface":
		l.iface = value
	case "IPv4_address", "IPv6_address", "IPv4_interface":
		l.addresses = append(l.addresses, value)
	case "Port":
		l.port = value
	case "SndSocketBuffer":
		l.sendSize = value
	case "RcvSocketBuffer":
		l.recvSize = value
	}
}
