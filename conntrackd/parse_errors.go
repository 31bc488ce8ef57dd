package conntrackd

import (
	"fmt"
	"strings"

	"connsync/conntrackd/typed"
)

// title is how a section is called in a message.
func (s section) title() string {
	return map[section]string{
		inFile: "the file", inSync: "Sync", inAlarm: "Mode ALARM", inFTFW: "Mode FTFW", inNotrack: "Mode NOTRACK",
		inMulticast: "Multicast", inUDP: "UDP", inTCP: "TCP", inOptions: "Options", inExpect: "ExpectationSync",
		inGeneral: "General", inUnix: "UNIX", inScheduler: "Scheduler", inFilter: "Filter", inProtocols: "Protocol",
		inAddresses: "Address", inStates: "State", inStats: "Stats", inHelper: "Helper", inHelperType: "Type", inPolicy: "Policy",
	}[s]
}

// unknown explains a token that begins no directive of a section.
func (p *parser) unknown(in section, t *token) string {
	switch {
	case t.kind == kindClose:
		return "} closes no block"
	case t.kind == kindOpen:
		return "{ follows no directive that has a block"
	case t.kind == kindTruncator:
		return fmt.Sprintf("byte 0x%02X cannot stand inside a block", t.text[0])
	case t.kind == kindStray && t.text == "#":
		return "the comment on the last line needs a newline after it"
	}
	word := typed.Show(t.text)
	if t.kind == kindKeyword {
		return fmt.Sprintf("%s may not stand in %s", t.text, in.title())
	}
	for k := range lookup[in] {
		if strings.EqualFold(k, t.text) {
			return fmt.Sprintf("%s is not known; the daemon writes it %s", word, k)
		}
	}
	return fmt.Sprintf("%s is not known in %s", word, in.title())
}

// expected says what should have followed a directive.
func (p *parser) expected(r *rule) string {
	var ways []string
	for _, s := range r.shapes {
		var parts []string
		for _, a := range s.args {
			if a.word != "" {
				parts = append(parts, a.word)
			} else {
				parts = append(parts, a.kind.title())
			}
		}
		if s.block != noBlock {
			parts = append(parts, "a block in braces")
		}
		ways = append(ways, strings.Join(parts, " and "))
	}
	found := "the file ends"
	if p.pos < len(p.f.toks) {
		found = "found " + typed.Show(p.f.toks[p.pos].text)
	}
	return fmt.Sprintf("needs %s; %s", strings.Join(ways, ", or "), found)
}

func (k kind) title() string {
	switch k {
	case kindOn:
		return "on"
	case kindOff:
		return "off"
	case kindNumber:
		return "a number"
	case kindSigned:
		return "a number with its sign"
	case kindAddress:
		return "an address"
	case kindPath:
		return "an absolute path"
	case kindAlarm:
		return "ALARM"
	case kindFTFW:
		return "FTFW"
	case kindNotrack:
		return "NOTRACK"
	}
	return "a name"
}
