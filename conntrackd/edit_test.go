package conntrackd

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tuned is a file made by hand that is complete, so that an edit has no reason
// to add anything.
const tuned = `# our cluster
Sync {
    Mode FTFW {  DisableExternalCache on   # on purpose
        StartupResync on
        ResendQueueSize 262144	# ours
    }
    UDP {   # the link
        IPv4_address 10.9.0.101      # /24 blue cable
        IPv4_Destination_Address 10.9.0.102 # the other (10.9.0.102/24)
        Port 3780#glued
        Interface eth1
        SndSocketBuffer 65536
        RcvSocketBuffer 65536	
        Checksum off
        # IPv6_address fd00::1
    }
}
General {
    HashSize 4096  HashLimit 1000000
    LockFile /run/our.lock
    UNIX { Path /run/our.ctl }
    NetlinkBufferSize 1 NetlinkBufferSizeMaxGrowth 2
    Systemd on
    Filter { Address Ignore {
        IPv4_address 10.9.0.101 # me
        IPv4_address 10.9.0.102
        IPv4_address 192.0.2.7
    } }
}
# the end`

// Law 2: an edit changes only the bytes of what it names. Law 3: the present
// value changes none.
func TestEdit(t *testing.T) {
	prefix := netip.MustParsePrefix
	tests := []struct {
		name   string
		change func(*Settings)
		// pairs of old and new text; everything else stays
		want []string
	}{
		{"nothing", func(*Settings) {}, nil},
		{"interface", func(s *Settings) { s.Interface = "bond0.100" }, []string{"Interface eth1", "Interface bond0.100"}},
		{"port", func(s *Settings) { s.Port = 4000 }, []string{"Port 3780#glued", "Port 4000#glued"}},
		{"buffers", func(s *Settings) { s.SendBuffer, s.ReceiveBuffer = 131072, 262144 },
			[]string{"SndSocketBuffer 65536", "SndSocketBuffer 131072", "RcvSocketBuffer 65536", "RcvSocketBuffer 262144"}},
		{"cache", func(s *Settings) { s.ExternalCache = true }, []string{"DisableExternalCache on ", "DisableExternalCache off "}},
		{"current", func(s *Settings) { s.Current = prefix("10.9.0.103/24") }, []string{
			"IPv4_address 10.9.0.101      # /24 blue", "IPv4_address 10.9.0.103      # /24 blue",
			"IPv4_address 10.9.0.101 # me", "IPv4_address 10.9.0.103 # me"}},
		{"prefix length", func(s *Settings) { s.Current, s.Peer = prefix("10.9.0.101/25"), prefix("10.9.0.102/25") },
			[]string{"# /24 blue", "# /25 blue", "10.9.0.102/24)", "10.9.0.102/25)"}},
		{"peer", func(s *Settings) { s.Peer = prefix("10.9.0.9/28") }, []string{
			"IPv4_Destination_Address 10.9.0.102 # the other (10.9.0.102/24)", "IPv4_Destination_Address 10.9.0.9 # the other (10.9.0.9/28)",
			"        IPv4_address 10.9.0.102\n", "        IPv4_address 10.9.0.9\n"}},
		{"IPv6", func(s *Settings) { s.Current, s.Peer = prefix("fd00::1/64"), prefix("fd00::2/64") }, []string{
			"IPv4_address 10.9.0.101      # /24 blue", "IPv6_address fd00::1      # /64 blue",
			"IPv4_Destination_Address 10.9.0.102 # the other (10.9.0.102/24)", "IPv6_Destination_Address fd00::2 # the other (fd00::2/64)",
			"IPv4_address 10.9.0.101 # me", "IPv6_address fd00::1 # me", "IPv4_address 10.9.0.102\n", "IPv6_address fd00::2\n"}},
		{"addresses swapped", func(s *Settings) { s.Current, s.Peer = s.Peer, s.Current }, []string{
			"IPv4_address 10.9.0.101      # /24 blue", "IPv4_address 10.9.0.102      # /24 blue",
			"IPv4_Destination_Address 10.9.0.102 # the other (10.9.0.102/24)", "IPv4_Destination_Address 10.9.0.101 # the other (10.9.0.101/24)"}},
	}
	src := strings.TrimSuffix(tuned, "# the end") + "# the end\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := pairSettings()
			tt.change(&s)
			f, diags := Parse("tuned", []byte(src))
			if diags != nil {
				t.Errorf("diagnostics: %v", diags)
			}
			var wantNotes []string
			if s.ExternalCache { // which a failover flushes
				wantNotes = []string{"HashSize 4096 is kept: with 8192 or less, conntrackd refuses to flush its caches at a failover."}
			}
			replaces, notes, err := f.Apply(s, Host{ConntrackMax: 262144, UnitNotify: true})
			if err != nil || replaces != nil {
				t.Fatalf("replaces %q, error %v", replaces, err)
			}
			if diff := cmp.Diff(wantNotes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			want := strings.NewReplacer(tt.want...).Replace(src)
			if diff := cmp.Diff(want, string(f.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			requireInForce(t, f.Bytes(), s, pairHost())
			if accepted, complaints := daemonSays(t, elsewhere(f.Bytes())); !accepted || complaints != nil {
				t.Errorf("the daemon: %v, %q", accepted, complaints)
			}
		})
	}
}

// One setting changes in a file that is complete: comments between the words of what
// goes stay, several lists and modes are edited as one, and a value that the daemon
// would read together with what stands at once beside it is parted from that by a space.
func TestEditOfOneSetting(t *testing.T) {
	const mode = "Mode FTFW { DisableExternalCache on StartupResync on }"
	const filter = "Filter From Userspace{}"
	const src = "Sync{" + mode + "\nUDP{IPv4_address 10.9.0.101#/24\nIPv4_Destination_Address 10.9.0.102#/24\nPort 3780Checksum on Interface eth1 SndSocketBuffer 65536RcvSocketBuffer 65536}}\n" +
		"General{HashSize 10000HashLimit 2000000LockFile/l\nUNIX{Path/c\n}NetlinkBufferSize 1NetlinkBufferSizeMaxGrowth 2 " + filter + "}\n"
	tests := []struct {
		name         string
		change       func(*Settings)
		before, want []string // what stands in place of mode or filter, or of a part of the file
		replaces     []string
	}{
		{"a value before a letter", func(s *Settings) { s.Port = 378 }, nil, []string{"3780C", "378 C"}, nil},
		{"a value before a word that is no part of it", func(s *Settings) { s.Port = 37800 }, nil, []string{"3780C", "37800C"}, nil},
		{"a value before a brace", func(s *Settings) { s.FilterFrom = "kernelspace" }, nil, []string{"Userspace{}", "Kernelspace{}"}, nil},
		{"comments in the values of a block", func(s *Settings) { s.FilterFrom = DefaultWord },
			[]string{filter, "Filter # f0\n From # f1\n Kernelspace # f2\n { # f3\n}"}, []string{filter, "Filter # f0\n  # f1\n  # f2\n { # f3\n}"}, nil},
		{"a comment before a value", func(s *Settings) { s.Mode, s.ResendQueueSize = modeNotrack, 0 },
			[]string{mode, "Mode FTFW {\n\tDisableExternalCache on\n\tStartupResync on\n\tResendQueueSize # r1\n\t131072 # r2\n}"},
			[]string{mode, "Mode NOTRACK {\n\tDisableExternalCache on\n\tStartupResync on\n\t # r1\n\t # r2\n}"}, nil},
		{"comments before a list that goes", func(s *Settings) { s.Protocols = DefaultWord },
			[]string{filter, "Filter From Userspace{ # 0\nProtocol # 1\nAccept # 2\n{ # gone\nTCP # gone\n} # 3\n}"},
			[]string{filter, "Filter From Userspace{ # 0\n # 1\n # 2\n # 3\n}"}, nil},
		{"a comment before a value that becomes a list", func(s *Settings) { s.ExpectationSync = "ftp" },
			[]string{mode, "Options { ExpectationSync # 1\non # 2\n}" + mode}, []string{mode, "Options { ExpectationSync {\n \tftp\n } # 1\n # 2\n}" + mode}, nil},
		{"several lists of what is not ignored", func(s *Settings) { s.IgnoreAddresses = "192.0.2.7" },
			[]string{filter, "Filter From Userspace{Address Accept{ IPv4_address 192.0.2.1 }\nAddress Accept{ }\nAddress Ignore { }\n}"},
			[]string{filter, "Filter From Userspace{\nAddress Ignore {\n\tIPv4_address 192.0.2.7\n\tIPv4_address 10.9.0.101\n\tIPv4_address 10.9.0.102\n}\n}"},
			[]string{"Address Accept list: it ignores every address that it does not have (line 7)", "Address Accept list: it ignores every address that it does not have (line 8)"}},
		{"a cache in another mode than ALARM", func(s *Settings) { s.ExternalCache = true },
			[]string{mode, "Mode FTFW { DisableExternalCache on StartupResync on }Mode ALARM { }"}, []string{mode, "Mode FTFW { DisableExternalCache off StartupResync on }Mode ALARM { }"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := strings.NewReplacer(tt.before...).Replace(src)
			f, diags := Parse("one", []byte(before))
			s, err := f.Settings()
			if err != nil || firstError(diags) != nil {
				t.Fatal(err, diags)
			}
			s.Enabled = true
			tt.change(&s)
			replaces, _, err := f.Apply(s, Host{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.replaces, replaces); diff != "" {
				t.Errorf("replaces (-want +got):\n%s", diff)
			}
			want := strings.NewReplacer(tt.want...).Replace(src)
			if diff := cmp.Diff(want, string(f.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if accepted, complaints := daemonSays(t, elsewhere(f.Bytes())); !accepted || complaints != nil {
				t.Errorf("the daemon: %v, %q\n%s", accepted, complaints, f.Bytes())
			}
		})
	}
}

// An address that the node keeps on another interface stays ignored.
func TestEditKeepsOwnAddresses(t *testing.T) {
	s := pairSettings()
	s.Current = netip.MustParsePrefix("10.9.0.103/24")
	f, _ := Parse("tuned", []byte(tuned+"\n"))
	if _, _, err := f.Apply(s, pairHost()); err != nil {
		t.Fatal(err)
	}
	got := string(f.Bytes())
	for _, want := range []string{"        IPv4_address 10.9.0.101 # me\n", "        IPv4_address 10.9.0.103\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
}

// What is there is found, renamed, added or mended, in whatever shape it stands.
func TestEditOfOddFiles(t *testing.T) {
	const general = "General { HashSize 1 HashLimit 2000000 LockFile /l UNIX { Path /c } NetlinkBufferSize 1 NetlinkBufferSizeMaxGrowth 2 Systemd on }\n"
	const mode = "Mode FTFW { DisableExternalCache on StartupResync on }"
	const rest = " Port 3780 Interface eth1 SndSocketBuffer 65536 RcvSocketBuffer 65536"
	tests := []struct {
		name, src, want string
		replaces        []string
	}{
		{"one line",
			"Sync { " + mode + " UDP { IPv4_address 10.9.0.7 IPv4_Destination_Address 10.9.0.8" + rest + " } }\n" + general,
			"Sync { " + mode + " UDP { IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + " } }\n" + general, nil},
		{"prefix in the daemon's way",
			"Sync { " + mode + " UDP {\n IPv4_address 10.9.0.101/24\n IPv4_Destination_Address 10.9.0.102/16\n" + rest + "\n} }\n" + general,
			"Sync { " + mode + " UDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" + general, nil},
		{"octal",
			"Sync { " + mode + " UDP {\n IPv4_address 012.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" + general,
			"Sync { " + mode + " UDP {\n IPv4_address 012.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" + general, nil},
		{"twice, the last counts",
			"Sync { " + mode + " UDP {\n\tPort 1\n\tIPv4_address 10.9.0.1\n\tIPv4_address 10.9.0.2\n\tIPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" + general,
			"Sync { " + mode + " UDP {\n\tPort 1\n\tIPv4_address 10.9.0.1\n\tIPv4_address 10.9.0.101 # /24\n\tIPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" + general, nil},
		{"carriage returns",
			"Sync { " + mode + " UDP {\r\n IPv4_address 10.9.0.1\r\n IPv4_Destination_Address 10.9.0.102 # x\r\n" + rest + "\r\n} }\r\n" + general,
			"Sync { " + mode + " UDP {\r\n IPv4_address 10.9.0.101 # /24\r\n IPv4_Destination_Address 10.9.0.102 # /24 x\r\n" + rest + "\r\n} }\r\n" + general, nil},
		{"the second link is the default",
			"Sync { " + mode + " UDP { Port 5 }\nUDP Default {\n\tIPv4_address 10.9.0.1\n}\nUDP { Port 6 }\n}\n" + general,
			"Sync { " + mode + " UDP { Port 5 }\nUDP Default {\n\tIPv4_address 10.9.0.101 # /24\n\tIPv4_Destination_Address 10.9.0.102 # /24\n" +
				"\tPort 3780\n\tInterface eth1\n\tSndSocketBuffer 65536\n\tRcvSocketBuffer 65536\n}\nUDP { Port 6 }\n}\n" + general, nil},
		{"empty link",
			"Sync { " + mode + " UDP {} }\n" + general,
			"Sync { " + mode + " UDP {\n\tIPv4_address 10.9.0.101 # /24\n\tIPv4_Destination_Address 10.9.0.102 # /24\n" +
				"\tPort 3780\n\tInterface eth1\n\tSndSocketBuffer 65536\n\tRcvSocketBuffer 65536\n} }\n" + general, nil},
		{"unknown directives",
			"Sync { " + mode + "\n  Turbo on  # ours\n UDP {\n IPv4_address 10.9.0.1 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n Color blue\n" + rest + "\n} }\nCluster { a { b c } }\n" + general,
			"Sync { " + mode + "\n  Turbo on  # ours\n UDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n Color blue\n" + rest + "\n} }\nCluster { a { b c } }\n" + general, nil},
		{"commit timeout means nothing without the external cache",
			"Sync {\n\tCommitTimeout 3 # ours\n\tMode FTFW {\n\t\tCommitTimeout 180\n\t\tStartupResync off\n\t}\n\tUDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n}\n}\n" + general,
			"Sync {\n\t # ours\n\tMode FTFW {\n\t\tStartupResync off\n\t\tDisableExternalCache on\n\t}\n\tUDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n}\n}\n" + general, nil},
		{"notify",
			"Sync { " + mode + " UDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" + strings.Replace(general, "Systemd on", "Systemd Off", 1),
			"Sync { " + mode + " UDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" + general, nil},
		{"statistics by hand",
			strings.Replace(general, "Systemd on", "Systemd on PollSecs 3", 1) + "Stats {\n LogFile /var/log/x\n}\n",
			strings.Replace(general, "Systemd on", "Systemd on PollSecs 3", 1) + strings.ReplaceAll(syncSection(pairSettings()), "\t", " "),
			[]string{"Stats section: the daemon cannot gather statistics and sync at once (line 2)"}},
		{"a path goes before a brace behind a tab",
			"Sync { " + mode + " UDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" +
				strings.Replace(general, "Path /c }", "Backlog 20\t}", 1),
			"Sync { " + mode + " UDP {\n IPv4_address 10.9.0.101 # /24\n IPv4_Destination_Address 10.9.0.102 # /24\n" + rest + "\n} }\n" +
				strings.Replace(general, "Path /c }", "Backlog 20 Path /var/run/conntrackd.ctl \t}", 1), nil},
		{"TCP beside Multicast",
			"Sync {\n " + mode + "\n  TCP { Interface eth5 }\n  # gone\n  Multicast {\n }\n}\n" + general,
			"Sync {\n " + mode + "\n  UDP { Interface eth1 IPv4_address 10.9.0.101 # /24\n    IPv4_Destination_Address 10.9.0.102 # /24\n" +
				"    Port 3780\n    SndSocketBuffer 65536\n    RcvSocketBuffer 65536\n }\n  # gone\n}\n" + general,
			[]string{"Multicast link (line 5)", "TCP link on eth5 (line 3)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := Parse("odd", []byte(tt.src))
			replaces, _, err := f.Apply(pairSettings(), pairHost())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.replaces, replaces); diff != "" {
				t.Errorf("replaces (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, string(f.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			requireInForce(t, f.Bytes(), pairSettings(), pairHost())
			if strings.Contains(tt.src, "Turbo") {
				return // no daemon knows it
			}
			if accepted, complaints := daemonSays(t, elsewhere(f.Bytes())); !accepted || complaints != nil && !strings.Contains(tt.src, "Backlog") { // which is deprecated
				t.Errorf("the daemon: %v, %q\n%s", accepted, complaints, f.Bytes())
			}
		})
	}
}

func TestEditOfDamagedFiles(t *testing.T) {
	for name, src := range map[string]string{
		"open":                   "Sync { UDP { Port 1 }\n",
		"cut":                    "General { }\n\u00a0Sync { UDP { Port 1 } }\n",
		"NUL":                    "General { }\n\x00",
		"link without an end":    "Sync { UDP { Port 1 } } Sync { TCP {",
		"nothing but a brace":    "{",
		"unknown without an end": "Cluster { ",
	} {
		f, _ := Parse(name, []byte(src))
		replaces, notes, err := f.Apply(pairSettings(), pairHost())
		if !errors.Is(err, ErrDamaged) || replaces != nil || notes != nil || string(f.Bytes()) != src {
			t.Errorf("%s: error %v, replaces %q, notes %q, file %q", name, err, replaces, notes, f.Bytes())
		}
		if err != nil && !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: the error has no position: %v", name, err)
		}
	}
	f, _ := Parse("BOM", []byte("\ufeff"+tuned+"\n"))
	if _, notes, err := f.Apply(pairSettings(), pairHost()); err != nil || len(notes) != 1 || string(f.Bytes()) != tuned+"\n" {
		t.Errorf("byte order mark: %v, %q\n%q", err, notes, f.Bytes())
	}
}

// The daemon refuses a file whose last line is a comment without a newline. An
// edit ends the comment, and whatever it hides is hidden from the edit, too.
func TestEditEndsAComment(t *testing.T) {
	f, before := Parse("comment", []byte(tuned))
	_, notes, err := f.Apply(pairSettings(), pairHost())
	if err != nil || len(notes) != 1 || string(f.Bytes()) != tuned+"\n" || firstError(before) == nil || firstError(f.diags) != nil {
		t.Errorf("error %v, notes %q, before %v, after %v:\n%s", err, notes, before, f.diags, f.Bytes())
	}
	if ok, complaints := daemonSays(t, elsewhere(f.Bytes())); !ok {
		t.Errorf("the daemon refuses it: %q", complaints)
	}
	for _, src := range []string{
		"Stats{}General{#UNIX{}}", "Sync { Mode FTFW { } UDP { # Port 1 } }", "Sync { UDP { Port 1 } } General { UNIX { #} }",
	} {
		f, _ := Parse("comment", []byte(src))
		if replaces, notes, err := f.Apply(pairSettings(), pairHost()); !errors.Is(err, ErrDamaged) || replaces != nil || notes != nil || string(f.Bytes()) != src {
			t.Errorf("%q: error %v, replaces %q, notes %q, file %q", src, err, replaces, notes, f.Bytes())
		}
	}
}

func TestReplaceValues(t *testing.T) {
	values := map[string]string{"Path": "/private", "LogFile": "off"}
	tests := []struct{ name, content, want string }{
		{"nothing to do", "General { HashSize 1 }\n", "General { HashSize 1 }\n"},
		{"path", "UNIX {\n\tPath /run/ctl\n}\n", "UNIX {\n\tPath /private\n}\n"},
		{"twice", "Path /a\nPath /b\n", "Path /private\nPath /private\n"},
		{"one line", "General { UNIX { Path /a } LogFile on }", "General { UNIX { Path /private } LogFile off }"},
		{"argument on the next line", "Path # here\n  /a\n", "Path # here\n  /private\n"},
		{"in a comment", "# Path /a\nPath /b#c\n", "# Path /a\nPath /private\n"},
		{"path that eats the rest", "Path /a}\n", "Path /private\n"},
		{"glued to its keyword", "LogFile/a\n", "LogFile off\n"},
		{"part of a word", "Pathology /a\n", "Pathology /a\n"},
		{"in a path", "LockFile /Path /a\n", "LockFile /Path /a\n"},
		{"no argument", "UNIX { Path }\n", "UNIX { Path }\n"},
		{"at the end", "Path", "Path"},
		{"in a section that is not known", "Generall { Banana UNIX { Path /a } }\n", "Generall { Banana UNIX { Path /private } }\n"},
		{"in a block that does not end", "Sync {\nGeneral { UNIX { Path /a\n", "Sync {\nGeneral { UNIX { Path /private\n"},
		{"behind a byte that ends the reading", "\u00a0 Path /a\n", "\u00a0 Path /private\n"},
		{"what the daemon refuses", "Path ctl\nPath a/b\nLogFile 3\n", "Path ctl\nPath a/b\nLogFile 3\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := Parse(tt.name, []byte(tt.content))
			f.ReplaceValues(values)
			if diff := cmp.Diff(tt.want, string(f.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
