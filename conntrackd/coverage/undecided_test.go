package coverage

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// What the file keeps out and a daemon wrote is nobody's where nobody knows the role.
func TestWhatMayBeEither(t *testing.T) {
	const tcp, udp = unix.IPPROTO_TCP, unix.IPPROTO_UDP
	file := parsedFile(t, "General {\nFilter From Userspace {\nAddress Ignore {\nIPv4_address 10.1.0.0/16\n}\n}\n}\n")
	rule := Rule{4, "Address Ignore 10.1.0.0/16"}
	known := Told{Known: true, Connections: 9}
	differs := known
	differs.Differs = true
	written := Entry{Protocol: tcp, Written: true, Recovered: true}
	for name, tt := range map[string]struct {
		e        Entry
		silent   bool // the kernel does not tell
		role     Role
		injected int
		told     Told
		filtered int
		peers    int
		either   int
	}{
		"TCP that a daemon wrote":           {written, false, RoleUnknown, 9, Told{}, 0, 0, 1},
		"UDP that a daemon wrote":           {Entry{Protocol: udp, Written: true}, false, RoleUnknown, 9, Told{}, 0, 0, 1},
		"the daemon was started since":      {written, false, RoleUnknown, 0, known, 0, 0, 1},
		"the peer has the same settings":    {written, false, RoleUnknown, 9, known, 0, 0, 1},
		"the peer has others":               {written, false, RoleUnknown, 9, differs, 0, 1, 0},
		"TCP that began here":               {Entry{Protocol: tcp}, false, RoleUnknown, 9, Told{}, 1, 0, 0},
		"UDP that began here":               {Entry{Protocol: udp}, false, RoleUnknown, 9, Told{}, 1, 0, 0},
		"UDP, and the kernel does not tell": {Entry{Protocol: udp}, true, RoleUnknown, 9, Told{}, 1, 0, 0},
		"a primary's":                       {written, false, RolePrimary, 9, Told{}, 1, 0, 0},
		"a backup's":                        {written, false, RoleBackup, 9, Told{}, 0, 1, 0},
		"external cache":                    {written, false, RoleUnknown, -1, Told{}, 1, 0, 0},
		"in an earlier state, sent back":    {Entry{Protocol: tcp, Written: true, Recovered: true, State: tcpEstablished, HasState: true}, false, RoleUnknown, 9, Told{}, 0, 0, 1},
	} {
		tt.e.Original, tt.e.Reply = Tuple{Source: netip.MustParseAddr("10.1.0.9"), SourcePort: 1}, Tuple{Source: netip.MustParseAddr("10.2.0.9")}
		p := &pass{filter: NewFilter(file, nil), flagged: true, tells: func() bool { return !tt.silent }, role: tt.role, injected: tt.injected, told: tt.told, main: newGroup(), beyond: newGroup()}
		if tt.e.HasState {
			key := tt.e.key(seed)
			p.cache, p.lasts[lastsLittle] = keySet{key}, keySet{key}
		}
		p.take(&tt.e)
		c := p.finish()
		if c.Filtered != tt.filtered || c.Peers != tt.peers || c.Undecided != tt.either || c.Young+c.Missing+c.Survive > 0 {
			t.Errorf("%s: %+v, %d of the peer, %d of either; want %d filtered, %d and %d", name, c.Counts, c.Peers, c.Undecided, tt.filtered, tt.peers, tt.either)
		}
		if tt.either > 0 && c.UndecidedBy != rule {
			t.Errorf("%s: by %v, want %v", name, c.UndecidedBy, rule)
		}
	}
}

// What a daemon wrote and ends here is the peer's, of a connection that reaches this node through
// it, where the peer does not take it for its own too.
func TestWhatReachesThisNodeThroughThePeer(t *testing.T) {
	const tcp, udp = unix.IPPROTO_TCP, unix.IPPROTO_UDP
	shared, here, far := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.1.0.3"), netip.MustParseAddr("10.9.0.2")
	established := Entry{Protocol: tcp, State: tcpEstablished, HasState: true, Recovered: true}
	for name, tt := range map[string]struct {
		e            Entry
		from, server netip.Addr
		injected     int
		want         int
	}{
		"UDP that a daemon wrote":         {Entry{Protocol: udp, Written: true}, far, here, 9, 1},
		"from here":                       {Entry{Protocol: udp, Written: true}, here, far, 9, 1},
		"TCP that one brought up to date": {established, far, here, 9, 1},
		"UDP of this node":                {Entry{Protocol: udp}, far, here, 9, 0},
		"TCP of this node":                {Entry{Protocol: tcp, State: tcpEstablished, HasState: true}, far, here, 9, 0},
		"over":                            {Entry{Protocol: tcp, State: tcpTimeWait, HasState: true, Written: true}, far, here, 9, 0},
		"to the sync address":             {Entry{Protocol: udp, Written: true}, far, shared, 9, 0},
		"a report":                        {Entry{Protocol: udp, Written: true, Mark: MessageMark}, far, here, 9, 0},
		"external cache":                  {Entry{Protocol: udp, Written: true}, far, here, -1, 0},
	} {
		tt.e.Original, tt.e.Reply = Tuple{Source: tt.from, Destination: tt.server}, Tuple{Source: tt.server, Destination: tt.from}
		p := &pass{flagged: true, tells: func() bool { return true }, injected: tt.injected, main: newGroup(), beyond: newGroup(),
			own: ownAddresses{hosts: map[netip.Addr]bool{shared: true, here: true}, shared: map[netip.Addr]bool{shared: true}}}
		p.take(&tt.e)
		if c := p.finish(); c.ToHere != tt.want || c.Total() != 0 || c.Peers != 0 {
			t.Errorf("%s: %d to here, want %d; %+v, %d of the peer", name, c.ToHere, tt.want, c.Counts, c.Peers)
		}
	}
}
