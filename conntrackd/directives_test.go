package conntrackd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// facts are what a file says of its daemon beside the settings.
type facts struct {
	Socket, Lock, Log, Mode string
	HashLimit               int
	Protocols               []string
	Accept                  bool
}

func TestFileFacts(t *testing.T) {
	daemons := facts{Lock: "/var/lock/conntrackd.lock", Mode: "FTFW", HashLimit: 262144}
	with := func(change func(*facts)) facts {
		f := daemons
		change(&f)
		return f
	}
	socket := func(path string) facts { return with(func(f *facts) { f.Socket = path }) }
	mode := func(name string) facts { return with(func(f *facts) { f.Mode = name }) }
	for name, tt := range map[string]struct {
		src  string
		want facts
	}{
		"nothing": {"", daemons},
		"all": {"Sync { Mode ALARM { } }\nGeneral { HashLimit 7 LockFile /l LogFile /g\n" +
			"UNIX { Path /s } Filter From Userspace { Protocol Accept { TCP UDP sctp } Address Ignore { IPv4_address 127.0.0.1 } } }\n",
			facts{"/s", "/l", "/g", "ALARM", 7, []string{"TCP", "UDP", "sctp"}, true}},
		"last wins": {"Sync { Mode FTFW { } }\nGeneral { HashLimit 7 LockFile /a LockFile /b\nUNIX { Path /c } HashLimit 8 }\nGeneral { UNIX { Path /d } }\n",
			facts{Socket: "/d", Lock: "/b", Mode: "FTFW", HashLimit: 8}},
		"zero is the default":     {"General { HashLimit 0 }\n", daemons},
		"no path of a log":        {"General { LogFile on }\nStats { LogFile /flows\n }\n", with(func(f *facts) { f.Log = "/flows" })},
		"two lists":               {"General { Filter { Protocol Ignore { TCP } Protocol Accept { udp } } }\n", with(func(f *facts) { f.Protocols, f.Accept = []string{"TCP", "udp"}, true })},
		"commented out":           {"# Mode ALARM { }\nSync { } # Mode ALARM\n", daemons},
		"mode in small letters":   {"Sync { Mode notrack { } }\n", mode("NOTRACK")},
		"old name of a mode":      {"Sync { Mode nack { } }\n", daemons},
		"FTFW before ALARM":       {"Sync { Mode FTFW { } Mode ALARM { } }\n", daemons},
		"ALARM before NOTRACK":    {"Sync { Mode ALARM { } } Sync { Mode NOTRACK { } }\n", mode("ALARM")},
		"behind the silent end":   {"General { UNIX { Path /s } }\n\u00a0General { UNIX { Path /t } }\n", socket("/s")},
		"behind a byte in a path": {"General { LockFile /l\u00e9\nUNIX { Path /s } }\n", with(func(f *facts) { f.Socket, f.Lock = "/s", "/l\u00e9" })},
		"carriage return":         {"General {\r\n LockFile /l\r\n}\r\n", with(func(f *facts) { f.Lock = "/l\r" })},

		// Files that the daemon refuses.
		"unknown word":         {"Banana\nGeneral { Banana 3 UNIX { Path /s } }\n", socket("/s")},
		"unknown section":      {"Generall { UNIX { Path /s } }\nSyncc { Mode ALARM { } }\n", with(func(f *facts) { f.Socket, f.Mode = "/s", "ALARM" })},
		"missing brace":        {"Sync { UDP { }\nGeneral { LockFile /l UNIX { Path /s } }\n", with(func(f *facts) { f.Socket, f.Lock = "/s", "/l" })},
		"missing brace, mode":  {"Sync { UDP { Mode notrack { } }\n", mode("NOTRACK")},
		"brace too many":       {"General { } LockFile /l UNIX { Path /s } }\n", with(func(f *facts) { f.Socket, f.Lock = "/s", "/l" })},
		"its section counts":   {"General { UNIX { Path /s } }\nGenerall { UNIX { Path /t } }\n", socket("/s")},
		"no value":             {"General { UNIX { Path }", daemons},
		"bad value":            {"Generall { UNIX { Path /s } UNIX { Path s } LockFile 3 }\n", socket("/s")},
		"byte inside a block":  {"Sync { \u00a0 }\nGeneral { UNIX { Path /s } }\n", socket("/s")},
		"comment without end":  {"Generall { LockFile /l }\n# LockFile /m", with(func(f *facts) { f.Lock = "/l" })},
		"end after the errors": {"Generall { LockFile /l }\n\u00a0 LockFile /m\n", with(func(f *facts) { f.Lock = "/l" })},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := Parse(name, []byte(tt.src))
			got := facts{Socket: f.ControlSocket(), Lock: f.LockFile(), Log: f.LogFile(), Mode: f.Mode(), HashLimit: f.HashLimit()}
			got.Protocols, got.Accept = f.ProtocolFilter()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
