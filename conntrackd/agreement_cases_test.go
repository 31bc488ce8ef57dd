package conntrackd

import (
	"strings"
	"testing"
)

// The parser and the real daemon agree on what is a configuration file.
func TestParserAgreesWithDaemon(t *testing.T) {
	const socket = "General { UNIX { Path /nonexistent/connsync.ctl } }\n"
	udp := func(s string) string { return "Sync { UDP { " + s + " } }\n" }
	sync := func(s string) string { return "Sync { " + s + " }\n" }
	general := func(s string) string { return "General { " + s + " }\n" }
	for name, src := range map[string]string{
		"empty":                     "",
		"comment":                   "# nothing\n",
		"comment without newline":   "# nothing",
		"one line":                  udp("IPv4_address 10.0.0.1 Port 3780 Interface lo"),
		"lower keyword":             udp("port 3780"),
		"Lockfile":                  general("Lockfile /x.lock"),
		"IPv4_Address":              udp("IPv4_Address 10.0.0.1"),
		"destination lower":         udp("IPv4_destination_address 10.0.0.1"),
		"ON":                        udp("Checksum ON"),
		"yes":                       udp("Checksum Yes"),
		"nO":                        udp("Checksum nO"),
		"bar":                       udp("Checksum |n"),
		"bars":                      udp("Checksum |||"),
		"true":                      udp("Checksum true"),
		"one":                       udp("Checksum 1"),
		"quote":                     udp(`Interface "lo"`),
		"semicolon":                 udp("Port 3780;"),
		"equals":                    udp("Port = 3780"),
		"negative":                  udp("Port -5"),
		"hex":                       udp("Port 0x10"),
		"hex digits":                udp("Port ab"),
		"hex slash":                 udp("IPv6_address ab/64"),
		"number slash":              udp("IPv6_address 12/3"),
		"short address":             udp("IPv4_address 12"),
		"1M":                        udp("SndSocketBuffer 1M"),
		"3.5":                       udp("SndSocketBuffer 3.5"),
		"huge":                      udp("SndSocketBuffer 99999999999999999999999"),
		"empty block":               udp(""),
		"Default":                   sync("UDP Default { }"),
		"two defaults":              sync("UDP Default { } UDP Default { }"),
		"group in UDP":              udp("Group 3780"),
		"ErrorQueueLength":          sync("TCP { ErrorQueueLength 3 }"),
		"mode without braces":       sync("Mode FTFW"),
		"mode":                      sync("Mode ftfw { }"),
		"mode nack":                 sync("Mode nack { }"),
		"mode persistent":           sync("Mode persistent { }"),
		"mode persistenT":           sync("Mode persistenT { }"),
		"mode bar":                  sync("Mode f|f| { }"),
		"two modes":                 sync("Mode ALARM { } Mode FTFW { }"),
		"internal cache in FTFW":    sync("Mode FTFW { DisableInternalCache on }"),
		"internal cache in NOTRACK": sync("Mode NOTRACK { DisableInternalCache on }"),
		"resync in ALARM":           sync("Mode ALARM { StartupResync on }"),
		"resend in NOTRACK":         sync("Mode NOTRACK { ResendQueueSize 1 }"),
		"times in Sync":             sync("RefreshTime 1 CacheTimeout 2 CommitTimeout 3 PurgeTimeout 4"),
		"UDP and TCP":               sync("UDP { } TCP { }"),
		"UDP and Multicast":         sync("UDP { } Multicast { Interface lo Group 1 }"),
		"Sync and Stats":            sync("UDP { }") + "Stats { }\n",
		"Stats and Sync":            "Stats { LogFile on }\n" + sync("UDP { }"),
		"two Syncs":                 sync("UDP { }") + sync("Mode FTFW { }"),
		"four links":                sync(strings.Repeat("UDP { Port 1 } ", 4)),
		"five links":                sync(strings.Repeat("UDP { Port 1 } ", 5)),
		"open":                      "Sync { UDP { Port 1 }\n",
		"closed twice":              sync("UDP { Port 1 }") + "}\n",
		"unknown":                   sync("Bandwidth 3"),
		"unknown section":           "Cluster { }\n",
		"keyword elsewhere":         general("Port 3780"),
		"glued comment":             udp("Port 3780#x\n"),
		"glued brace":               "General{UNIX{Path /nonexistent/x.ctl}}\n",
		"path then brace":           "General{UNIX{Path /nonexistent/x.ctl }}\n",
		"carriage return":           "General {\r\n HashSize 3\r\n}\r\n",
		"lock carriage return":      general("LockFile /x.lock\r\n"),
		"relative path":             general("LockFile x.lock"),
		"tab in path":               general("LockFile /x\tHashSize 3"),
		"unix 107":                  "General { UNIX { Path /nonexistent/" + strings.Repeat("x", 94) + " } }\n",
		"unix 108":                  "General { UNIX { Path /nonexistent/" + strings.Repeat("x", 95) + " } }\n",
		"lock 255":                  general("LockFile /" + strings.Repeat("x", 254)),
		"lock 256":                  general("LockFile /" + strings.Repeat("x", 255)),
		"lock 257":                  general("LockFile /" + strings.Repeat("x", 256)),
		"log 257":                   general("LogFile /" + strings.Repeat("x", 256)),
		"nice":                      general("Nice -5"),
		"nice without sign":         general("Nice 5"),
		"aliases":                   general("SocketBufferSize 1 SocketBufferSizeMaxGrown 2 SocketBufferSizeMaxGrowth 3"),
		"poll 0":                    general("PollSecs 0"),
		"poll wraps to 0":           general("PollSecs 4294967296"),
		"poll 5":                    general("PollSecs 5"),
		"priority 100":              general("Scheduler { Type rr Priority 100 }"),
		"priority 99":               general("Scheduler { Type FIFO Priority 99 }"),
		"scheduler other":           general("Scheduler { Type other }"),
		"overrun":                   general("NetlinkOverrunResync 5 NetlinkOverrunResync off"),
		"filter":                    general("Filter From Kernelspace { Address Ignore { IPv4_address 10.0.0.1/33 IPv6_address ::1 } }"),
		"filter from elsewhere":     general("Filter From Here { }"),
		"protocols":                 general("Filter { Protocol Accept { TCP UDP sctp } }"),
		"protocol number":           general("Filter { Protocol Accept { 6 } }"),
		"states":                    general("Filter { State Accept { ESTABLISHED CLOSED CLOSE for TCP } }"),
		"states without for":        general("Filter { State Accept { ESTABLISHED } }"),
		"states empty":              general("Filter { State Accept { } }"),
		"states for only":           general("Filter { State Accept { for TCP for TCP } }"),
		"states UDP":                general("Filter { State Accept { ESTABLISHED for UDP } }"),
		"expectations":              sync("Options { TCPWindowTracking on ExpectationSync { ftp h.323 } }"),
		"expectation keyword":       sync("Options { ExpectationSync { ftp TCP } }"),
		"helper setup":              "Helper { Setup on }\n",
		"helper l3":                 "Helper { Type ftp inet5 tcp { QueueNum 1 } }\n",
		"helper l4":                 "Helper { Type ftp inet sctp { QueueNum 1 } }\n",
		"helper policy empty":       "Helper { Policy ftp { } }\n",
		"setup inside type":         "Helper { Type ftp inet tcp { Setup on } }\n",
		"events reliable in Stats":  "Stats { NetlinkEventsReliable on }\n",
		"syslog local9":             general("Syslog local9"),
		"syslog number":             general("Syslog 3"),
		"BOM":                       "\ufeff" + "Rubbish }\n",
		"NBSP between sections":     socket + "\u00a0Rubbish }\n",
		"NBSP inside":               general("HashSize\u00a03"),
		"NBSP in comment":           "# \u00a0\n" + general("HashSize 3"),
		"NUL between sections":      socket + "\x00Rubbish }\n",
		"NUL inside":                general("HashSize \x00 3"),
		"interface hex":             udp("Interface ae0"),
		"interface five hex":        udp("Interface dead0"),
		"interface dotted":          udp("Interface bond0.100"),
		"interface colon":           udp("Interface eth0:1"),
		"interface at":              udp("Interface eth0@if3"),
		"interface digit":           udp("Interface 0eth"),
		"interface underscore":      udp("Interface _eth"),
		"interface keyword":         udp("Interface Sync"),
		"interface for":             udp("Interface for"),
		"interface Default":         udp("Interface Default"),
		"interface alarm":           udp("Interface alarm"),
		"interface no":              udp("Interface no"),
		"interface longer keyword":  udp("Interface Sync1"),
		"interface unicode":         udp("Interface eth\u00e9"),
	} {
		t.Run(name, func(t *testing.T) {
			text := src
			if !strings.Contains(src, "/nonexistent/") {
				text = socket + src
			}
			if strings.HasPrefix(src, "\ufeff") {
				text = src // the point is that nothing after it is read
			}
			f, diags := Parse(name, []byte(text))
			if got := string(f.Bytes()); got != text {
				t.Errorf("printed %q, read %q", got, text)
			}
			want, complaints := daemonSays(t, []byte(text))
			got := true
			for _, d := range diags {
				got = got && d.Severity != SeverityError
			}
			if got != want {
				t.Errorf("%q: accepted %v, the daemon %v\nours: %v\ndaemon: %q", text, got, want, diags, complaints)
			}
			if len(complaints) > 0 && len(diags) == 0 && !excused(complaints) {
				t.Errorf("%q: no diagnostic; the daemon says %q", text, complaints)
			}
		})
	}
}

// excused are warnings about the host and not about the file.
func excused(complaints []string) bool {
	for _, c := range complaints {
		if !strings.Contains(c, "in /etc/protocols") {
			return false
		}
	}
	return true
}
