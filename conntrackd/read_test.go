package conntrackd

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/typed"
)

func TestReadSettings(t *testing.T) {
	bare := func(a string, bits int) netip.Prefix { return netip.PrefixFrom(netip.MustParseAddr(a), bits) }
	tests := []struct {
		name, src string
		want      Settings
	}{
		{"complete", tuned, Settings{Interface: "eth1", Current: bare("10.9.0.101", 24), Peer: bare("10.9.0.102", 24),
			Port: 3780, SendBuffer: 65536, ReceiveBuffer: 65536, Advanced: Advanced{
				ResendQueueSize: 262144, IgnoreAddresses: "192.0.2.7", HashSize: 4096, HashLimit: 1000000, NetlinkBuffer: 1, NetlinkMaxGrowth: 2, Checksum: "off",
			}}},
		{"empty link", "Sync { UDP { } }", Settings{ExternalCache: true}},
		{"no prefix length", "Sync { UDP { IPv4_address 10.0.0.1 # /33\n IPv4_Destination_Address 10.0.0.2 # see /etc/hosts\n } }",
			Settings{ExternalCache: true, Current: bare("10.0.0.1", -1), Peer: bare("10.0.0.2", -1)}},
		{"another's prefix length", "Sync { UDP { IPv4_address 10.0.0.1 # not 10.0.0.2/24\n IPv4_Destination_Address 10.0.0.2 # 110.0.0.2/24\n } }",
			Settings{ExternalCache: true, Current: bare("10.0.0.1", -1), Peer: bare("10.0.0.2", -1)}},
		{"comment of the next line", "Sync { UDP { IPv4_address 10.0.0.1\n # /24\n } }",
			Settings{ExternalCache: true, Current: bare("10.0.0.1", -1)}},
		{"last wins", "Sync { UDP { Port 1 Port 2 SndSocketBuffer 1 SndSocketBuffer 2 Interface a1z Interface b1z IPv4_address 10.0.0.1 IPv6_address fd00::1 } }",
			Settings{ExternalCache: true, Port: 2, SendBuffer: 2, Interface: "b1z", Current: bare("fd00::1", -1)}},
		{"what the daemon does not take does not count", "Sync { UDP { IPv4_address 10.0.0.1 IPv4_address 10.0.0.256 IPv6_Destination_Address 10.0.0.2 } }",
			Settings{ExternalCache: true, Current: bare("10.0.0.1", -1)}},
		{"meant", "Sync { UDP { IPv4_address 10.0.0.1/24 } }", Settings{ExternalCache: true, Current: bare("10.0.0.1", 24)}},
		{"wrapped", "Sync { UDP { Port 70000 SndSocketBuffer 4294967296 RcvSocketBuffer 2147483648 } }",
			Settings{ExternalCache: true, Port: 4464, ReceiveBuffer: -2147483648}},
		{"huge", "Sync { UDP { Port 99999999999999999999 SndSocketBuffer 5000000000 } }",
			Settings{ExternalCache: true, Port: 65535, SendBuffer: 705032704}},
		{"first link", "Sync { UDP { Port 1 } UDP { Port 2 } }", Settings{ExternalCache: true, Port: 1}},
		{"default link", "Sync { UDP { Port 1 } UDP Default { Port 2 } UDP Default { Port 3 } UDP { Port 4 } }", Settings{ExternalCache: true, Port: 3}},
		{"two sections", "Sync { Mode NOTRACK { DisableExternalCache on } } Sync { UDP { Port 1 } }", Settings{Port: 1, Advanced: Advanced{Mode: modeNotrack}}},
		{"cache of the last mode", "Sync { Mode FTFW { DisableExternalCache on } Mode NOTRACK { DisableExternalCache off } UDP { } }", Settings{ExternalCache: true}},
		{"octal", "Sync { UDP { IPv4_address 010.0.0.010 } }", Settings{ExternalCache: true, Current: bare("8.0.0.8", -1)}},
		{"behind the end", "Sync { UDP { Port 1 } }\n\x80 Sync { UDP Default { Port 2 } }", Settings{ExternalCache: true, Port: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := Parse("", []byte(tt.src+"\n"))
			got, err := f.Settings()
			if err != nil {
				t.Fatal(err)
			}
			for _, buffer := range []*int{&tt.want.SendBuffer, &tt.want.ReceiveBuffer} {
				if *buffer == 0 {
					*buffer = typed.SystemBuffer
				}
			}
			if diff := cmp.Diff(tt.want, got, comparePrefix); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadOtherFiles(t *testing.T) {
	for src, want := range map[string]error{
		"": ErrNoSync, "General { }": ErrNoSync, "Stats { }": ErrStatsOnly, "Sync { Mode FTFW { } }": ErrNoLink,
		"\ufeff Sync { UDP { } }": ErrNoSync,
	} {
		f, _ := Parse("", []byte(src+"\n"))
		if got, err := f.Settings(); !errors.Is(err, want) || got != Defaults() {
			t.Errorf("%q: %v, %v; want %v", src, got, err, want)
		}
	}
	for src, want := range map[string]TransportError{
		"Sync {\n Multicast { Interface eth7 } Multicast { } }": {Transport: "Multicast", Interface: "eth7", Line: 2},
		"Sync { UDP { } TCP { } }":                              {Transport: "TCP", Line: 1},
		"Sync { TCP Default { Interface eth8 Port 1 } }":        {Transport: "TCP", Interface: "eth8", Line: 1},
	} {
		f, _ := Parse("", []byte(src+"\n"))
		_, err := f.Settings()
		var got *TransportError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestStock(t *testing.T) {
	all := samples(t)
	for name, want := range map[string]bool{"debian": true, "stats": true, "sync-ftfw": false, "sync-alarm": false} {
		f, _ := Parse(name, all[name])
		if f.isDistributionFile() != want {
			t.Errorf("%s: stock %v", name, !want)
		}
	}
	debian := string(all["debian"])
	for old, want := range map[string]struct {
		now   string
		stock bool
	}{
		"# Default debian config.":         {"# A word", true},
		"HashSize 8192\n\tHashLimit 65535": {"HashLimit 65535 HashSize 8192", true},
		"SocketBufferSize 262142":          {"NetlinkBufferSize 262142", true},
		"\tSystemd on\n":                   {"", true},
		"HashSize 8192":                    {"HashSize 16384", false},
		"LogFile on":                       {"LogFile /var/log/flows", false},
		"Backlog 20":                       {"Backlog 20 Colour 3", false},
		"Syslog on":                        {"Syslog local3", false},
		"Stats {":                          {"Stats {\n}\nHelper {", false},
		"\tUNIX {":                         {"PollSecs 3 UNIX {", false},
	} {
		f, _ := Parse("", []byte(strings.ReplaceAll(debian, old, want.now)))
		if f.isDistributionFile() != want.stock {
			t.Errorf("%q instead of %q: stock %v", want.now, old, !want.stock)
		}
	}
}

func TestDiagnosticPositions(t *testing.T) {
	src := "# x\nSync {\n\tTurbo on\n  UDP { port 3780 Port x\n IPv4_address 10.0.0.1/24 }\n}\nGeneral { HashSize }\n"
	_, got := Parse("", []byte(src))
	want := []Diagnostic{
		{3, 2, SeverityError, `"Turbo" is not known in Sync`},
		{4, 9, SeverityError, `"port" is not known; the daemon writes it Port`},
		{4, 24, SeverityError, `Port needs a number; found "x"`},
		{5, 15, SeverityWarning, `"10.0.0.1/24" is not a bare IPv4 address: the daemon goes on without it`},
		{7, 20, SeverityError, `HashSize needs a number; found "}"`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A number that the daemon cuts is named, whatever the section.
func TestNumbersThatDoNotFit(t *testing.T) {
	for text, want := range map[string]string{
		"2147483647": "", "0": "", "007": "", "00002147483647": "",
		"2147483648":              `"2147483648" does not fit: the daemon may take it for -2147483648; the most is 2147483647`,
		"4294967296":              `"4294967296" does not fit: the daemon may take it for 0; the most is 2147483647`,
		"5000000000":              `"5000000000" does not fit: the daemon may take it for 705032704; the most is 2147483647`,
		"99999999999999999999999": `"99999999999999999999999" does not fit: the daemon may take it for -1; the most is 2147483647`,
	} {
		for _, src := range []string{
			"Sync { UDP { SndSocketBuffer %s } }\n", "Sync { Mode FTFW { ResendQueueSize %s } }\n", "General { HashSize %s }\n",
			"Helper { Type ftp inet tcp { Policy ftp { ExpectMax %s } } }\n",
		} {
			var got string
			if _, diags := Parse("", []byte(strings.Replace(src, "%s", text, 1))); len(diags) > 0 {
				got = diags[0].Message
			}
			if got != want {
				t.Errorf(src+"%q, want %q", text, got, want)
			}
		}
	}
}

func TestFileLinks(t *testing.T) {
	src := `Sync {
  UDP { IPv4_address 10.0.0.1 IPv4_Destination_Address 10.0.0.2 Port 3780 Interface eth1 }
  UDP Default { IPv6_address fd00::1 IPv4_address 10.0.0.1/24
    Port 3781 Interface eth2 }
}
Sync { Multicast { IPv4_address 225.0.0.50 IPv4_interface 10.0.0.3 Interface eth4 Interface eth3 } TCP { } }
General { Filter { Protocol Accept { TCP UDP } } }
`
	at := netip.MustParseAddr
	want := []Link{
		{"eth1", []netip.Addr{at("10.0.0.1")}}, {"eth2", []netip.Addr{at("fd00::1")}},
		{"eth3", []netip.Addr{at("225.0.0.50"), at("10.0.0.3")}}, {},
	}
	f, _ := Parse("", []byte(src))
	if diff := cmp.Diff(want, f.Links(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The values are those of the default link, and the others are spare ones; what is
// no matter of a link is equal in all.
func TestFileSpares(t *testing.T) {
	const (
		first   = "UDP { IPv4_address 10.0.5.1 # /24\n IPv4_Destination_Address 10.0.5.2\n Port 3785 Interface eth5 SndSocketBuffer 4096 }"
		second  = "UDP Default { IPv4_address 10.0.0.1 IPv4_Destination_Address 10.0.0.2 Port 3780 Interface eth1 }"
		without = "UDP { IPv4_address 10.0.6.1 Port 3786 Interface eth6 }"
	)
	spare := Settings{Interface: "eth5", Current: netip.MustParsePrefix("10.0.5.1/24"), Peer: netip.PrefixFrom(netip.MustParseAddr("10.0.5.2"), -1), Port: 3785, SendBuffer: 4096, ReceiveBuffer: typed.SystemBuffer}
	chosen := Settings{Interface: "eth1", Current: netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), -1), Peer: netip.PrefixFrom(netip.MustParseAddr("10.0.0.2"), -1), Port: 3780, SendBuffer: typed.SystemBuffer, ReceiveBuffer: typed.SystemBuffer}
	for src, want := range map[string][]Settings{
		"Sync { Mode FTFW { DisableExternalCache on } " + first + second + without + " }": {spare},
		"Sync { Mode FTFW { DisableExternalCache on } " + second + " }":                   nil,
		"Sync { Mode FTFW { DisableExternalCache on } " + first + " }":                    nil,
		"Sync { " + first + "Multicast { } }":                                             nil,
		"Stats { }":                                                                       nil,
	} {
		f, _ := Parse("", []byte(src))
		if diff := cmp.Diff(want, f.spares(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", src, diff)
		}
	}
	f, _ := Parse("", []byte("Sync { Mode FTFW { DisableExternalCache off } "+first+second+" }"))
	spare.ExternalCache, chosen.ExternalCache = true, true
	all, standard := f.EachLink()
	if settings, err := f.Settings(); err != nil || len(all) != 2 || standard != 1 || all[0] != spare || all[1] != chosen || settings != chosen.WithSpares([]Settings{spare}) {
		t.Errorf("links %+v, the default is %d, settings %+v, %v", all, standard, settings, err)
	}
}

func TestFileListening(t *testing.T) {
	a, b := "IPv4_address 10.0.0.1 Port 3780 Interface eth1", "IPv4_address 10.0.5.1 Port 3785 Interface eth5"
	for src, want := range map[string]string{
		"UDP { " + a + " }":                                                          "10.0.0.1:3780 eth1",
		"UDP { " + a + " } UDP { " + b + " }":                                        "10.0.0.1:3780 eth1",
		"UDP Default { " + a + " } UDP { " + b + " }":                                "10.0.0.1:3780 eth1",
		"UDP { " + b + " } UDP Default { " + a + " }":                                "10.0.0.1:3780 eth1",
		"UDP Default { " + b + " } UDP Default { " + a + " }":                        "10.0.0.1:3780 eth1",
		"UDP { " + a + " Port 70000 IPv4_address 10.0.0.9 IPv4_address 10.0.0.256 }": "10.0.0.9:4464 eth1",
		"UDP { IPv6_address fd00::1 Port 1 }":                                        "[fd00::1]:1 ",
		"UDP { IPv4_address 10.0.0.1/24 Port 1 }":                                    "",
		"UDP { IPv4_address fd00::1 Port 1 }":                                        "",
		"UDP { IPv4_address 10.0.0.1 }":                                              "",
		"UDP { IPv4_address 10.0.0.1 Port 65536 }":                                   "",
		"TCP { IPv4_address 10.0.0.1 Port 1 }":                                       "",
		"":                                                                           "",
	} {
		f, _ := Parse("", []byte("Sync { "+src+" }\n"))
		got := ""
		if s, ok := f.listening(); ok {
			got = fmt.Sprint(netip.AddrPortFrom(s.Current.Addr(), s.Port), " ", s.Interface)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}

func TestSilentEnd(t *testing.T) {
	for src, want := range map[string]int{
		"":                                    -1,
		"Sync { }\n":                          -1,
		"\ufeffSync { }\n":                    0,
		"# \u00a0\nSync { }\u00a0\n":          13,
		"General { LockFile /\u00e9\n}\n":     -1,
		"Sync {\n \u00a0}\n":                  8,
		"Sync { }\x00\n":                      8,
		"Sync { \" }\n\u00a0\n":               -1,
		"Sync { }\n# no newline after \u00e9": -1,
		"Interface eth\u00e9\n\u00a0":         13,
	} {
		f, _ := Parse("", []byte(src))
		if got := f.SilentEnd(); got != want {
			t.Errorf("%q ends at %d, want %d", src, got, want)
		}
	}
}
