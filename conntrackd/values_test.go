package conntrackd

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var comparePrefix = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})

// goodValues are an enabled sync in which every field is good.
func goodValues() Values {
	return Values{
		FieldEnabled: "enable", FieldInterface: "eth1", FieldCurrentIP: "10.9.0.101/24", FieldPeerIP: "10.9.0.102/24",
		FieldPort: "3780", FieldSendBuffer: "65536", FieldReceiveBuffer: "65536", FieldExternalCache: "off",
	}
}

// Every bad value has its own message, which is the only problem, whether the
// sync is enabled or not; and none reaches a file.
func TestBadValues(t *testing.T) {
	if n := len(badValues()); n < 240 {
		t.Fatalf("only %d bad values", n)
	}
	seen := map[[2]string]string{}
	for _, tt := range badValues() {
		t.Run(string(tt.field)+"="+tt.typed, func(t *testing.T) {
			key := [2]string{string(tt.field), tt.message}
			if other, ok := seen[key]; ok {
				t.Errorf("the same message as for %q", other)
			}
			seen[key] = tt.typed

			v := goodValues()
			v[tt.field] = tt.typed
			want := []Problem{{Field: tt.field, Message: tt.message}}
			s, problems := v.Settings()
			if diff := cmp.Diff(want, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			keepsOut(t, tt, s)

			v[FieldEnabled] = "disable"
			if tt.field == FieldEnabled {
				return
			}
			if tt.typed == "" {
				want = nil // nothing is missing while the sync is off
			}
			v[tt.field] = tt.typed
			if _, problems := v.Settings(); cmp.Diff(want, problems) != "" {
				t.Errorf("disabled: problems (-want +got):\n%s", cmp.Diff(want, problems))
			}
		})
	}
}

// keepsOut goes on in spite of the problem, as no caller should.
func keepsOut(t *testing.T, bad badValue, s Settings) {
	t.Helper()
	if bad.field == FieldEnabled || bad.field == FieldExternalCache {
		return // a switch is off then, which is a value like any other
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "conntrackd.conf")
	before := []byte("General {\n}\nStats {\n}\n")
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewCandidate(path, s, Host{})
	var refused *SettingsError
	if !errors.As(err, &refused) || len(refused.Problems) != 1 || refused.Problems[0].Field != bad.field {
		t.Errorf("candidate %v, error %v", c, err)
	}
}

func TestGoodValues(t *testing.T) {
	want := Settings{
		Enabled: true, Interface: "eth1", Current: netip.MustParsePrefix("10.9.0.101/24"),
		Peer: netip.MustParsePrefix("10.9.0.102/24"), Port: 3780, SendBuffer: 65536, ReceiveBuffer: 65536,
	}
	tests := []struct {
		name   string
		change func(Values, *Settings)
	}{
		{"as they are", func(Values, *Settings) {}},
		{"space around", func(v Values, _ *Settings) { v[FieldCurrentIP] = "  10.9.0.101/24\t"; v[FieldInterface] = " eth1 " }},
		{"yes", func(v Values, _ *Settings) { v[FieldEnabled] = "YES" }},
		{"external cache", func(v Values, s *Settings) { v[FieldExternalCache], s.ExternalCache = "On", true }},
		{"blank external cache", func(v Values, _ *Settings) { v[FieldExternalCache] = "" }},
		{"units", func(v Values, s *Settings) {
			v[FieldSendBuffer], s.SendBuffer = "128K", 131072
			v[FieldReceiveBuffer], s.ReceiveBuffer = "64 KiB", 65536
		}},
		{"more units", func(v Values, s *Settings) {
			v[FieldSendBuffer], s.SendBuffer = "1m", 1<<20
			v[FieldReceiveBuffer], s.ReceiveBuffer = "65536 bytes", 65536
		}},
		{"bounds", func(v Values, s *Settings) {
			v[FieldSendBuffer], s.SendBuffer = "4096", 4096
			v[FieldReceiveBuffer], s.ReceiveBuffer = "1073741823", 1073741823
			v[FieldPort], s.Port = "65535", 65535
		}},
		{"port 1", func(v Values, s *Settings) { v[FieldPort], s.Port = "1", 1 }},
		{"both ends of a /31", func(v Values, s *Settings) {
			v[FieldCurrentIP], s.Current = "10.9.0.0/31", netip.MustParsePrefix("10.9.0.0/31")
			v[FieldPeerIP], s.Peer = "10.9.0.1/31", netip.MustParsePrefix("10.9.0.1/31")
		}},
		{"/32 and /128", func(v Values, s *Settings) {
			v[FieldCurrentIP], s.Current = "10.9.0.0/32", netip.MustParsePrefix("10.9.0.0/32")
			v[FieldPeerIP], s.Peer = "fd00::/128", netip.MustParsePrefix("fd00::/128")
		}},
		{"IPv6", func(v Values, s *Settings) {
			v[FieldCurrentIP], s.Current = "FD00:0:0:0::101/64", netip.MustParsePrefix("fd00::101/64")
			v[FieldPeerIP], s.Peer = "fd00::/127", netip.MustParsePrefix("fd00::/127")
		}},
		{"zone of a link-local address", func(v Values, s *Settings) {
			v[FieldCurrentIP], s.Current = "fe80::1%eth1/64", netip.MustParsePrefix("fe80::1/64")
			v[FieldPeerIP], s.Peer = "fe80::2/64", netip.MustParsePrefix("fe80::2/64")
		}},
		{"names", func(v Values, s *Settings) { v[FieldInterface], s.Interface = "bond0.100", "bond0.100" }},
		{"fifteen characters", func(v Values, s *Settings) { v[FieldInterface], s.Interface = "enp130s0f1np1.9", "enp130s0f1np1.9" }},
		{"five hexadecimal digits", func(v Values, s *Settings) { v[FieldInterface], s.Interface = "dead0", "dead0" }},
		{"longer than a keyword", func(v Values, s *Settings) { v[FieldInterface], s.Interface = "Sync0", "Sync0" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, s := goodValues(), want
			tt.change(v, &s)
			got, problems := v.Settings()
			if problems != nil {
				t.Errorf("problems: %v", problems)
			}
			if diff := cmp.Diff(s, got, comparePrefix); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			again, problems := got.Values().Settings()
			if diff := cmp.Diff(s, again, comparePrefix); diff != "" || problems != nil {
				t.Errorf("after Values: %v (-want +got):\n%s", problems, diff)
			}
		})
	}
}

func TestBlankValues(t *testing.T) {
	s, problems := Values{}.Settings()
	if diff := cmp.Diff(Settings{}, s, comparePrefix); diff != "" || problems != nil {
		t.Errorf("disabled and blank: %v\n%s", problems, diff)
	}
	_, problems = Values{FieldEnabled: "enable"}.Settings()
	var fields []Field
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	want := []Field{FieldInterface, FieldCurrentIP, FieldPeerIP, FieldPort, FieldSendBuffer, FieldReceiveBuffer}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("missing fields (-want +got):\n%s", diff)
	}
	if _, problems := Defaults().Values().Settings(); problems != nil {
		t.Errorf("the defaults have problems: %v", problems)
	}
}
