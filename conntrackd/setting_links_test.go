package conntrackd

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/typed"
)

// spares are spare links of [pairSettings], read as they are typed.
func spares(t testing.TB, text string) SpareLinks {
	t.Helper()
	links, problem := parseSpareLinks(text, pairSettings())
	if problem != "" {
		t.Fatalf("%q: %s", text, problem)
	}
	return links
}

func TestSpareLinksAreTyped(t *testing.T) {
	for typed, want := range map[string]string{
		"":                                       "",
		"none":                                   "",
		"eth2 10.1.0.1/24 10.1.0.2/24":           "eth2 10.1.0.1/24 10.1.0.2/24 3780 65536 65536",
		"eth2 10.1.0.1/24 10.1.0.2/24 3781":      "eth2 10.1.0.1/24 10.1.0.2/24 3781 65536 65536",
		"eth2 10.1.0.1/24 10.1.0.2/24 3781 128K": "eth2 10.1.0.1/24 10.1.0.2/24 3781 131072 131072",
		"eth2 10.1.0.1/24 10.1.0.2/24 - - system":                        "eth2 10.1.0.1/24 10.1.0.2/24 3780 65536 system",
		" eth2\tfd00::1/64 fd00::2/64 3781 1M 2M ":                       "eth2 fd00::1/64 fd00::2/64 3781 1048576 2097152",
		"eth2 fe80::1%eth2/64 fe80::2/64":                                "eth2 fe80::1/64 fe80::2/64 3780 65536 65536",
		"eth2 10.1.0.1 10.1.0.2":                                         "eth2 10.1.0.1 10.1.0.2 3780 65536 65536",
		"eth2 10.1.0.1/24 10.1.0.2/24,eth3 10.2.0.1/24 10.2.0.2/24 3782": "eth2 10.1.0.1/24 10.1.0.2/24 3780 65536 65536, eth3 10.2.0.1/24 10.2.0.2/24 3782 65536 65536",
	} {
		v := pairSettings().Values().With(FieldSpareLinks, typed)
		s, problems := v.Settings()
		if problems != nil || s.Values()[FieldSpareLinks] != want {
			t.Errorf("%q: %q, %v", typed, s.Values()[FieldSpareLinks], problems)
		}
		again, problems := s.Values().Settings()
		if problems != nil || again != s {
			t.Errorf("%q: read again as %+v, %v", typed, again.SpareLinks, problems)
		}
	}
}

func TestSpareLinksAreRefused(t *testing.T) {
	const good = "eth2 10.1.0.1/24 10.1.0.2/24"
	for typed, want := range map[string]string{
		"eth2":                                  "spare link 1, \"eth2\": type interface, this node's address, the peer's address",
		good + " 3781 1M 1M 1M":                 "more than the six values",
		good + ", none":                         "spare link 2, \"none\": none cannot be combined with a link",
		good + ", ":                             "spare link 2, \"\": type interface",
		strings.Repeat(good+",", 3) + good:      "4 spare links are given; conntrackd takes at most 3 beside the default link",
		good + " 70000":                         "spare link 1, ",
		good + " 3781 abc":                      "send buffer: ",
		good + " 3781 1M abc":                   "receive buffer: ",
		"eth2 10.1.0.1/33 10.1.0.2/24":          "spare link 1, ",
		"lo 10.1.0.1/24 10.1.0.2/24":            "spare link lo: \"lo\" is the loopback interface",
		"fe0 10.1.0.1/24 10.1.0.2/24":           "spare link fe0: ",
		"eth2 10.1.0.0/24 10.1.0.2/24":          "spare link eth2: ",
		"eth1 10.1.0.1/24 10.1.0.2/24":          "spare link eth1: interface and port are those of the default link",
		"eth2 10.9.0.101/24 10.1.0.2/24":        "spare link eth2: 10.9.0.101 is the address of the default link",
		"eth2 10.1.0.1/24 10.9.0.102/24":        "spare link eth2: 10.9.0.102 is the peer's address on the default link",
		good + ", eth2 10.2.0.1/24 10.2.0.2/24": "spare link eth2: interface and port are those of spare link eth2",
		good + ", eth3 10.1.0.1/24 10.2.0.2/24": "spare link eth3: 10.1.0.1 is the address of spare link eth2",
	} {
		for _, enabled := range []bool{true, false} {
			s := pairSettings()
			s.Enabled = enabled
			got, problems := s.Values().With(FieldSpareLinks, typed).Settings()
			if len(problems) != 1 || problems[0].Field != FieldSpareLinks || !strings.Contains(problems[0].Message, want) || got.SpareLinks != (SpareLinks{}) {
				t.Errorf("%q, enabled %v: %v, want %q", typed, enabled, problems, want)
			}
		}
	}
}

func TestWithDefaultLink(t *testing.T) {
	s := pairSettings()
	s.SpareLinks = spares(t, "eth2 10.1.0.1/24 10.1.0.2/24 3781, eth3 10.2.0.1/24 10.2.0.2/24 3782 1M")
	swapped, ok := s.WithDefaultLink("eth3")
	if got, want := swapped.Values()[FieldSpareLinks], "eth1 10.9.0.101/24 10.9.0.102/24 3780 65536 65536, eth2 10.1.0.1/24 10.1.0.2/24 3781 65536 65536"; !ok || got != want {
		t.Errorf("%v, spare links %q", ok, got)
	}
	if swapped.Interface != "eth3" || swapped.Port != 3782 || swapped.SendBuffer != 1<<20 || !swapped.Enabled {
		t.Errorf("%+v", swapped)
	}
	if back, ok := swapped.WithDefaultLink("eth1"); !ok || back.Interface != "eth1" || back.SpareLinks[0].Interface != "eth3" {
		t.Errorf("%v, back %+v", ok, back)
	}
	if same, ok := s.WithDefaultLink("eth1"); !ok || same != s {
		t.Errorf("%v, the default one %+v", ok, same)
	}
	if _, ok := s.WithDefaultLink("eth4"); ok {
		t.Error("eth4 is no link")
	}
}

// twoLinks is a file with two links, the second of which the daemon starts with.
const twoLinks = `Sync {
  Mode FTFW { DisableExternalCache on StartupResync on }
  UDP {   # blue cable
    IPv4_address 10.1.0.1 # /24
    IPv4_Destination_Address 10.1.0.2 # /24 the other
    Port 3781  # ours
    Interface eth2
    SndSocketBuffer 65536
    RcvSocketBuffer 65536
    Checksum off
  }
  # red cable
  UDP Default {
    IPv4_address 10.9.0.101 # /24
    IPv4_Destination_Address 10.9.0.102 # /24
    Port 3780
    Interface eth1
    SndSocketBuffer 65536
    RcvSocketBuffer 65536
  }
}
General {
  LockFile /run/our.lock
  UNIX { Path /run/our.ctl }
  HashSize 4096 HashLimit 1000000
  NetlinkBufferSize 1 NetlinkBufferSizeMaxGrowth 2
  Systemd on
  Filter { Address Ignore { IPv4_address 10.9.0.101 IPv4_address 10.9.0.102 IPv4_address 10.1.0.1 IPv4_address 10.1.0.2 } }
}
`

// addedThird is a link as it is added to that file.
const addedThird = `  UDP {
    IPv4_address 10.2.0.1 # /24
    IPv4_Destination_Address 10.2.0.2 # /24
    Port 3782
    Interface eth3
    SndSocketBuffer 1048576
    RcvSocketBuffer 1048576
    Checksum on
  }
`

// An edit of the links changes only the bytes of what it names.
func TestEditLinks(t *testing.T) {
	const (
		third   = "eth3 10.2.0.1/24 10.2.0.2/24 3782 1M"
		present = "eth2 10.1.0.1/24 10.1.0.2/24 3781"
	)
	blue := twoLinks[strings.Index(twoLinks, "  UDP {"):]
	block := blue[:strings.Index(blue, "  # red")]
	red := blue[strings.Index(blue, "  UDP Default"):strings.Index(blue, "}\nGeneral")]
	for name, tt := range map[string]struct {
		links, standard string
		want            []string // pairs of old and new text; everything else stays
	}{
		"nothing":                  {present, "", nil},
		"port and address":         {"eth2 10.1.0.7/25 10.1.0.2/24 4000", "", []string{"Port 3781  # ours", "Port 4000  # ours", "10.1.0.1 # /24", "10.1.0.7 # /25", " IPv4_address 10.1.0.1 ", "  ", "10.1.0.2 }", "10.1.0.2 IPv4_address 10.1.0.7 }"}},
		"interface":                {"eth7 10.1.0.1/24 10.1.0.2/24 3781", "", []string{"Interface eth2", "Interface eth7"}},
		"buffers":                  {present + " 1M system", "", []string{"eth2\n    SndSocketBuffer 65536\n    RcvSocketBuffer 65536\n", "eth2\n    SndSocketBuffer 1048576\n"}},
		"removed":                  {"none", "", []string{block, "", "IPv4_address 10.1.0.1 IPv4_address 10.1.0.2 ", "  "}},
		"added":                    {present + "," + third, "", []string{red, red + addedThird, "10.1.0.2 }", "10.1.0.2 IPv4_address 10.2.0.1 IPv4_address 10.2.0.2 }"}},
		"added before":             {third + "," + present, "", []string{strings.TrimSpace(block), strings.TrimSpace(strings.ReplaceAll(addedThird, "  UDP", "UDP")), red, red + "  " + strings.TrimSpace(block) + "\n", "10.1.0.2 }", "10.1.0.2 IPv4_address 10.2.0.1 IPv4_address 10.2.0.2 }"}},
		"the other is the default": {present, "eth2", []string{"UDP Default {", "UDP {"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, diags := Parse("two", []byte(twoLinks))
			s, err := f.Settings()
			if err != nil || diags != nil {
				t.Fatal(err, diags)
			}
			s.Enabled, s.SpareLinks = true, spares(t, tt.links)
			if tt.standard != "" {
				s, _ = s.WithDefaultLink(tt.standard)
			}
			if _, _, err := f.Apply(s, Host{ConntrackMax: 1000}); err != nil {
				t.Fatal(err)
			}
			want := twoLinks
			for i := 0; i < len(tt.want); i += 2 {
				if !strings.Contains(want, tt.want[i]) {
					t.Fatalf("%q is not there", tt.want[i])
				}
				want = strings.Replace(want, tt.want[i], tt.want[i+1], 1)
			}
			if diff := cmp.Diff(want, string(f.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			requireInForce(t, f.Bytes(), s, Host{ConntrackMax: 1000})
			if accepted, complaints := daemonSays(t, elsewhere(f.Bytes())); !accepted || complaints != nil {
				t.Errorf("the daemon: accepted %v, %q\n%s", accepted, complaints, f.Bytes())
			}
		})
	}
}

// The default goes to another link and back, wherever the mark stands.
func TestEditDefaultLink(t *testing.T) {
	for name, marks := range map[string][3]string{
		"none": {"UDP {", "UDP {", "UDP {"}, "first": {"UDP Default {", "UDP {", "UDP {"}, "last": {"UDP {", "UDP {", "UDP # x\n Default{"},
		"all": {"UDP Default {", "UDP Default {", "UDP Default {"},
	} {
		src := "Sync {\n"
		for i, mark := range marks {
			n := string(rune('1' + i))
			src += mark + " IPv4_address 10." + n + ".0.1 # /24\n IPv4_Destination_Address 10." + n + ".0.2 # /24\n Port 3780 Interface eth" + n + " }\n"
		}
		src += "Mode FTFW { DisableExternalCache on StartupResync on } }\nGeneral { UNIX { Path /nonexistent/ctl } }\n"
		for _, standard := range []string{"eth1", "eth2", "eth3"} {
			f, _ := Parse(name, []byte(src))
			s, err := f.Settings()
			if err != nil {
				t.Fatal(err)
			}
			s.Enabled = true
			s, _ = s.WithDefaultLink(standard)
			if _, _, err := f.Apply(s, Host{}); err != nil {
				t.Fatal(err)
			}
			requireInForce(t, f.Bytes(), s, Host{})
			if got, _ := f.Settings(); got.Interface != standard || strings.Count(string(f.Bytes()), "Interface") != 3 {
				t.Errorf("%s: the default is %s, not %s\n%s", name, got.Interface, standard, f.Bytes())
			}
		}
	}
}

// A block that states no whole link is no spare link. It stays until the spare links
// change, and is then the one with its interface or goes.
func TestEditIncompleteLink(t *testing.T) {
	src := strings.Replace(twoLinks, "    Port 3781  # ours\n", "", 1)
	for links, want := range map[string]string{
		"none":                              src,
		"eth2 10.1.0.1/24 10.1.0.2/24 3781": strings.Replace(src, "    Checksum off\n", "    Checksum off\n    Port 3781\n", 1),
	} {
		f, _ := Parse("incomplete", []byte(src))
		s, err := f.Settings()
		if err != nil || s.SpareLinks != (SpareLinks{}) {
			t.Fatalf("%v, %+v", err, s)
		}
		s.Enabled, s.SpareLinks = true, spares(t, links)
		if _, _, err := f.Apply(s, Host{}); err != nil || string(f.Bytes()) != want {
			t.Errorf("%s: %v (-want +got):\n%s", links, err, cmp.Diff(want, string(f.Bytes())))
		}
	}
	f, _ := Parse("incomplete", []byte(src))
	s, _ := f.Settings()
	s.Enabled, s.SpareLinks = true, spares(t, "eth3 10.2.0.1/24 10.2.0.2/24")
	if _, _, err := f.Apply(s, Host{}); err != nil || strings.Contains(string(f.Bytes()), "Interface eth2") {
		t.Errorf("%v\n%s", err, f.Bytes())
	}
}

// A prefix length that a block does not record stays out of it until the address changes.
func TestEditLinksWithoutLengths(t *testing.T) {
	src := strings.Replace(twoLinks, "10.1.0.1 # /24", "10.1.0.1", 1)
	f, _ := Parse("bare", []byte(src))
	s, _ := f.Settings()
	s.Enabled, s.Port, s.SpareLinks[0].Current = true, 3790, netip.MustParsePrefix("10.1.0.1/24")
	if _, _, err := f.Apply(s, Host{}); err != nil || string(f.Bytes()) != strings.Replace(src, "Port 3780", "Port 3790", 1) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(src, string(f.Bytes())))
	}
	s.SpareLinks[0].Current = netip.MustParsePrefix("10.1.0.7/24")
	if _, _, err := f.Apply(s, Host{}); err != nil || !strings.Contains(string(f.Bytes()), "IPv4_address 10.1.0.7 # /24\n") {
		t.Errorf("%v\n%s", err, f.Bytes())
	}
}

// Zero is the default link's, and what is not known of a file's link keeps nothing back.
func TestLinksOfSettings(t *testing.T) {
	s := pairSettings()
	s.SendBuffer = typed.SystemBuffer
	s.SpareLinks[0] = SpareLink{Interface: "eth2", Current: netip.PrefixFrom(netip.MustParseAddr("10.1.0.1"), -1), Peer: netip.PrefixFrom(netip.MustParseAddr("10.1.0.2"), -1)}
	if got := s.Spares()[0]; got.Port != 3780 || got.SendBuffer != typed.SystemBuffer || got.ReceiveBuffer != 65536 || got.SpareLinks != (SpareLinks{}) {
		t.Errorf("%+v", got)
	}
	if !s.Complete() || s.validate() != nil {
		t.Errorf("%v", s.validate())
	}
}
