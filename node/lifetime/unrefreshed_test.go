package lifetime

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/refresh"
)

func TestKindOf(t *testing.T) {
	tcp := func(state uint8) coverage.Entry {
		return coverage.Entry{Protocol: unix.IPPROTO_TCP, State: state, HasState: true, Seen: true}
	}
	for _, tt := range []struct {
		e    coverage.Entry
		want refresh.Kind
	}{
		{tcp(2), ""}, {tcp(3), refresh.KindTCP}, {tcp(4), refresh.KindTCPFin}, {tcp(5), refresh.KindTCPClose}, {coverage.Entry{Protocol: unix.IPPROTO_TCP}, ""},
		{coverage.Entry{Protocol: unix.IPPROTO_UDP}, refresh.KindUDP}, {coverage.Entry{Protocol: unix.IPPROTO_UDP, Seen: true}, refresh.KindUDPStream},
		{coverage.Entry{Protocol: unix.IPPROTO_GRE}, refresh.KindGRE}, {coverage.Entry{Protocol: unix.IPPROTO_GRE, Seen: true}, refresh.KindGREStream},
		{coverage.Entry{Protocol: unix.IPPROTO_SCTP, State: 4, HasState: true}, refresh.KindSCTP}, {coverage.Entry{Protocol: unix.IPPROTO_SCTP, State: 5, HasState: true}, ""},
		{coverage.Entry{Protocol: unix.IPPROTO_DCCP, State: 4, HasState: true}, ""},
		{coverage.Entry{Protocol: unix.IPPROTO_ICMP}, refresh.KindICMP}, {coverage.Entry{Protocol: unix.IPPROTO_ICMPV6}, refresh.KindICMPv6}, {coverage.Entry{Protocol: unix.IPPROTO_ESP}, refresh.KindGeneric},
	} {
		if got := kindOf(&tt.e); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.e, got, tt.want)
		}
	}
}

// Where no refresh runs, an entry lives as long as the kernel says.
func TestUnrefreshed(t *testing.T) {
	lives := Unrefreshed(t.TempDir())
	if lives == nil {
		t.Fatal("a refresh is seen where none runs")
	}
	want, _ := refresh.KindUDP.Timeout()
	for range 2 {
		if got := lives(&coverage.Entry{Protocol: unix.IPPROTO_UDP}); got != want {
			t.Errorf("UDP lives %v, want %v", got, want)
		}
	}
}

// A refresh that looks too seldom for entries of 30 s refreshes those that live longer.
func TestRefreshThatLooksTooSeldom(t *testing.T) {
	const short = 30 * time.Second
	timeout := func(k refresh.Kind) (time.Duration, error) {
		return map[refresh.Kind]time.Duration{refresh.KindUDP: short, refresh.KindTCP: time.Hour}[k], nil
	}
	udp, tcp := &coverage.Entry{Protocol: unix.IPPROTO_UDP}, &coverage.Entry{Protocol: unix.IPPROTO_TCP, State: 3, HasState: true, Seen: true}
	seldom := refresh.Status{PID: 7, Interval: short, Lifetime: short, Looked: time.Now()}
	lives := unrefreshed(&seldom, timeout)
	if got := []time.Duration{lives(udp), lives(tcp)}; got[0] != short || got[1] != 0 {
		t.Errorf("UDP lives %v and TCP %v; want %v and 0, which is refreshed", got[0], got[1], short)
	}
	failing := seldom
	failing.Error = "operation not permitted"
	if lives = unrefreshed(&failing, timeout); lives(tcp) == 0 {
		t.Error("a refresh that fails refreshes TCP")
	}
	seldom.Interval = short / 2
	if unrefreshed(&seldom, timeout) != nil {
		t.Error("a refresh that looks often enough leaves something out")
	}
}
