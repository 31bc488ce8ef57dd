package text

import (
	"net/netip"
	"testing"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/check"
)

// What is offered cures a failure: it changes the settings, and the next save or a look
// at the new settings has no more of it to offer.
func TestMendOf(t *testing.T) {
	on := func(name string, addresses ...string) netcheck.Interface {
		i := netcheck.Interface{Name: name}
		for _, a := range addresses {
			i.Addresses = append(i.Addresses, netip.MustParsePrefix(a))
		}
		return i
	}
	usual := []netcheck.Interface{on("eth0", "192.0.2.1/24"), on("eth1", "10.0.0.101/24")}
	prefix := netip.MustParsePrefix
	for _, tt := range []struct {
		name       string
		id         check.ID
		edit       func(*conntrackd.Settings)
		interfaces []netcheck.Interface
		want       string // blank for nothing
	}{
		{"other prefix length", netcheck.CheckCurrentAssigned, func(s *conntrackd.Settings) { s.Current = prefix("10.0.0.101/16") }, usual,
			"Use Current IP 10.0.0.101/24, as it is on eth1."},
		{"other interface", netcheck.CheckCurrentAssigned, func(s *conntrackd.Settings) { s.Interface = "eth0" }, usual,
			"Use Interface Name eth1, which has 10.0.0.101."},
		{"no such interface", netcheck.CheckInterface, func(s *conntrackd.Settings) { s.Interface = "eth9" }, usual,
			"Use Interface Name eth1, which has 10.0.0.101."},
		{"no such interface, swapped", netcheck.CheckPeerDistinct, func(s *conntrackd.Settings) {
			s.Interface, s.Current, s.Peer = "eth9", s.Peer, s.Current
		}, usual, "Swap: Current IP 10.0.0.101/24, Peer IP 10.0.0.102/24."},
		{"swapped", netcheck.CheckCurrentAssigned, func(s *conntrackd.Settings) { s.Current, s.Peer = s.Peer, s.Current }, usual,
			"Swap: Current IP 10.0.0.101/24, Peer IP 10.0.0.102/24."},
		{"another address", netcheck.CheckCurrentAssigned, func(s *conntrackd.Settings) { s.Current = prefix("10.0.0.7/24") }, usual,
			"Use Current IP 10.0.0.101/24, the address of eth1."},
		{"no address to tell", netcheck.CheckCurrentAssigned, func(s *conntrackd.Settings) { s.Current = prefix("10.0.0.7/24") },
			[]netcheck.Interface{on("eth1", "10.0.0.101/24", "10.0.0.103/24")}, ""},
		{"the peer is this node", netcheck.CheckPeerDistinct, func(s *conntrackd.Settings) { s.Peer = s.Current }, usual, ""},
		{"the peer is this node elsewhere", netcheck.CheckPeerDistinct, func(*conntrackd.Settings) {},
			append(usual, on("lo", "10.0.0.102/32")), ""},
		{"the same address elsewhere", netcheck.CheckPeerDistinct, func(s *conntrackd.Settings) { s.Peer = s.Current },
			append([]netcheck.Interface{on("dummy0", "10.0.0.101/32")}, usual...), ""},
		{"prefix length not recorded", netcheck.CheckPeerDistinct, func(s *conntrackd.Settings) {
			s.Current, s.Peer = netip.PrefixFrom(s.Current.Addr(), -1), netip.PrefixFrom(s.Current.Addr(), -1)
		}, usual, ""},
		{"a member of a bridge", netcheck.CheckInterface, func(*conntrackd.Settings) {}, usual, ""},
		{"another check", netcheck.CheckCarrier, func(s *conntrackd.Settings) { s.Interface = "eth9" }, usual, ""},
	} {
		s := pairSettings()
		tt.edit(&s)
		r := check.Result{ID: tt.id, Finding: check.Finding{Status: check.Failed}}
		m, ok := MendOf(r, s, tt.interfaces)
		if m.Says != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q, %v, want %q", tt.name, m.Says, ok, tt.want)
		}
		if again, more := MendOf(r, m.Settings, tt.interfaces); ok && (m.Settings == s || more) {
			t.Errorf("%s: %q is offered, then %q", tt.name, m.Says, again.Says)
		}
		r.Status = check.Passed
		if m, ok := MendOf(r, s, tt.interfaces); ok {
			t.Errorf("%s: %q is offered for a check that passed", tt.name, m.Says)
		}
	}
	for _, with := range []check.Mend{check.MendHost, check.MendFirewall} {
		r := check.Result{ID: netcheck.CheckPeerDistinct, Finding: check.Finding{Status: check.Failed, Mend: with}}
		if m, ok := MendOf(r, pairSettings(), usual); !ok || m.With != with || m.Says == "" {
			t.Errorf("%s: %+v, %v", with, m, ok)
		}
	}
}
