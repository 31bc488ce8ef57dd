package conntrackd

import (
	"strings"
	"testing"
)

func TestSchema(t *testing.T) {
	type place struct {
		section section
		keyword string
	}
	seen := map[place]bool{}
	for _, r := range schema {
		if len(r.shapes) == 0 || len(r.in) == 0 {
			t.Errorf("%s is not complete: %+v", r.keyword, r)
		}
		if r.alias != "" && lookup[r.in[0]][r.alias] == nil {
			t.Errorf("%s is an alias of %s, which is unknown", r.keyword, r.alias)
		}
		if len(r.keyword) > longestKeyword {
			t.Errorf("%s is longer than the longest keyword", r.keyword)
		}
		for _, s := range r.in {
			if seen[place{s, r.keyword}] {
				t.Errorf("%s stands twice in %s", r.keyword, s.title())
			}
			seen[place{s, r.keyword}] = true
		}
	}
}

// Each keyword is one that the real daemon knows, in every place and with every
// kind of value that the schema gives it.
func TestEveryDirectiveIsTheDaemons(t *testing.T) {
	for _, r := range schema {
		for _, in := range r.in {
			for _, shape := range r.shapes {
				text := r.keyword
				for i, a := range shape.args {
					text += " " + sampleValue(&r, i, a)
				}
				if shape.block != noBlock {
					body := ""
					switch shape.block {
					case inPolicy:
						body = "ExpectMax 1"
					case inHelperType:
						body = "QueueNum 1"
					}
					text += " { " + body + " }"
				}
				src := around(in, text) + "\nGeneral { UNIX { Path /nonexistent/x } }\n"
				if accepted, complaints := daemonSays(t, []byte(src)); !accepted {
					t.Errorf("%s: %q", src, complaints)
				}
				if _, diags := Parse("", []byte(src)); firstError(diags) != nil {
					t.Errorf("%s: %v", src, diags)
				}
			}
		}
	}
}

func sampleValue(r *rule, i int, a arg) string {
	if a.word != "" {
		return a.word
	}
	switch a.kind {
	case kindString:
		switch {
		case r.keyword == "Type" && len(r.shapes[0].args) == 1:
			return "rr"
		case r.keyword == "Type":
			return []string{"ftp", "inet", "tcp"}[i]
		case r.keyword == "Policy":
			return "ftp"
		}
		return "daemon"
	case kindAddress:
		if strings.HasPrefix(r.keyword, "IPv6") {
			return "fd00::1"
		}
	}
	return map[kind]string{
		kindOn: "on", kindOff: "off", kindNumber: "50", kindSigned: "-5", kindPath: "/nonexistent/y",
		kindAddress: "10.9.0.1", kindAlarm: "ALARM", kindFTFW: "FTFW", kindNotrack: "NOTRACK",
	}[a.kind]
}

// around writes the sections in which a directive may stand.
func around(in section, text string) string {
	before := map[section]string{
		inFile: "", inSync: "Sync {", inAlarm: "Sync { Mode ALARM {", inFTFW: "Sync { Mode FTFW {", inNotrack: "Sync { Mode NOTRACK {",
		inMulticast: "Sync { Multicast {", inUDP: "Sync { UDP {", inTCP: "Sync { TCP {", inOptions: "Sync { Options {",
		inGeneral: "General {", inUnix: "General { UNIX {", inScheduler: "General { Scheduler {", inFilter: "General { Filter {",
		inProtocols: "General { Filter { Protocol Ignore {", inAddresses: "General { Filter { Address Ignore {",
		inStates: "General { Filter { State Ignore {", inStats: "Stats {", inHelper: "Helper {",
		inHelperType: "Helper { Type ftp inet tcp {", inPolicy: "Helper { Policy ftp {",
	}[in]
	if in == inStates && !strings.HasPrefix(text, "for") {
		text += " for TCP"
	}
	return before + " " + text + strings.Repeat(" }", strings.Count(before, "{"))
}
