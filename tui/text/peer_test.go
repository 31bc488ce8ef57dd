package text

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
)

func TestPeerCommand(t *testing.T) {
	tests := []struct {
		name string
		edit func(*conntrackd.Settings)
		want string
	}{
		{"swapped", func(*conntrackd.Settings) {},
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536 --enable"},
		{"external cache", func(s *conntrackd.Settings) { s.ExternalCache = true },
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536 --external-cache=on --enable"},
		{"buffers not set", func(s *conntrackd.Settings) { s.SendBuffer, s.ReceiveBuffer = 0, 0 },
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --enable"},
		{"prefix known from the other end", func(s *conntrackd.Settings) { s.Peer = netip.PrefixFrom(s.Peer.Addr(), -1) },
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536 --enable"},
		{"IPv6", func(s *conntrackd.Settings) {
			s.Current, s.Peer = netip.MustParsePrefix("fd00::1/64"), netip.MustParsePrefix("fd00::2/64")
		}, "connsync apply --interface eth1 --current-ip fd00::2/64 --peer-ip fd00::1/64 --port 3780 --send-buffer 65536 --receive-buffer 65536 --enable"},
		{"spare links", func(s *conntrackd.Settings) {
			s.SpareLinks = spareLinks()
			s.SpareLinks[0].Peer = netip.PrefixFrom(s.SpareLinks[0].Peer.Addr(), -1)
		}, "connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536" +
			" --spare-link 'eth2 10.1.0.102/24 10.1.0.101/24 3781 131072 131072' --spare-link 'eth3 fd00::2/64 fd00::1/64 3780 65536 65536' --enable"},
		{"nothing known", func(s *conntrackd.Settings) { *s = conntrackd.Settings{} }, "connsync apply --enable"},
		{"a name that a shell would run", func(s *conntrackd.Settings) { *s = conntrackd.Settings{Interface: "e;`reboot`'\x1b[2J"} },
			`connsync apply --interface 'e;` + "`reboot`" + `'\''' --enable`},
	}
	for _, tt := range tests {
		s := pairSettings()
		tt.edit(&s)
		if diff := cmp.Diff(tt.want, PeerCommand(conntrackd.NewSettingTable(), s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What a save has set back is told: the other node still has it.
func TestPeerCommandTellsWhatWasSetBack(t *testing.T) {
	const usual = "connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536"
	for _, tt := range []struct {
		name   string
		before func(*conntrackd.Settings)
		want   string
	}{
		{"nothing", func(*conntrackd.Settings) {}, ""},
		{"transport", func(s *conntrackd.Settings) { s.Transport, s.MulticastGroup = "multicast", "225.0.0.50" }, " --transport udp"},
		{"mode", func(s *conntrackd.Settings) { s.Mode, s.RefreshTime = "alarm", 15 }, " --mode ftfw --refresh-time default"},
		{"cache", func(s *conntrackd.Settings) { s.ExternalCache = true }, " --external-cache=off"},
		{"protocols", func(s *conntrackd.Settings) { s.Protocols = "tcp" }, " --protocols default"},
		{"of this node alone", func(s *conntrackd.Settings) { s.HashSize = 7 }, ""},
	} {
		before := pairSettings()
		tt.before(&before)
		got := PeerCommand(conntrackd.NewSettingTable(), pairSettings(), before)
		if diff := cmp.Diff(usual+tt.want+" --enable", got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if _, err := ParsePeerLine(conntrackd.NewSettingTable(), got); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// spareLinks are two of [pairSettings].
func spareLinks() conntrackd.SpareLinks {
	s, _ := pairSettings().Values().With(conntrackd.FieldSpareLinks, "eth2 10.1.0.101/24 10.1.0.102/24 3781 131072, eth3 fd00::1/64 fd00::2/64").Settings()
	return s.SpareLinks
}

// What is typed at the other node gives settings whose own command leads back.
func TestPeerCommandLeadsBack(t *testing.T) {
	there := func(command string) conntrackd.Settings {
		v := conntrackd.Values{conntrackd.FieldEnabled: "enable"}
		words := strings.Fields(command)
		for i, w := range words {
			switch w {
			case "--interface":
				v[conntrackd.FieldInterface] = words[i+1]
			case "--current-ip":
				v[conntrackd.FieldCurrentIP] = words[i+1]
			case "--peer-ip":
				v[conntrackd.FieldPeerIP] = words[i+1]
			case "--port":
				v[conntrackd.FieldPort] = words[i+1]
			case "--send-buffer":
				v[conntrackd.FieldSendBuffer] = words[i+1]
			case "--receive-buffer":
				v[conntrackd.FieldReceiveBuffer] = words[i+1]
			case "--external-cache=on":
				v[conntrackd.FieldExternalCache] = "on"
			}
		}
		s, problems := ParseSettings(conntrackd.NewSettingTable(), v)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", command, problems)
		}
		return s
	}
	here := pairSettings()
	here.ExternalCache = true
	peer := there(PeerCommand(conntrackd.NewSettingTable(), here))
	if Fingerprint(conntrackd.NewSettingTable(), here) != Fingerprint(conntrackd.NewSettingTable(), peer) {
		t.Errorf("fingerprints %s and %s", Fingerprint(conntrackd.NewSettingTable(), here), Fingerprint(conntrackd.NewSettingTable(), peer))
	}
	if diff := cmp.Diff(PeerCommand(conntrackd.NewSettingTable(), here), PeerCommand(conntrackd.NewSettingTable(), there(PeerCommand(conntrackd.NewSettingTable(), peer)))); diff != "" {
		t.Error(diff)
	}
}

func TestFingerprintSeesWhatMustBeEqual(t *testing.T) {
	seen := map[string]string{Fingerprint(conntrackd.NewSettingTable(), pairSettings()): "the pair"}
	edits := map[string]func(*conntrackd.Settings){
		"port":    func(s *conntrackd.Settings) { s.Port++ },
		"send":    func(s *conntrackd.Settings) { s.SendBuffer++ },
		"receive": func(s *conntrackd.Settings) { s.ReceiveBuffer++ },
		"cache":   func(s *conntrackd.Settings) { s.ExternalCache = true },
		"links":   func(s *conntrackd.Settings) { s.SpareLinks = spareLinks() },
		"a link's port": func(s *conntrackd.Settings) {
			s.SpareLinks = spareLinks()
			s.SpareLinks[1].Port++
		},
		"address": func(s *conntrackd.Settings) { s.Peer = netip.MustParsePrefix("10.0.0.103/24") },
		"prefix": func(s *conntrackd.Settings) {
			s.Current, s.Peer = netip.MustParsePrefix("10.0.0.101/25"), netip.MustParsePrefix("10.0.0.102/25")
		},
	}
	for name, edit := range edits {
		s := pairSettings()
		edit(&s)
		print := Fingerprint(conntrackd.NewSettingTable(), s)
		if other, ok := seen[print]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[print] = name
	}
	s := pairSettings()
	s.Enabled, s.Interface = false, "bond0"
	there := otherEnd(s)
	s.SpareLinks = spareLinks()
	there.SpareLinks = otherEnd(s).SpareLinks
	there.SpareLinks[0], there.SpareLinks[1] = there.SpareLinks[1], there.SpareLinks[0]
	there.SpareLinks[0].Interface = "bond1"
	there, _ = there.WithDefaultLink("bond1")
	if Fingerprint(conntrackd.NewSettingTable(), s) != Fingerprint(conntrackd.NewSettingTable(), there) {
		t.Error("the order of the links, or their interfaces, change the fingerprint")
	}
	s.SpareLinks = conntrackd.SpareLinks{}
	if Fingerprint(conntrackd.NewSettingTable(), s) != Fingerprint(conntrackd.NewSettingTable(), pairSettings()) {
		t.Error("what may differ changes the fingerprint")
	}
}

func pairSettings() conntrackd.Settings {
	return conntrackd.Settings{
		Enabled: true, Interface: "eth1", Port: 3780, SendBuffer: 65536, ReceiveBuffer: 65536,
		Current: netip.MustParsePrefix("10.0.0.101/24"), Peer: netip.MustParsePrefix("10.0.0.102/24"),
	}
}

// A line that the other node would refuse is not told: not of a file without a link, nor of
// settings that it would not take.
func TestTellsPeer(t *testing.T) {
	table, done := conntrackd.NewSettingTable(), apply.Outcome{Changed: true}
	on := pairSettings()
	on.Enabled = true
	off, foreign := pairSettings(), on
	off.Enabled = false
	foreign.Peer = netip.MustParsePrefix("192.0.2.1/24")
	for name, tc := range map[string]struct {
		settings conntrackd.Settings
		outcome  apply.Outcome
		want     bool
	}{
		"on":             {on, done, true},
		"nothing done":   {on, apply.Outcome{}, false},
		"off":            {off, done, false},
		"no link":        {conntrackd.Settings{Enabled: true}, done, false},
		"another subnet": {foreign, done, false},
	} {
		r := apply.Review{Candidate: &conntrackd.Candidate{Settings: tc.settings}}
		if got := TellsPeer(table, r, tc.outcome); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
		if got := AppliedOf(table, r, tc.outcome).Peer != nil; got != tc.want {
			t.Errorf("%s in JSON: %v, want %v", name, got, tc.want)
		}
	}
}
