package health

import (
	"net/netip"
	"strings"
	"testing"

	"connsync/conntrackd/control"
)

const (
	snmp = `Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 900
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 0 3 468 500 0 0 468 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 7 0 0
`
	snmp6 = "Ip6InReceives                   \t900\nUdp6InErrors                    \t12\nUdp6InCsumErrors                \t11\nUdpLite6InCsumErrors            \t5\n"
)

func TestChecksumCounters(t *testing.T) {
	if got := snmpCounter(snmp, "Udp:", "InCsumErrors"); got != 468 {
		t.Errorf("IPv4: %d", got)
	}
	if got := snmp6Counter(snmp6, "Udp6InCsumErrors"); got != 11 {
		t.Errorf("IPv6: %d", got)
	}
	for _, broken := range []string{"", "Udp:", "Udp: InCsumErrors\nUdp:\n", "Udp: InCsumErrors\nUdp: -1\n", "Udp: A InCsumErrors\nUdp: 1\n"} {
		if got := snmpCounter(broken, "Udp:", "InCsumErrors") + snmp6Counter(broken, "Udp6InCsumErrors"); got != 0 {
			t.Errorf("%q: %d", broken, got)
		}
	}
	for _, of := range []string{"10.77.0.1", "fd00::1"} { // this host has both files
		_ = checksumErrors(netip.MustParseAddr(of))
	}
}

// What is dropped for its checksum meets no firewall.
func TestWrongChecksumsAreNamed(t *testing.T) {
	seen := func(bad uint64) evidence {
		e := quiet(idle(6))
		e.wire.Last, e.badChecksums = e.now, bad
		return e
	}
	got := judge(seen(4))
	if got.Verdict != VerdictSilent || !strings.Contains(got.Cause, "arrive at sync0 but do not reach conntrackd: this node's kernel dropped 4 datagrams for a wrong UDP checksum") ||
		!strings.Contains(got.Next, "ethtool -K INTERFACE tx off") || strings.Contains(got.Next, "firewall") {
		t.Errorf("%s: %s -> %s", got.Verdict, got.Cause, got.Next)
	}
	if got := judge(seen(1)); !strings.Contains(got.Next, "firewall") {
		t.Errorf("one datagram: %s: %s -> %s", got.Verdict, got.Cause, got.Next)
	}
	some := idle(6)
	some.badChecksums = 5
	if got := judge(some); got.Verdict != VerdictTwoWay {
		t.Errorf("of somebody else: %s: %s", got.Verdict, got.Cause)
	}
	some.readings[len(some.readings)-1] = func(c control.Counters) control.Counters { c.Lost = 12; return c }(some.readings[len(some.readings)-1])
	if got := judge(some); got.Verdict != VerdictLosing || !strings.Contains(got.Cause, "12 messages from the peer lost; this node's kernel dropped 5 datagrams") {
		t.Errorf("some of the peer: %s: %s", got.Verdict, got.Cause)
	}
}
