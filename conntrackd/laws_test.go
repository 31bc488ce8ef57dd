package conntrackd

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pairSettings() Settings {
	return Settings{
		Enabled: true, Interface: "eth1", Current: netip.MustParsePrefix("10.9.0.101/24"),
		Peer: netip.MustParsePrefix("10.9.0.102/24"), Port: 3780, SendBuffer: 65536, ReceiveBuffer: 65536,
	}
}

// manySpares are as many spare links as there can be.
const manySpares = "eth2 10.1.0.101/24 10.1.0.102/24 3781 1M, bond0.100 fd00:1::1/64 fd00:1::2/64 3782 system, eth4 10.4.0.1/30 10.4.0.2/30"

func pairHost() Host {
	return Host{ConntrackMax: 262144, UnitNotify: true, OwnAddresses: []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.9.0.101"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("2001:db8::1"),
	}}
}

// helperHost is one with rules that assign helpers.
func helperHost() Host {
	h := pairHost()
	h.Helpers = []string{"Q.931", "ftp"}
	return h
}

// samples are the files that the conntrackd package ships, by name.
func samples(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/samples/*.conf")
	if err != nil || len(files) != 5 {
		t.Fatalf("samples: %v, %v", files, err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".conf")] = b
	}
	return all
}

// stockFile reports whether a sample is one for statistics, which nobody has tuned.
func stockFile(sample string) bool { return sample == "debian" || sample == "stats" }

// Law 1: parse then print is the identity. The samples are the installed
// package's own.
func TestSamplesRoundTrip(t *testing.T) {
	installed := map[string]string{
		"debian": "", "stats": "stats", "sync-alarm": "sync/alarm", "sync-ftfw": "sync/ftfw", "sync-notrack": "sync/notrack",
	}
	for name, src := range samples(t) {
		f, diags := Parse(name, src)
		if !bytes.Equal(f.Bytes(), src) {
			t.Errorf("%s does not round-trip", name)
		}
		for _, d := range diags {
			if d.Severity == SeverityError {
				t.Errorf("%s: %v", name, d)
			}
		}
		dir := installed[name]
		if dir == "" {
			continue // a host may have its own file there
		}
		ours, err := os.ReadFile("/usr/share/doc/conntrackd/examples/" + dir + "/conntrackd.conf")
		if errors.Is(err, os.ErrNotExist) {
			continue // documentation is left out of small systems
		}
		if err != nil || !bytes.Equal(ours, src) {
			t.Errorf("%s is not the installed sample any more (%v)", name, err)
		}
	}
}

// The real daemon loads every sample after an edit, and complains of nothing of
// which it did not complain before.
func TestSamplesLoadAfterAnEdit(t *testing.T) {
	for name, src := range samples(t) {
		for mode, s := range map[string]func(*Settings){
			"direct":   func(*Settings) {},
			"external": func(s *Settings) { s.ExternalCache = true },
			"IPv6": func(s *Settings) {
				s.Current, s.Peer = netip.MustParsePrefix("fd00::1/64"), netip.MustParsePrefix("fd00::2/64")
			},
			"spare links":     func(s *Settings) { s.SpareLinks = spares(t, manySpares) },
			"multicast":       byMulticast,
			"multicast, IPv6": byMulticast6,
		} {
			t.Run(name+" "+mode, func(t *testing.T) {
				want := pairSettings()
				s(&want)
				f, _ := Parse(name, src)
				replaces, notes, err := f.Apply(want, helperHost())
				if err != nil {
					t.Fatal(err)
				}
				if len(replaces) > 0 {
					t.Errorf("replaces %q, notes %q", replaces, notes)
				}
				requireInForce(t, f.Bytes(), want, helperHost())
				if missing := f.missingHelpers(helperHost()); len(missing) > 0 && (want.ExternalCache || stockFile(name)) {
					t.Errorf("the expectations of %v are not synchronised:\n%s", missing, f.Bytes())
				}
				_, before := daemonSays(t, elsewhere(src))
				accepted, after := daemonSays(t, elsewhere(f.Bytes()))
				if !accepted {
					t.Fatalf("the daemon refuses it: %q\n%s", after, f.Bytes())
				}
				for _, c := range after {
					if !strings.Contains(strings.Join(before, "\n"), c) {
						t.Errorf("the daemon has a new complaint: %s", c)
					}
				}
			})
		}
	}
}

// elsewhere gives a file a control socket at which nothing listens.
func elsewhere(src []byte) []byte {
	f, _ := Parse("", src)
	for _, n := range named(inside(inside(f.top, "General"), "UNIX"), "Path") {
		f.setArg(n, "/nonexistent/connsync.ctl")
	}
	return f.Bytes()
}

// given is want and got without what want leaves to the file or to the daemon.
func given(want, got Settings) (w, g Settings) {
	for _, e := range advancedSettings() {
		switch text := e.Text(want); {
		case e.Field == FieldMode:
		case text == "" || text == DefaultWord:
			e.Value.clear(&want)
			e.Value.clear(&got)
		case e.Kind == ListSetting && sameList(text, e.Text(got)):
			e.Value.read(&got, text)
		}
	}
	return want, got
}

// requireInForce is law 4 and law 3: what was set is read back, and setting it
// again changes nothing.
func requireInForce(t *testing.T, src []byte, want Settings, h Host) {
	t.Helper()
	f, _ := Parse("edited", src)
	got, err := f.Settings()
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	want.Enabled = false
	w, g := given(want.withHelpers(h), got.OnHost(h).withHelpers(h))
	if diff := cmp.Diff(w, g, comparePrefix); diff != "" {
		t.Errorf("read back (-want +got):\n%s\n%s", diff, src)
	}
	want.Enabled = true
	replaces, _, err := f.Apply(want, h)
	if err != nil || replaces != nil || !bytes.Equal(f.Bytes(), src) {
		t.Errorf("a second time: replaces %q, error %v (-first +second):\n%s", replaces, err, cmp.Diff(string(src), string(f.Bytes())))
	}
}

func TestNewFile(t *testing.T) {
	for name, change := range map[string]func(*Settings, *Host){
		"IPv4": func(*Settings, *Host) {},
		"IPv6": func(s *Settings, _ *Host) {
			s.Current, s.Peer = netip.MustParsePrefix("fd00::1/64"), netip.MustParsePrefix("fd00::2/64")
		},
		"external cache":  func(s *Settings, _ *Host) { s.ExternalCache = true },
		"spare links":     func(s *Settings, _ *Host) { s.SpareLinks = spares(t, manySpares) },
		"multicast":       func(s *Settings, _ *Host) { byMulticast(s) },
		"multicast, IPv6": func(s *Settings, _ *Host) { byMulticast6(s) },
		"unknown host":    func(_ *Settings, h *Host) { *h = Host{} },
		"small table":     func(_ *Settings, h *Host) { h.ConntrackMax = 4096 },
		"large table":     func(_ *Settings, h *Host) { h.ConntrackMax = 1 << 30 },
		"own paths":       func(_ *Settings, h *Host) { h.LockFile, h.SocketPath = "/run/a/lock", "/run/a/ctl" },
		"the peer twice":  func(s *Settings, h *Host) { h.OwnAddresses = append(h.OwnAddresses, s.Peer.Addr()) },
		"IPv4 in IPv6 clothes": func(_ *Settings, h *Host) {
			h.OwnAddresses = append(h.OwnAddresses, netip.MustParseAddr("::ffff:192.0.2.1"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := pairSettings(), pairHost()
			change(&s, &h)
			src := newFile(s, h)
			f, diags := Parse("new", src)
			if diags != nil {
				t.Errorf("diagnostics: %v", diags)
			}
			requireInForce(t, src, s, h)
			if accepted, complaints := daemonSays(t, elsewhere(src)); !accepted || complaints != nil {
				t.Errorf("the daemon: accepted %v, %q\n%s", accepted, complaints, src)
			}
			for _, banned := range []string{"Protocol", "Syslog", "LogFile", "PollSecs", "Backlog"} {
				if n := last(inside(f.top, "General"), banned); n != nil {
					t.Errorf("%s stands in a new file", banned)
				}
			}
			for _, n := range inside(inside(inside(f.top, "General"), "Filter"), "Address") {
				if strings.Contains(f.arg(n, 0), "/") {
					t.Errorf("a network is ignored: %s", f.arg(n, 0))
				}
			}
			if got := (last(inside(f.top, "General"), "Systemd") != nil); got != h.UnitNotify {
				t.Errorf("Systemd %v, notify %v", got, h.UnitNotify)
			}
		})
	}
}

func TestHostSizes(t *testing.T) {
	tests := []struct{ table, size, limit int }{
		{0, 65536, 524288}, {4096, 16384, 8192}, {65536, 16384, 131072}, {262144, 65536, 524288},
		{300000, 131072, 600000}, {4 << 20, 1 << 20, 8 << 20}, {1 << 30, 1 << 20, 1 << 30},
	}
	for _, tt := range tests {
		h := Host{ConntrackMax: tt.table}
		if h.hashSize() != tt.size || h.hashLimit() != tt.limit {
			t.Errorf("%d connections: %d buckets, %d states", tt.table, h.hashSize(), h.hashLimit())
		}
	}
}

func TestReadHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "max")
	if h, err := readHost(path); err != nil || h.ConntrackMax != 0 {
		t.Errorf("no such file: %v, %v", h, err)
	}
	for content, want := range map[string]int{"262144\n": 262144, "0\n": 0} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if h, err := readHost(path); err != nil || h.ConntrackMax != want {
			t.Errorf("%q: %v, %v", content, h, err)
		}
	}
	if err := os.WriteFile(path, []byte("many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readHost(path); err == nil {
		t.Error("a word was read as a number")
	}
}
