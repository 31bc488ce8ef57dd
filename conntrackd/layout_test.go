package conntrackd

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/typed"
)

// What is added is laid out as the file is: an edit of the file in another layout
// is the edit in that layout.
func TestEditKeepsTheLayout(t *testing.T) {
	sources := map[string]string{
		"link and General": "Sync {\n\tMode NOTRACK {\n\t}\n\tUDP {\n\t\tInterface eth5 # ours\n\t}\n}\nGeneral {\n\tHashSize 1\n\tUNIX {\n\t}\n}\n",
		"General alone":    "General {\n\tHashSize 1\n}\n",
		"Sync alone":       "Sync {\n\tCacheTimeout 5\n}\n",
		"empty blocks":     "Sync {\n\tUDP {}\n}\nGeneral {\n\tFilter From Userspace {\n\t\tAddress Ignore {\n\t\t\tIPv4_address 10.9.0.1\n\t\t}\n\t}\n}\n",
		"another link":     "Sync {\n\tMode ALARM {\n\t}\n\tMulticast {\n\t\tIPv4_address 225.0.0.50\n\t\tGroup 3781\n\t\tInterface eth5\n\t}\n}\n",
		"a distribution's": "General {\n\tHashSize 8192\n\tSyslog on\n\tUNIX {\n\t\tBacklog 20\n\t}\n}\nStats {\n\tLogFile on\n}\n",
	}
	for name, src := range sources {
		edited := func(src string) string {
			f, _ := Parse(name, []byte(src))
			if _, _, err := f.Apply(pairSettings(), pairHost()); err != nil {
				t.Fatal(err)
			}
			return string(f.Bytes())
		}
		plain := edited(src)
		for layout, indent := range map[string]string{"two": "  ", "four": "    ", "eight": strings.Repeat(" ", 8)} {
			if diff := cmp.Diff(strings.ReplaceAll(plain, "\t", indent), edited(strings.ReplaceAll(src, "\t", indent))); diff != "" {
				t.Errorf("%s, %s spaces (-want +got):\n%s", name, layout, diff)
			}
		}
		got := edited(strings.ReplaceAll(src, "\n", "\r\n"))
		f, _ := Parse(name, []byte(got))
		if f.LockFile() != DefaultLockFile || f.ControlSocket() != DefaultSocketPath {
			t.Errorf("%s, CRLF: the daemon would read %q and %q", name, f.LockFile(), f.ControlSocket())
		}
		if diff := cmp.Diff(strings.ReplaceAll(plain, "\n", "\r\n"), strings.ReplaceAll(got, " \r\n", "\r\n")); diff != "" {
			t.Errorf("%s, CRLF (-want +got):\n%s", name, diff)
		}
		if accepted, complaints := daemonSays(t, elsewhere([]byte(got))); !accepted || complaints != nil {
			t.Errorf("%s, CRLF: the daemon: %v, %q", name, accepted, complaints)
		}
	}
}

// A path whose carriage return the daemon takes for a part of it keeps the end of
// its line when it is replaced.
func TestSetArgKeepsTheEndOfALine(t *testing.T) {
	f, _ := Parse("stock", []byte("General {\r\n\tLockFile /var/lock/conntrack.lock\r\n\tHashSize 8192\r\n}\r\nStats {\r\n}\r\n"))
	h := pairHost()
	h.LockFile = "/run/conntrackd.lock"
	n := last(inside(f.top, "General"), "LockFile")
	f.setArg(n, h.LockFile)
	if got := string(f.Bytes()); !strings.Contains(got, "LockFile /run/conntrackd.lock \r\n\tHashSize") {
		t.Errorf("%q", got)
	}
}

// What the file leaves to the system stays out of it, and goes when it is asked for.
func TestEditLeavesBuffersToTheSystem(t *testing.T) {
	const src = "Sync {\n\tMode FTFW {\n\t\tDisableExternalCache on\n\t}\n\tUDP {\n\t\tIPv4_address 10.9.0.101\n\t\tIPv4_Destination_Address 10.9.0.102\n\t\tPort 3780\n\t\tInterface eth1\n\t}\n}\n"
	f, _ := Parse("hand", []byte(src))
	s, err := f.Settings()
	if err != nil || s.SendBuffer != typed.SystemBuffer || s.ReceiveBuffer != typed.SystemBuffer {
		t.Fatalf("read %+v, %v", s, err)
	}
	s.Enabled, s.Port = true, 4000
	s.Current, s.Peer = netip.MustParsePrefix("10.9.0.101/24"), netip.MustParsePrefix("10.9.0.102/24")
	if _, _, err := f.Apply(s, pairHost()); err != nil || strings.Contains(string(f.Bytes()), "SocketBuffer") {
		t.Errorf("%v:\n%s", err, f.Bytes())
	}
	requireInForce(t, f.Bytes(), s, pairHost())
	s.SendBuffer = 131072
	if _, _, err := f.Apply(s, pairHost()); err != nil || !strings.Contains(string(f.Bytes()), "\t\tSndSocketBuffer 131072\n") || strings.Contains(string(f.Bytes()), "RcvSocketBuffer") {
		t.Errorf("%v:\n%s", err, f.Bytes())
	}
	s.SendBuffer = typed.SystemBuffer
	if _, _, err := f.Apply(s, pairHost()); err != nil || strings.Contains(string(f.Bytes()), "SocketBuffer") {
		t.Errorf("%v:\n%s", err, f.Bytes())
	}
}

// A link of another transport becomes one of UDP with what it states.
func TestEditConvertsALink(t *testing.T) {
	tests := []struct{ name, src, want, note string }{
		{"Multicast",
			"Multicast Default {\n\t\tIPv4_address 225.0.0.50 # the group\n\t\tGroup 3781 # ours\n\t\tIPv4_interface 10.9.0.101\n\t\tInterface eth1\n\t\tSndSocketBuffer 1249280\n\t\tRcvSocketBuffer 1249280\n\t\tChecksum off\n\t}",
			"UDP Default {\n\t\tIPv4_Destination_Address 10.9.0.102 # /24 the group\n\t\tPort 3781 # ours\n\t\tIPv4_address 10.9.0.101 # /24\n\t\tInterface eth1\n\t\tSndSocketBuffer 1249280\n\t\tRcvSocketBuffer 1249280\n\t\tChecksum off\n\t}",
			"Of the Multicast link, kept: Interface eth1, SndSocketBuffer 1249280, RcvSocketBuffer 1249280, Checksum off; " +
				"changed: IPv4_address 225.0.0.50 becomes IPv4_Destination_Address 10.9.0.102, Group 3781 becomes Port 3781, IPv4_interface 10.9.0.101 becomes IPv4_address 10.9.0.101."},
		{"TCP",
			"TCP {\n\t\tIPv6_address fd00::1\n\t\tIPv6_Destination_Address fd00::2\n\t\tPort 3999\n\t\tInterface eth7\n\t\tErrorQueueLength 5\n\t}",
			"UDP {\n\t\tIPv4_address 10.9.0.101 # /24\n\t\tIPv4_Destination_Address 10.9.0.102 # /24\n\t\tPort 3999\n\t\tInterface eth1\n\t}",
			"Of the TCP link, kept: Port 3999; changed: IPv6_address fd00::1 becomes IPv4_address 10.9.0.101, " +
				"IPv6_Destination_Address fd00::2 becomes IPv4_Destination_Address 10.9.0.102, Interface eth7 becomes Interface eth1; dropped: ErrorQueueLength 5."},
	}
	const before, behind = "Sync {\n\tMode FTFW {\n\t}\n\t", "\n}\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := Parse(tt.name, []byte(before+tt.src+behind))
			s, err := f.Settings()
			if (err == nil) != s.Multicast() || !s.ExternalCache {
				t.Fatalf("read %+v, %v", s, err)
			}
			foreign := err != nil
			s.Enabled, s.Interface, s.Transport, s.MulticastGroup = true, "eth1", "", ""
			s.Current, s.Peer = netip.MustParsePrefix("10.9.0.101/24"), netip.MustParsePrefix("10.9.0.102/24")
			replaces, notes, err := f.Apply(s, pairHost())
			if err != nil || (len(replaces) == 1) != foreign {
				t.Fatalf("replaces %q, %v", replaces, err)
			}
			want := "Sync {\n\tMode FTFW {\n\t\tStartupResync on\n\t}\n\t" + tt.want + behind
			got := string(f.Bytes())
			if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.note, notes[len(notes)-1]); diff != "" {
				t.Errorf("note (-want +got):\n%s", diff)
			}
			requireInForce(t, f.Bytes(), s, pairHost())
		})
	}
}
