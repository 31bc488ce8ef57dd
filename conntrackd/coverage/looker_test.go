package coverage

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
)

// A calm node is looked at every five seconds, one with news every second, and a large
// table so that it takes a fortieth of a processor, or once a minute.
func TestPause(t *testing.T) {
	for _, tt := range []struct {
		name string
		l    *Looker
		want time.Duration
	}{
		{"calm", &Looker{cost: 5 * time.Millisecond}, calm},
		{"second look", &Looker{last: Coverage{Pending: true}, cost: 5 * time.Second}, secondLook},
		{"news", &Looker{last: Coverage{Counts: Counts{Young: 3}}}, secondLook},
		{"error", &Looker{lastErr: errors.New("busy")}, secondLook},
		{"large", &Looker{cost: 250 * time.Millisecond}, 20 * time.Second},
		{"large with news", &Looker{last: Coverage{Counts: Counts{Young: 3}}, cost: 250 * time.Millisecond}, 20 * time.Second},
		{"very large", &Looker{cost: 5 * time.Second}, longestPause},
	} {
		if got := tt.l.pause(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A look that its caller gave up says nothing: the one before it stands.
func TestLookGivenUp(t *testing.T) {
	l := &Looker{Client: control.NewClient("/nowhere"), File: &conntrackd.File{}, last: Coverage{Table: 7}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.LookNow(ctx); err == nil {
		t.Fatal("it looked")
	}
	if l.last.Table != 7 || l.lastErr != nil || !l.at.IsZero() {
		t.Errorf("kept %+v, %v", l.last, l.lastErr)
	}
}

func TestWhichEntriesCount(t *testing.T) {
	a := netip.MustParseAddr
	own := ownAddresses{hosts: map[netip.Addr]bool{a("10.1.0.1"): true, a("2001:db8::1"): true, a("10.1.0.255"): true}, networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	entry := func(protocol, state uint8, source, destination, server string) Entry {
		e := Entry{Protocol: protocol, State: state, HasState: protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_SCTP,
			Original: Tuple{Source: a(source), Destination: a(destination), SourcePort: 1, DestinationPort: 2},
			Reply:    Tuple{Source: a(server), Destination: a(source), SourcePort: 2, DestinationPort: 1}}
		return e
	}
	const tcp, udp, sctp = unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP
	dying := entry(udp, 0, "10.1.0.9", "10.2.0.9", "10.2.0.9")
	dying.Dying = true
	for _, tt := range []struct {
		name string
		e    Entry
		want bool
	}{
		{"forwarded", entry(tcp, 3, "10.1.0.9", "10.2.0.9", "10.2.0.9"), true},
		{"destination-NATed from a virtual address here", entry(tcp, 3, "10.1.0.9", "10.1.0.1", "10.2.0.9"), true},
		{"half-closed", entry(tcp, 5, "10.1.0.9", "10.2.0.9", "10.2.0.9"), true},
		{"SYN_RECV", entry(tcp, 2, "10.1.0.9", "10.2.0.9", "10.2.0.9"), true},
		{"UDP without a reply", entry(udp, 0, "10.1.0.9", "10.2.0.9", "10.2.0.9"), true},
		{"SCTP", entry(sctp, 4, "10.1.0.9", "10.2.0.9", "10.2.0.9"), true},
		{"IPv6", entry(udp, 0, "2001:db8::9", "2001:db8:1::9", "2001:db8:1::9"), true},
		{"begun here", entry(tcp, 3, "10.1.0.1", "10.2.0.9", "10.2.0.9"), false},
		{"ended here", entry(tcp, 3, "10.1.0.9", "10.1.0.1", "10.1.0.1"), false},
		{"ended here, IPv6", entry(tcp, 3, "2001:db8::9", "2001:db8::1", "2001:db8::1"), false},
		{"loopback", entry(tcp, 3, "127.0.0.1", "127.0.0.2", "127.0.0.2"), false},
		{"multicast", entry(udp, 0, "10.1.0.9", "224.0.0.18", "224.0.0.18"), false},
		{"multicast, IPv6", entry(udp, 0, "fd00::9", "ff02::12", "ff02::12"), false},
		{"broadcast", entry(udp, 0, "10.1.0.9", "255.255.255.255", "255.255.255.255"), false},
		{"broadcast on a link", entry(udp, 0, "10.1.0.9", "10.1.0.255", "10.1.0.255"), false},
		{"without an address yet", entry(udp, 0, "0.0.0.0", "10.2.0.9", "10.2.0.9"), false},
		{"link-local", entry(udp, 0, "fe80::9", "fe80::1", "fe80::1"), false},
		{"test state", entry(udp, 0, "198.51.100.1", "198.51.100.2", "198.51.100.2"), false},
		{"test state of the peer", entry(udp, 0, "198.51.100.2", "198.51.100.1", "198.51.100.1"), false},
		{"SYN_SENT", entry(tcp, tcpSynSent, "10.1.0.9", "10.2.0.9", "10.2.0.9"), false},
		{"LAST_ACK", entry(tcp, tcpLastAck, "10.1.0.9", "10.2.0.9", "10.2.0.9"), false},
		{"TIME_WAIT", entry(tcp, tcpTimeWait, "10.1.0.9", "10.2.0.9", "10.2.0.9"), false},
		{"CLOSE", entry(tcp, tcpClose, "10.1.0.9", "10.2.0.9", "10.2.0.9"), false},
		{"SCTP shut down", entry(sctp, sctpShutdownAckSent, "10.1.0.9", "10.2.0.9", "10.2.0.9"), false},
		{"dying", dying, false},
	} {
		if got := !own.ownEntry(&tt.e) && !tt.e.ending(); got != tt.want {
			t.Errorf("%s: counts %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Filters of the daemon that cannot be tried with an /etc/protocols of the host.
func TestFilterWithoutProtocols(t *testing.T) {
	e := Entry{Protocol: unix.IPPROTO_TCP, Original: Tuple{Source: netip.MustParseAddr("10.1.0.9")}, Reply: Tuple{Source: netip.MustParseAddr("10.2.0.9")}}
	for _, tt := range []struct {
		config string
		want   Rule
	}{
		{"General {\nFilter {\nProtocol Accept {\nTCP\n}\n}\n}\n", Rule{3, "Protocol Accept"}},
		{"General {\nFilter {\nProtocol Ignore {\nTCP\n}\n}\n}\n", Rule{}},
	} {
		f := NewFilter(parsedFile(t, tt.config), map[string]uint8{})
		if got, _ := f.Drops(&e); got != tt.want {
			t.Errorf("%s\n%v, want %v", tt.config, got, tt.want)
		}
	}
}

func parsedFile(t *testing.T, config string) *conntrackd.File {
	t.Helper()
	file, diagnostics := conntrackd.Parse("conf", []byte(config))
	for _, d := range diagnostics {
		if d.Severity == conntrackd.SeverityError {
			t.Fatalf("%s\n%+v", config, d)
		}
	}
	return file
}

// GRE, and SCTP where conntrackd sends no TCP windows, are told apart.
func TestWhatBeginsAnew(t *testing.T) {
	for flagged, want := range map[bool]int{true: 2, false: 1} {
		p := &pass{flagged: flagged, main: newGroup(), beyond: newGroup()}
		for _, protocol := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP, unix.IPPROTO_GRE, unix.IPPROTO_ESP} {
			e := Entry{Protocol: protocol, Original: Tuple{Source: netip.MustParseAddr("10.1.0.9")}}
			p.main.tally.add(&e, survives, Rule{})
		}
		if c := p.finish(); c.BeginAgain != want || c.Survive != 5 {
			t.Errorf("TCP flags %v: %d begin again of %d, want %d of 5", flagged, c.BeginAgain, c.Survive, want)
		}
	}
}

// Where nobody knows the role, an entry that is in no cache is the peer's only where the
// kernel does not say that it began here, and the daemon may have written it.
func TestWhoseAnEntryIs(t *testing.T) {
	const tcp, udp = unix.IPPROTO_TCP, unix.IPPROTO_UDP
	for name, tt := range map[string]struct {
		e       Entry
		silent  bool // the kernel does not tell
		flagged bool
		role    Role
		want    Counts
		peers   int
		begun   int
	}{
		"written":                     {Entry{Protocol: udp, Written: true}, false, true, RoleUnknown, Counts{}, 1, 0},
		"begun by a packet":           {Entry{Protocol: udp}, false, true, RoleUnknown, Counts{Young: 1}, 0, 1},
		"a kernel that does not tell": {Entry{Protocol: udp}, true, true, RoleUnknown, Counts{}, 1, 0},
		"TCP of the peer":             {Entry{Protocol: tcp, Written: true, Recovered: true}, false, true, RoleUnknown, Counts{}, 1, 0},
		"TCP of the peer, and the kernel is silent": {Entry{Protocol: tcp, Recovered: true}, true, true, RoleUnknown, Counts{}, 1, 0},
		"TCP begun by a SYN":                        {Entry{Protocol: tcp}, true, true, RoleUnknown, Counts{Young: 1}, 0, 1},
		"TCP taken up in its midst":                 {Entry{Protocol: tcp, Recovered: true}, false, true, RoleUnknown, Counts{Young: 1}, 0, 1},
		"TCP with windows":                          {Entry{Protocol: tcp, Written: true}, false, false, RoleUnknown, Counts{}, 1, 0},
		"TCP with windows, begun here":              {Entry{Protocol: tcp}, false, false, RoleUnknown, Counts{Young: 1}, 0, 1},
		"a backup's":                                {Entry{Protocol: udp}, false, true, RoleBackup, Counts{}, 1, 0},
		"a primary's":                               {Entry{Protocol: udp, Written: true}, false, true, RolePrimary, Counts{Young: 1}, 0, 0},
		"a primary's, begun there":                  {Entry{Protocol: udp}, false, true, RolePrimary, Counts{Young: 1}, 0, 1},
	} {
		tt.e.Original = Tuple{Source: netip.MustParseAddr("10.1.0.9"), SourcePort: 1}
		p := &pass{flagged: tt.flagged, tells: func() bool { return !tt.silent }, role: tt.role, injected: 9, main: newGroup(), beyond: newGroup()}
		p.take(&tt.e)
		if c := p.finish(); c.Counts != tt.want || c.Peers != tt.peers || c.Begun != tt.begun {
			t.Errorf("%s: %+v, %d of the peer, %d begun here; want %+v, %d, %d", name, c.Counts, c.Peers, c.Begun, tt.want, tt.peers, tt.begun)
		}
	}
}
