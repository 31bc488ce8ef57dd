package coverage

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// What the cache has in a state that lasts less than the kernel's is behind it.
func TestWhatLastsLess(t *testing.T) {
	const tcp, sctp, dccp, udp = unix.IPPROTO_TCP, unix.IPPROTO_SCTP, unix.IPPROTO_DCCP, unix.IPPROTO_UDP
	in := func(protocol uint8, state string) string {
		return map[uint8]string{tcp: "tcp      6 ", sctp: "sctp     132 ", dccp: "dccp     33 ", udp: "udp      17 "}[protocol] + state +
			" src=10.1.0.9 dst=10.2.0.9 sport=1 dport=2 src=10.2.0.9 dst=10.1.0.9 sport=2 dport=1 [active since 9s]"
	}
	for _, tt := range []struct {
		protocol      uint8
		cache, kernel string
		want          bool
	}{
		{tcp, "SYN_SENT", "ESTABLISHED", true}, {tcp, "SYN_SENT2", "ESTABLISHED", true}, {tcp, "SYN_SENT", "SYN_RECV", true}, {tcp, "SYN_RECV", "ESTABLISHED", true},
		{tcp, "SYN_RECV", "FIN_WAIT", true}, {tcp, "FIN_WAIT", "ESTABLISHED", true}, {tcp, "CLOSE_WAIT", "ESTABLISHED", true}, {tcp, "TIME_WAIT", "ESTABLISHED", true},
		{tcp, "LAST_ACK", "ESTABLISHED", true}, {tcp, "CLOSE", "ESTABLISHED", true}, {tcp, "CLOSE", "SYN_RECV", true},
		{tcp, "ESTABLISHED", "ESTABLISHED", false}, {tcp, "ESTABLISHED", "FIN_WAIT", false}, {tcp, "ESTABLISHED", "SYN_RECV", false},
		{tcp, "CLOSE_WAIT", "FIN_WAIT", false}, {tcp, "FIN_WAIT", "CLOSE_WAIT", false}, {tcp, "SYN_RECV", "SYN_RECV", false}, {tcp, "", "ESTABLISHED", false}, {tcp, "SYN_SENT", "", false},
		{sctp, "COOKIE_WAIT", "ESTABLISHED", true}, {sctp, "HEARTBEAT_SENT", "ESTABLISHED", true}, {sctp, "SHUTDOWN_SENT", "ESTABLISHED", true}, {sctp, "COOKIE_ECHOED", "SHUTDOWN_RECD", true},
		{sctp, "ESTABLISHED", "SHUTDOWN_SENT", false}, {sctp, "COOKIE_WAIT", "COOKIE_ECHOED", false},
		{dccp, "REQUEST", "OPEN", true}, {dccp, "RESPOND", "OPEN", true}, {dccp, "CLOSING", "OPEN", true}, {dccp, "OPEN", "OPEN", false}, {dccp, "OPEN", "CLOSING", false}, {dccp, "", "OPEN", false},
		{udp, "", "", false},
	} {
		var cached, kernel Entry
		if !cached.parseText([]byte(in(tt.protocol, tt.cache))) || !kernel.parseText([]byte(in(tt.protocol, tt.kernel))) {
			t.Fatalf("%+v: not understood", tt)
		}
		key := kernel.key(seed)
		p := &pass{cache: keySet{key}, cached: keySet{key}, before: keySet{key}, injected: -1}
		p.lasts.add(&cached, key)
		got, _ := p.judge(&kernel, key)
		if stale := got == missing; stale != tt.want || !stale && got != survives {
			t.Errorf("protocol %d, %q in the cache and %q in the kernel: outcome %v, behind is wanted %t", tt.protocol, tt.cache, tt.kernel, got, tt.want)
		}
	}
	unreplied := Entry{Protocol: dccp}
	if l, known := unreplied.lasting(); l != lastsLeast || !known {
		t.Errorf("DCCP without a state and a reply lasts %d, %t", l, known)
	}
}

// Where both nodes are primary the peer's writes finish handshakes whose replies came this
// way. Those that began here, and those of a filter, are behind.
func TestWhatTakesBothNodes(t *testing.T) {
	file := parsedFile(t, "General {\nFilter From Userspace {\nState Ignore {\nESTABLISHED for TCP\n}\n}\n}\n")
	for name, tt := range map[string]struct {
		e        Entry
		cache    lasting
		injected int
		filter   Filter
		want     outcome
	}{
		"the peer finished it":      {Entry{Recovered: true, Written: true}, lastsLittle, 9, Filter{}, survives},
		"it began here":             {Entry{}, lastsLittle, 9, Filter{}, missing},
		"the first packet was here": {Entry{Recovered: true, Written: true}, lastsLeast, 9, Filter{}, missing},
		"external cache":            {Entry{Recovered: true, Written: true}, lastsLittle, -1, Filter{}, missing},
		"filtered":                  {Entry{Recovered: true, Written: true}, lastsLittle, 9, NewFilter(file, nil), filtered},
	} {
		tt.e.Protocol, tt.e.State, tt.e.HasState, tt.e.Original = unix.IPPROTO_TCP, tcpEstablished, true, Tuple{Source: netip.MustParseAddr("10.1.0.9"), SourcePort: 1}
		key := tt.e.key(seed)
		p := &pass{cache: keySet{key}, before: keySet{key}, flagged: true, tells: func() bool { return true }, role: RolePrimary, injected: tt.injected, filter: tt.filter}
		p.lasts[tt.cache] = keySet{key}
		if got, _ := p.judge(&tt.e, key); got != tt.want {
			t.Errorf("%s: outcome %v, want %v", name, got, tt.want)
		}
	}
}

// What the cache has as it began, and the kernel not, may have been brought up to date by the
// peer, where its states come into this kernel.
func TestWhatThePeerBroughtUp(t *testing.T) {
	for name, tt := range map[string]struct {
		recovered, flagged bool
		role               Role
		injected           int
		peers              int
	}{
		"a backup's":                         {true, true, RoleBackup, 0, 1},
		"a backup's, by its own packets":     {false, true, RoleBackup, 9, 0},
		"a backup's, with windows":           {true, false, RoleBackup, 0, 1},
		"nobody knows the role":              {true, true, RoleUnknown, 0, 1},
		"nobody knows, by its own packets":   {false, true, RoleUnknown, 9, 0},
		"nobody knows, with windows":         {true, false, RoleUnknown, 1, 1},
		"nobody knows, and nothing was sent": {true, false, RoleUnknown, 0, 0},
		"a primary's":                        {true, true, RolePrimary, 9, 0},
		"external cache":                     {true, true, RoleBackup, -1, 0},
	} {
		e := Entry{Protocol: unix.IPPROTO_TCP, State: tcpEstablished, HasState: true, Seen: true, Recovered: tt.recovered}
		e.Original = Tuple{Source: netip.MustParseAddr("10.1.0.9"), SourcePort: 1}
		key := e.key(seed)
		p := &pass{cache: keySet{key}, lasts: lastings{keySet{key}}, before: keySet{key}, flagged: tt.flagged, tells: func() bool { return true }, role: tt.role,
			injected: tt.injected, main: newGroup(), beyond: newGroup()}
		p.take(&e)
		if c := p.finish(); c.Peers != tt.peers || c.Missing != 1-tt.peers || c.Stale != 1-tt.peers {
			t.Errorf("%s: %+v, %d of the peer, %d stale", name, c.Counts, c.Peers, c.Stale)
		}
	}
}

// What the cache has with a zone of one direction the peer has without it, and has not sent.
func TestZoneOfOneDirection(t *testing.T) {
	both, one := Tuple{Zone: 7}, Tuple{}
	for name, tt := range map[string]struct {
		reply  Tuple
		cached bool
		role   Role
		want   Counts
		zoned  int
		old    bool // the daemon sends no zones
	}{
		"of both":             {both, true, RolePrimary, Counts{Survive: 1}, 0, false},
		"of both, not sent":   {both, true, RolePrimary, Counts{Missing: 1}, 1, true},
		"of one":              {one, true, RolePrimary, Counts{Missing: 1}, 1, false},
		"of one, a backup":    {one, true, RoleBackup, Counts{Missing: 1}, 1, false},
		"nobody knows":        {one, true, RoleUnknown, Counts{Missing: 1}, 1, false},
		"not in the cache":    {one, false, RolePrimary, Counts{Young: 1}, 0, false},
		"a backup's, written": {one, false, RoleBackup, Counts{}, 0, false},
	} {
		e := Entry{Protocol: unix.IPPROTO_UDP, Written: true, Original: Tuple{Source: netip.MustParseAddr("10.1.0.9"), SourcePort: 1, Zone: 7}, Reply: tt.reply}
		p := &pass{tells: func() bool { return true }, role: tt.role, injected: 9, main: newGroup(), beyond: newGroup(), zoneless: func() bool { return tt.old }}
		if tt.cached {
			p.cache = keySet{e.key(seed)}
		}
		p.take(&e)
		if c := p.finish(); c.Counts != tt.want || c.Zoned != tt.zoned || c.Stale > 0 || c.Settled != tt.want.Survive {
			t.Errorf("%s: %+v, %d zoned, %d stale, %d settled", name, c.Counts, c.Zoned, c.Stale, c.Settled)
		}
	}
}

// An entry that is in no cache is young only where the look before saw it nowhere.
func TestWhatIsYoung(t *testing.T) {
	e := Entry{Protocol: unix.IPPROTO_TCP, State: tcpEstablished, HasState: true, Original: Tuple{Source: netip.MustParseAddr("10.1.0.9"), SourcePort: 1}}
	key := keySet{e.key(seed)}
	for name, tt := range map[string]struct {
		p    pass
		want outcome
	}{
		"seen nowhere":                 {pass{}, young},
		"not in the cache before":      {pass{before: key}, missing},
		"in the cache before, a flush": {pass{cached: key}, missing},
		"in the cache, before and now": {pass{cache: key, cached: key}, survives},
		"in the cache as it began":     {pass{cache: key, cached: key, lasts: lastings{key}}, young},
		"so at the look before, too":   {pass{cache: key, cached: key, lasts: lastings{key}, before: key}, missing},
	} {
		if got, _ := tt.p.judge(&e, key[0]); got != tt.want {
			t.Errorf("%s: outcome %v, want %v", name, got, tt.want)
		}
	}
}
