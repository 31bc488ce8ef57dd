package conntrackd

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// byMulticast gives settings a group.
func byMulticast(s *Settings) { s.Transport, s.MulticastGroup = transportMulticast, "225.0.0.50" }

// byMulticast6 is byMulticast over IPv6.
func byMulticast6(s *Settings) {
	s.Current, s.Peer = netip.MustParsePrefix("fd00::1/64"), netip.MustParsePrefix("fd00::2/64")
	s.Transport, s.MulticastGroup = transportMulticast, "ff05::50"
}

// multicastOf are the settings over multicast.
func multicastOf(s Settings) Settings {
	byMulticast(&s)
	return s
}

// In every sample and in files made by hand, the transport there and back gives the same
// bytes, and the daemon takes what stands between.
func TestTransportThereAndBack(t *testing.T) {
	hand := "Sync {\n\tMode FTFW {\n\t\tStartupResync on\n\t\tDisableExternalCache on\n\t}\n\t# ours\n\tUDP Default {\n" +
		"\t\tInterface eth1 # the cable\n\t\tIPv4_Destination_Address 10.9.0.102 # /24 the other one\n\t\tChecksum off\n\t\tPort 3781\n" +
		"\t\tIPv4_address 10.9.0.101 # 10.9.0.101/24 mine\n\t\tSndSocketBuffer 1249280\n\t}\n}\n"
	all := map[string][]byte{
		"new": newFile(pairSettings(), pairHost()), "hand": []byte(hand), "on one line": []byte(strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(hand,
			"# the cable", ""), "# /24 the other one", ""), "# 10.9.0.101/24 mine", ""), "# ours", "")), " ") + "\n"),
	}
	for name, src := range samples(t) {
		all[name] = src
	}
	for name, src := range all {
		t.Run(name, func(t *testing.T) {
			f, _ := Parse(name, src)
			udp := pairSettings()
			if _, _, err := f.Apply(udp, pairHost()); err != nil {
				t.Fatal(err)
			}
			before := f.Bytes()
			if _, notes, err := f.Apply(multicastOf(udp), pairHost()); err != nil || !strings.Contains(strings.Join(notes, "\n"), "becomes one by Multicast.\nThe transport has to be the same on both nodes") {
				t.Fatalf("%v, %q", err, notes)
			}
			between := f.Bytes()
			requireInForce(t, between, multicastOf(udp), pairHost())
			if accepted, complaints := daemonSays(t, elsewhere(between)); !accepted {
				t.Errorf("the daemon: %q\n%s", complaints, between)
			}
			if replaces, _, err := f.Apply(udp, pairHost()); err != nil || replaces != nil {
				t.Fatalf("%q, %v", replaces, err)
			}
			if diff := cmp.Diff(string(before), string(f.Bytes())); diff != "" {
				t.Errorf("(-before +after)\n%s\nbetween:\n%s", diff, between)
			}
		})
	}
}

// What the change of a link says and does, in the two directions and both families.
func TestTransportEdits(t *testing.T) {
	const before, behind = "Sync {\n\tMode FTFW {\n\t\tDisableExternalCache on\n\t\tStartupResync on\n\t}\n\t", "\n}\n"
	six := pairSettings()
	byMulticast6(&six)
	six4 := pairSettings()
	six4.Current, six4.Peer = six.Current, six.Peer
	tests := []struct {
		name, src, want string
		settings        Settings
		note            string
	}{
		{"a peer is given",
			"Multicast {\n\t\tIPv4_address 225.0.0.50 # VyOS\n\t\tGroup 3780\n\t\tIPv4_interface 10.9.0.101\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			"Multicast {\n\t\tIPv4_address 225.0.0.50 # peer 10.9.0.102/24 VyOS\n\t\tGroup 3780\n\t\tIPv4_interface 10.9.0.101 # /24\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			multicastOf(pairSettings()), ""},
		{"another peer and group",
			"Multicast {\n\t\tIPv4_address 225.0.0.51 #peer 10.9.0.9/30, ours\n\t\tGroup 3780\n\t\tIPv4_interface 10.9.0.101 # /24\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			"Multicast {\n\t\tIPv4_address 225.0.0.50 # peer 10.9.0.102/24 , ours\n\t\tGroup 3780\n\t\tIPv4_interface 10.9.0.101 # /24\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			multicastOf(pairSettings()), ""},
		{"words behind peer",
			"Multicast {\n\t\tIPv4_address 225.0.0.50 # peer default group\n\t\tGroup 3780\n\t\tIPv4_interface 10.9.0.101 # /24\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			"Multicast {\n\t\tIPv4_address 225.0.0.50 # peer 10.9.0.102/24 peer default group\n\t\tGroup 3780\n\t\tIPv4_interface 10.9.0.101 # /24\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			multicastOf(pairSettings()), ""},
		{"IPv6 from UDP",
			"UDP {\n\t\tIPv6_address fd00::1 # /64\n\t\tIPv6_Destination_Address fd00::2 # /64\n\t\tPort 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t\tChecksum on\n\t}",
			"Multicast {\n\t\tIPv6_address ff05::50 # this node fd00::1/64, peer fd00::2/64\n\t\tGroup 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t\tChecksum on\n\t}",
			six, "Of the UDP link, kept: Interface eth1, SndSocketBuffer 65536, RcvSocketBuffer 65536, Checksum on; changed: IPv6_Destination_Address fd00::2 becomes IPv6_address ff05::50, Port 3780 becomes Group 3780; dropped: IPv6_address fd00::1."},
		{"IPv6 to UDP",
			"Multicast {\n\t\tIPv6_address ff05::50 # this node fd00::1/64, peer fd00::2/64\n\t\tGroup 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			"UDP {\n\t\tIPv6_Destination_Address fd00::2 # /64\n\t\tPort 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t\tIPv6_address fd00::1 # /64\n\t}",
			six4, "Of the Multicast link, kept: Interface eth1, SndSocketBuffer 65536, RcvSocketBuffer 65536; changed: IPv6_address ff05::50 becomes IPv6_Destination_Address fd00::2, Group 3780 becomes Port 3780."},
		{"IPv4 group becomes one of IPv6",
			"Multicast {\n\t\tIPv4_address 225.0.0.50 # peer 10.9.0.102/24\n\t\tIPv4_interface 10.9.0.101 # /24\n\t\tGroup 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			"Multicast {\n\t\tIPv6_address ff05::50 # this node fd00::1/64, peer fd00::2/64\n\t\tGroup 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			six, ""},
		{"spare links go",
			"UDP {\n\t\tIPv4_address 10.9.0.101 # /24\n\t\tIPv4_Destination_Address 10.9.0.102 # /24\n\t\tPort 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}\n\tUDP {\n\t\tPort 5\n\t}",
			"Multicast {\n\t\tIPv4_interface 10.9.0.101 # /24\n\t\tIPv4_address 225.0.0.50 # peer 10.9.0.102/24\n\t\tGroup 3780\n\t\tInterface eth1\n\t\tSndSocketBuffer 65536\n\t\tRcvSocketBuffer 65536\n\t}",
			multicastOf(pairSettings()), "Of the UDP link, kept: Interface eth1, SndSocketBuffer 65536, RcvSocketBuffer 65536; changed: IPv4_address 10.9.0.101 becomes IPv4_interface 10.9.0.101, IPv4_Destination_Address 10.9.0.102 becomes IPv4_address 225.0.0.50, Port 3780 becomes Group 3780."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := Parse(tt.name, []byte(before+tt.src+behind))
			replaces, notes, err := f.Apply(tt.settings, pairHost())
			if err != nil || replaces != nil {
				t.Fatalf("replaces %q, %v", replaces, err)
			}
			want, got := before+tt.want+behind, string(f.Bytes())
			if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if said := strings.Join(notes, "\n"); !strings.Contains(said, tt.note) {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
			requireInForce(t, f.Bytes(), tt.settings, pairHost())
			if accepted, complaints := daemonSays(t, elsewhere(f.Bytes())); !accepted || complaints != nil {
				t.Errorf("the daemon: %v, %q\n%s", accepted, complaints, f.Bytes())
			}
		})
	}
}

// Several Multicast links, and TCP, are nothing that settings can say: they go where the
// operator agrees.
func TestTransportReplacesWhatSettingsCannotSay(t *testing.T) {
	const two = "Sync { Mode FTFW { } Multicast { Interface eth1 } Multicast Default {\n IPv4_address 225.0.0.51 Interface eth2 } }\n"
	for src, want := range map[string]string{
		two: "Multicast link on eth1 (line 1)",
		"Sync { Mode FTFW { } TCP { Interface eth2 } }\n": "TCP link on eth2 (line 1)",
	} {
		f, _ := Parse("", []byte(src))
		replaces, _, err := f.Apply(multicastOf(pairSettings()), pairHost())
		if diff := cmp.Diff([]string{want}, replaces); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", src, err, diff)
		}
		requireInForce(t, f.Bytes(), multicastOf(pairSettings()), pairHost())
	}
}

func TestReadMulticast(t *testing.T) {
	for link, want := range map[string]string{
		"IPv4_address 225.0.0.50 Group 3780 IPv4_interface 10.0.0.1 Interface eth1":                                "225.0.0.50 eth1 10.0.0.1  3780",
		"IPv4_address 225.0.0.50 # peer 10.0.0.2/24\n Group 3781 IPv4_interface 10.0.0.1 # /24\n":                  "225.0.0.50  10.0.0.1/24 10.0.0.2/24 3781",
		"IPv4_address 225.0.0.50 # peer 10.0.0.2 over there\n":                                                     "225.0.0.50   10.0.0.2 ",
		"IPv4_address 225.0.0.50 # the peers' group\n":                                                             "225.0.0.50    ",
		"IPv6_address ff05::0050 # this node fd00::1/64, peer fd00::2/64\n Interface eth1":                         "ff05::50 eth1 fd00::1/64 fd00::2/64 ",
		"IPv6_address ff05::50 Interface eth1":                                                                     "ff05::50 eth1   ",
		"IPv4_address 225.0.0.50 IPv4_address 225.0.0.51 # peer 10.0.0.2/24\n IPv4_interface 10.0.0.1 Group 70000": "225.0.0.51  10.0.0.1 10.0.0.2/24 4464",
	} {
		f, _ := Parse("", []byte("Sync { Mode FTFW { } Multicast { "+link+" } }\n"))
		s, err := f.Settings()
		v := s.Values()
		got := strings.Join([]string{v[FieldMulticastGroup], v[FieldInterface], v[FieldCurrentIP], v[FieldPeerIP], v[FieldPort]}, " ")
		if err != nil || got != want || !s.Multicast() {
			t.Errorf("%s: %q, want %q, %v", link, got, want, err)
		}
	}
}

func TestGroups(t *testing.T) {
	of := func(group string, change ...func(*Settings)) Values {
		s := multicastOf(pairSettings())
		for _, c := range change {
			c(&s)
		}
		return s.Values().With(FieldMulticastGroup, group)
	}
	linkLocal := func(s *Settings) {
		s.Current, s.Peer = netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("fe80::2/64")
	}
	udp := func(s *Settings) { s.Transport = "" }
	for _, tt := range []struct {
		v               Values
		problem, advice string
	}{
		{of("225.0.0.50"), "", ""},
		{of(" 239.255.255.255 "), "", ""},
		{of("::ffff:225.0.0.50"), "", ""},
		{of("ff05::50", byMulticast6), "", ""},
		{of("ff02::50", linkLocal), "", ""},
		{of(""), "no multicast group is given; type a group such as 225.0.0.50 or ff05::50, the same on both nodes", ""},
		{of("224.0.0.18"), "", "224.0.0.18 is reserved for protocols of the network (224.0.0.0 to 224.0.0.255), which VRRP and others use; type another group such as 225.0.0.50"},
		{of("ff01::50", byMulticast6), "", "ff01::50 is of interface-local scope: no message to it leaves this node; type a group such as ff05::50"},
		{of("10.0.0.1"), "10.0.0.1 is not a multicast address; type a group such as 225.0.0.50 or ff05::50", ""},
		{of("240.0.0.1"), "240.0.0.1 is not a multicast address; type a group such as 225.0.0.50 or ff05::50", ""},
		{of("223.255.255.255"), "223.255.255.255 is not a multicast address; type a group such as 225.0.0.50 or ff05::50", ""},
		{of("225.0.0.50/24"), "a multicast group has no prefix length; type it without, as 225.0.0.50", ""},
		{of("225.0.0"), `"225.0.0" is not an address; type a group such as 225.0.0.50 or ff05::50`, ""},
		{of("ff02::50%eth1", linkLocal), "a multicast group has no zone: Interface Name says where it is; type it without, as ff02::50", ""},
		{of("２25.0.0.50"), "the multicast group contains the full-width digit ２ (U+FF12); type a group such as 225.0.0.50 or ff05::50", ""},
		{of("ff05::50"), "group ff05::50 and Current IP 10.9.0.101 are of different families; type a group of the family of Current IP", ""},
		{of("225.0.0.50", byMulticast6), "group 225.0.0.50 and Current IP fd00::1 are of different families; type a group of the family of Current IP", ""},
		{of("ff02::50", byMulticast6), "group ff02::50 is link-local, and the kernel sends to it from the link-local address of the interface, not from fd00::1; type a group of a wider scope such as ff05::50", ""},
		{of("ff05::50", linkLocal), "Current IP fe80::1 is link-local, and what is sent to ff05::50 may come from another address of the interface; type a link-local group such as ff02::50", ""},
		{of("225.0.0.50", udp), "multicast group is an option of transport multicast alone; leave it out, or set Transport to multicast", ""},
		{of("", udp), "", ""},
		{of("225.0.0.50").With(FieldTransport, "tcp"), "transport tcp cannot be chosen: TCP holds back every later state behind one lost segment, and connsync cannot prove a sync over it; type udp or multicast", ""},
		{of("225.0.0.50").With(FieldTransport, "sctp"), `transport "sctp" is invalid: it must be udp or multicast`, ""},
		{of("225.0.0.50").With(FieldSpareLinks, "eth2 10.1.0.101/24 10.1.0.102/24"), "spare links need transport udp; type none to remove them, or set Transport to udp", ""},
	} {
		s, problems := tt.v.Settings()
		problem := ""
		if len(problems) > 0 {
			problem = problems[0].Message
		}
		advice := ""
		if all := NewSettingTable().Advice(s); len(all) > 0 {
			advice = all[0].Message
		}
		if problem != tt.problem || advice != tt.advice {
			t.Errorf("%s %s:\n%s\n%s\nwant\n%s\n%s", tt.v[FieldTransport], tt.v[FieldMulticastGroup], problem, advice, tt.problem, tt.advice)
		}
	}
}
