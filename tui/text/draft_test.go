package text

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/netcheck"
)

func TestDraftStartsClean(t *testing.T) {
	for name, s := range map[string]conntrackd.Settings{
		"nothing set":    conntrackd.Defaults(),
		"all set":        savedSettings(),
		"buffers absent": {Enabled: true, Interface: "eth1", Port: 3780},
		"bare addresses": {Current: netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), -1)},
	} {
		d := NewDraft(conntrackd.NewSettingTable(), s)
		if d.Dirty() || len(d.Changes()) > 0 {
			t.Errorf("%s: changes %v", name, d.Changes())
		}
	}
	if got := NewDraft(conntrackd.NewSettingTable(), conntrackd.Settings{}).Value(conntrackd.FieldSendBuffer); got != "65536" {
		t.Errorf("a buffer that the file does not set is shown as %q", got)
	}
}

func TestDraftKeepsWhatIsNotOnTheForm(t *testing.T) {
	s := savedSettings()
	s.ExternalCache = true
	d := NewDraft(conntrackd.NewSettingTable(), s)
	d.Set(conntrackd.FieldPort, "3781")
	got, problems := d.Settings()
	s.Port = 3781
	if diff := cmp.Diff(s, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || problems != nil {
		t.Errorf("problems %v, settings (-want +got):\n%s", problems, diff)
	}
}

func TestReceiveBufferFollows(t *testing.T) {
	send, receive := conntrackd.FieldSendBuffer, conntrackd.FieldReceiveBuffer
	unequal := savedSettings()
	unequal.ReceiveBuffer = 131072
	for _, tc := range []struct {
		name  string
		saved conntrackd.Settings
		do    func(*Draft)
		want  string
	}{
		{"it follows", conntrackd.Defaults(), func(d *Draft) { d.Set(send, "128K") }, "128K"},
		{"also what was saved equal", savedSettings(), func(d *Draft) { d.Set(send, "1M") }, "1M"},
		{"not what was saved different", unequal, func(d *Draft) { d.Set(send, "1M") }, "131072"},
		{"not after it was edited itself", conntrackd.Defaults(), func(d *Draft) { d.Set(receive, "131072"); d.Set(send, "1M") }, "131072"},
		{"again after it was undone", conntrackd.Defaults(), func(d *Draft) { d.Set(receive, "131072"); d.Revert(receive); d.Set(send, "1M") }, "1M"},
		{"back with the send buffer", conntrackd.Defaults(), func(d *Draft) { d.Set(send, "1M"); d.Revert(send) }, "65536"},
		{"undone alone it stays", conntrackd.Defaults(), func(d *Draft) { d.Set(send, "1M"); d.Revert(receive); d.Set(send, "2M") }, "65536"},
	} {
		d := NewDraft(conntrackd.NewSettingTable(), tc.saved)
		tc.do(d)
		if got := d.Value(receive); got != tc.want {
			t.Errorf("%s: the receive buffer is %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestDraftChanged(t *testing.T) {
	for _, tc := range []struct {
		field conntrackd.Field
		text  string
		want  bool
	}{
		{conntrackd.FieldSendBuffer, "256K", false},
		{conntrackd.FieldSendBuffer, " 262144 ", false},
		{conntrackd.FieldSendBuffer, "262145", true},
		{conntrackd.FieldSendBuffer, "many", true},
		{conntrackd.FieldPort, "", true},
		{conntrackd.FieldPort, "3780 ", false},
		{conntrackd.FieldEnabled, "on", false},
		{conntrackd.FieldEnabled, "disable", true},
		{conntrackd.FieldPeerIP, "10.0.0.102/24", false},
		{conntrackd.FieldPeerIP, "10.0.0.102/25", true},
		{conntrackd.FieldPeerIP, "10.0.0.102", true},
		{conntrackd.FieldInterface, "eth1 ", false},
	} {
		d := NewDraft(conntrackd.NewSettingTable(), savedSettings())
		d.Set(tc.field, tc.text)
		if got := d.Changed(tc.field); got != tc.want {
			t.Errorf("%s = %q: changed is %v", tc.field, tc.text, got)
		}
		d.Revert(tc.field)
		if d.Dirty() {
			t.Errorf("%s = %q: undone, the draft is dirty", tc.field, tc.text)
		}
	}
}

func TestChooseInterface(t *testing.T) {
	iface := func(name string, addrs ...string) netcheck.Interface {
		return netcheck.Interface{Name: name, Addresses: prefixes(addrs...)}
	}
	for _, tc := range []struct {
		name   string
		typed  string
		choose []netcheck.Interface
		want   string
	}{
		{"blank is filled", "", []netcheck.Interface{iface("eth1", "10.0.0.1/24")}, "10.0.0.1/24"},
		{"IPv4 first", "", []netcheck.Interface{iface("eth1", "fd00::1/64", "10.0.0.1/24")}, "10.0.0.1/24"},
		{"else IPv6", "", []netcheck.Interface{iface("eth1", "fe80::1/64", "fd00::1/64")}, "fd00::1/64"},
		{"never link-local", "", []netcheck.Interface{iface("eth1", "fe80::1/64", "169.254.1.1/16")}, ""},
		{"what was typed stays", "10.9.9.9/24", []netcheck.Interface{iface("eth1", "10.0.0.1/24")}, "10.9.9.9/24"},
		{"what was filled is replaced", "", []netcheck.Interface{iface("eth1", "10.0.0.1/24"), iface("eth2", "10.2.0.1/24")}, "10.2.0.1/24"},
		{"or taken away", "", []netcheck.Interface{iface("eth1", "10.0.0.1/24"), iface("eth2")}, ""},
	} {
		d := NewDraft(conntrackd.NewSettingTable(), conntrackd.Defaults())
		d.Set(conntrackd.FieldCurrentIP, tc.typed)
		for _, i := range tc.choose {
			d.ChooseInterface(i)
		}
		if got := d.Value(conntrackd.FieldCurrentIP); got != tc.want {
			t.Errorf("%s: Current IP is %q, want %q", tc.name, got, tc.want)
		}
		if got := d.Value(conntrackd.FieldInterface); got != tc.choose[len(tc.choose)-1].Name {
			t.Errorf("%s: the interface is %q", tc.name, got)
		}
	}
}

func TestSuggestions(t *testing.T) {
	seen := []netip.Addr{
		netip.MustParseAddr("10.0.0.102"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.0.0.101"),
		netip.MustParseAddr("10.0.0.255"), netip.MustParseAddr("fe80::2"),
	}
	eth10 := netcheck.Interface{Name: "eth10", Addresses: prefixes("10.1.0.1/30", "fd00:1::1/64")}
	for _, tc := range []struct {
		name    string
		current string
		field   conntrackd.Field
		want    []string
	}{
		{"own addresses", "", conntrackd.FieldCurrentIP, []string{"10.1.0.1/30", "fd00:1::1/64"}},
		{"no current, no peer", "", conntrackd.FieldPeerIP, nil},
		{"bad current, no peer", "10.0.0.300/24", conntrackd.FieldPeerIP, nil},
		{"other end of a /30", "10.1.0.1/30", conntrackd.FieldPeerIP, []string{"10.1.0.2/30"}},
		{"other end of a /31", "10.1.0.1/31", conntrackd.FieldPeerIP, []string{"10.1.0.0/31"}},
		{"other end of a /127", "fd00::1/127", conntrackd.FieldPeerIP, []string{"fd00::/127"}},
		{"neighbours in the subnet, not oneself, no broadcast", "10.0.0.101/24", conntrackd.FieldPeerIP, []string{"10.0.0.102/24"}},
		{"none for a port", "10.1.0.1/30", conntrackd.FieldPort, nil},
	} {
		d := NewDraft(conntrackd.NewSettingTable(), conntrackd.Defaults())
		d.Set(conntrackd.FieldCurrentIP, tc.current)
		if diff := cmp.Diff(tc.want, d.Suggestions(tc.field, eth10, seen)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	d := NewDraft(conntrackd.NewSettingTable(), conntrackd.Defaults())
	d.Set(conntrackd.FieldCurrentIP, "fd")
	if got := d.Suggestion(conntrackd.FieldCurrentIP, eth10, nil); got != "fd00:1::1/64" {
		t.Errorf("a suggestion goes on from what was typed: %q", got)
	}
	d.Set(conntrackd.FieldCurrentIP, "fd00:1::1/64")
	if got := d.Suggestion(conntrackd.FieldCurrentIP, eth10, nil); got != "" {
		t.Errorf("a finished value gets the suggestion %q", got)
	}
}

// Every rule that only the pair of addresses can break is found through the
// one conversion, beside those of the single fields.
func TestParseSettings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(conntrackd.Values)
		want   []conntrackd.Field
	}{
		{"good", func(conntrackd.Values) {}, nil},
		{"other subnet", func(v conntrackd.Values) { v[conntrackd.FieldPeerIP] = "10.0.1.102/24" }, []conntrackd.Field{"peer_ip"}},
		{"peer is oneself", func(v conntrackd.Values) { v[conntrackd.FieldPeerIP] = v[conntrackd.FieldCurrentIP] }, []conntrackd.Field{"peer_ip"}},
		{"two families", func(v conntrackd.Values) { v[conntrackd.FieldPeerIP] = "fd00::2/64" }, []conntrackd.Field{"peer_ip"}},
		{"network address", func(v conntrackd.Values) { v[conntrackd.FieldCurrentIP] = "10.0.0.0/24" }, []conntrackd.Field{"current_ip"}},
		{"a bad port and a bad pair", func(v conntrackd.Values) {
			v[conntrackd.FieldPort] = "0"
			v[conntrackd.FieldPeerIP] = v[conntrackd.FieldCurrentIP]
		}, []conntrackd.Field{"peer_ip", "port"}},
		{"spare link in two subnets", func(v conntrackd.Values) { v[conntrackd.FieldSpareLinks] = "eth2 10.1.0.1/24 10.2.0.2/24" }, []conntrackd.Field{"spare_links"}},
		{"spare link without prefix lengths", func(v conntrackd.Values) { v[conntrackd.FieldSpareLinks] = "eth2 10.1.0.1 10.1.0.2" }, nil},
		{"one problem a field", func(v conntrackd.Values) { v[conntrackd.FieldPeerIP] = "nonsense" }, []conntrackd.Field{"peer_ip"}},
		{"enabled and blank", func(v conntrackd.Values) { clear(v); v[conntrackd.FieldEnabled] = "enable" },
			[]conntrackd.Field{"interface", "current_ip", "peer_ip", "port", "send_buffer", "receive_buffer"}},
		{"disabled and blank", func(v conntrackd.Values) { clear(v); v[conntrackd.FieldEnabled] = "disable" }, nil},
	} {
		v := savedSettings().Values()
		tc.change(v)
		_, problems := ParseSettings(conntrackd.NewSettingTable(), v)
		var got []conntrackd.Field
		for _, p := range problems {
			got = append(got, p.Field)
			if p.Message == "" {
				t.Errorf("%s: %s has no message", tc.name, p.Field)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%v", tc.name, diff, problems)
		}
	}
}

func TestRebase(t *testing.T) {
	d := NewDraft(conntrackd.NewSettingTable(), conntrackd.Defaults())
	for f, text := range map[conntrackd.Field]string{
		conntrackd.FieldEnabled: "enable", conntrackd.FieldInterface: " eth1", conntrackd.FieldCurrentIP: "10.0.0.101/24",
		conntrackd.FieldPeerIP: "10.0.0.102/24", conntrackd.FieldSendBuffer: "256K",
	} {
		d.Set(f, text)
	}
	if len(d.Changes()) != 6 {
		t.Errorf("changes: %v", d.Changes())
	}
	d.Rebase(savedSettings())
	if d.Dirty() || d.Value(conntrackd.FieldSendBuffer) != "262144" {
		t.Errorf("after the save: changes %v, send buffer %q", d.Changes(), d.Value(conntrackd.FieldSendBuffer))
	}
	d.Set(conntrackd.FieldPort, "99999")
	d.Rebase(savedSettings())
	if diff := cmp.Diff([]conntrackd.Field{conntrackd.FieldPort}, d.Changes()); diff != "" {
		t.Errorf("what was typed during the save is gone (-want +got):\n%s", diff)
	}
}

func savedSettings() conntrackd.Settings {
	s := pairSettings()
	s.SendBuffer, s.ReceiveBuffer = 262144, 262144
	return s
}

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}
