package netcheck

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
	"connsync/netcheck/check"
)

// failure is a failed result in short.
type failure struct {
	ID             check.ID
	Severity       check.Severity
	Detail, Remedy string
}

// fault is one thing that is wrong on a, on a link that is otherwise good.
type fault struct {
	name   string
	family int                       // 4 when zero
	do     string                    // commands on a
	doB    string                    // commands on b
	set    func(l *wired, s *target) // other settings, or more of a world
	want   []failure                 // all failures, in the plan's order
	cures  bool                      // following the remedies makes everything pass
}

func TestEachFaultFailsItsOwnCheck(t *testing.T) {
	for _, faults := range [][]fault{interfaceFaults, dedicatedFaults, addressFaults, routeFaults, ruleFaults, conntrackFaults} {
		for _, tt := range faults {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				l, settings := newWired(t, max(tt.family, 4))
				l.run(l.a, tt.do)
				l.run(l.b, tt.doB)
				if tt.set != nil {
					tt.set(l, &settings)
				}
				expect(t, l.check(settings), tt.want)
				if tt.cures {
					for _, f := range tt.want {
						settings = l.follow(settings, f.Remedy)
					}
					expect(t, l.check(settings), nil)
				}
			})
		}
	}
}

// expect compares the failures of a report, and wants nothing unknown, and
// nothing skipped without a failure.
func expect(t *testing.T, report check.Report, want []failure) {
	t.Helper()
	var got []failure
	for _, r := range report.Results {
		switch {
		case r.Status == check.Failed:
			got = append(got, failure{r.ID, r.Severity, r.Detail, r.Remedy})
		case r.Status == check.Passed && (r.Detail == "" || r.Remedy != ""):
			t.Errorf("%s passed with detail %q and remedy %q", r.ID, r.Detail, r.Remedy)
		case r.Status == check.Passed:
		case r.Status != check.Skipped || len(want) == 0:
			t.Errorf("%s is %v: %s", r.ID, r.Status, r.Detail)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

// follow does what a remedy says: a command, or a value for a field. Of
// several ways the first is taken.
func (l *wired) follow(s target, remedy string) target {
	l.t.Helper()
	remedy, _, _ = strings.Cut(remedy, ", or ")
	field, value, isField := strings.Cut(remedy, ": ")
	switch {
	case isField && field == "Interface Name":
		s.Interface = value
	case isField && field == "Current IP":
		s.Current = value
	case isField && field == "Peer IP":
		s.Peer = value
	default:
		l.run(l.a, remedy)
	}
	return s
}

func TestHealthyPairPasses(t *testing.T) {
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			t.Parallel()
			l, settings := newWired(t, family)
			report := l.check(settings)
			expect(t, report, nil)
			if v := report.Verdict(); v != check.VerdictPass {
				t.Errorf("verdict %q", v)
			}
		})
	}
}

var interfaceFaults = []fault{
	{name: "no interface set", set: func(_ *wired, s *target) { s.Interface = "" }, want: []failure{
		{CheckInterface, check.Blocker, "no interface is set", "Interface Name: choose the sync interface"}}},
	{name: "interface missing", set: func(_ *wired, s *target) { s.Interface = "eth9" }, want: []failure{
		{CheckInterface, check.Blocker, "this host has no interface eth9", "Interface Name: choose one that exists: eth1"}}},
	{name: "alternative name", do: "ip link property add dev eth1 altname enp3s0f1np1-the-long-one",
		set: func(_ *wired, s *target) { s.Interface = "enp3s0f1np1-the-long-one" }, cures: true, want: []failure{
			{CheckInterface, check.Blocker, "enp3s0f1np1-the-long-one is only another name of eth1", "Interface Name: eth1"}}},
	{name: "loopback", set: func(_ *wired, s *target) { s.Interface = "lo" }, want: []failure{
		{CheckInterface, check.Blocker, "lo is the loopback interface, on which there is no peer", "Interface Name: choose the interface towards the peer"}}},
	{name: "down", do: "ip link set dev eth1 down", cures: true, want: []failure{
		{CheckLinkUp, check.Blocker, "eth1 is down", "ip link set dev eth1 up"}}},
	{name: "down, IPv6, whose address goes too", family: 6, do: "ip link set dev eth1 down", want: []failure{
		{CheckLinkUp, check.Blocker, "eth1 is down", "ip link set dev eth1 up"}}},
	{name: "member of a bridge", do: "ip link add br0 type bridge\nip link set dev eth1 master br0\nip link set dev br0 up", want: []failure{
		{CheckInterface, check.Blocker, "eth1 is a member of the bridge br0, which takes what arrives on it", "Interface Name: br0"}}},
	{name: "no carrier", doB: "ip link set dev eth1 down", want: []failure{
		{CheckCarrier, check.Blocker, "eth1 has no carrier: the interface below it, or its other end, is down", "ip -details link show dev eth1"}}},
	{name: "no carrier, IPv6", family: 6, doB: "ip link set dev eth1 down", want: []failure{
		{CheckCarrier, check.Blocker, "eth1 has no carrier: the interface below it, or its other end, is down", "ip -details link show dev eth1"}}},
}

func outward(name string) []failure {
	return []failure{{CheckDedicated, check.Warning, "the default route leaves through " + name + ", so production traffic shares it with sync",
		"Interface Name: choose a dedicated interface"}}
}

var dedicatedFaults = []fault{
	{name: "default route", do: "ip route add default via 10.0.0.102", want: outward("eth1")},
	{name: "default route of the other family", do: "ip -6 address add fd00::1/64 dev eth1 nodad\nip -6 route add default via fd00::9 dev eth1", want: outward("eth1")},
	{name: "default route, IPv6", family: 6, do: "ip -6 route add default via fd00::102", want: outward("eth1")},
	{name: "default route without a gateway", do: "ip route add default dev eth1", want: outward("eth1")},
	{name: "default route over several links", do: "ip route add default nexthop via 10.0.0.7 dev eth1 nexthop via 10.0.0.8 dev eth1", want: outward("eth1")},
	{name: "default route in another table", do: "ip route add default via 10.0.0.102 table 100", want: outward("eth1")},
	{name: "default route by a nexthop object", do: "ip nexthop add id 1 via 10.0.0.102 dev eth1\nip route add default nhid 1", want: outward("eth1")},
	{name: "two halves of the internet", do: "ip route add 0.0.0.0/1 via 10.0.0.102\nip route add 128.0.0.0/1 via 10.0.0.102", want: outward("eth1")},
	{name: "default route, and a better interface", do: "ip route add default via 10.0.0.102",
		set: func(l *wired, _ *target) { l.wire("eth2", "eth2") }, want: []failure{
			{CheckDedicated, check.Warning, "the default route leaves through eth1, so production traffic shares it with sync",
				"Interface Name: choose a dedicated interface: eth2"}}},
	{name: "an address of the length of one host", do: "ip address add 10.0.0.9/32 dev eth1", want: []failure{
		{CheckDedicated, check.Warning, "10.0.0.9/32, as virtual addresses are, is on eth1, so production traffic shares it with sync",
			"Interface Name: choose a dedicated interface"}}},
	{name: "a virtual address in its network", set: func(_ *wired, t *target) { t.Virtual = []netip.Addr{netip.MustParseAddr("10.0.0.9")} }, want: []failure{
		{CheckDedicated, check.Warning, "10.0.0.9, a virtual address of keepalived, is in the network of eth1, so production traffic shares it with sync",
			"Interface Name: choose a dedicated interface"}}},
}

// TestWithoutRights: a check that may not look says so. Root without
// capabilities has no more rights than anybody.
func TestWithoutRights(t *testing.T) {
	t.Parallel()
	w, settings := newWired(t, 4)
	powerless := lab.CommandFunc(func(name string, args ...string) *exec.Cmd {
		return w.a.Command("setpriv", append([]string{"--bounding-set", "-all", "--inh-caps", "-all", "--", name}, args...)...)
	})
	var report check.Report
	if err := lab.Call(t.Context(), powerless, "check", settings, &report); err != nil {
		t.Fatal(err)
	}
	var got []check.ID
	for _, r := range report.Results {
		switch {
		case r.Status == check.Unknown && !strings.HasPrefix(r.Remedy, "start connsync with CAP_"):
			t.Errorf("%s: %s; remedy %q", r.ID, r.Detail, r.Remedy)
		case r.Status == check.Passed:
			got = append(got, r.ID)
		}
	}
	// The kernel tells anybody of links, addresses and routes, and lets anybody
	// send a datagram.
	want := []check.ID{CheckInterface, CheckLinkUp, CheckCarrier, CheckDedicated, CheckCurrentAssigned, CheckPeerDistinct, CheckSameSubnet, CheckRoute,
		CheckPortFree, CheckPeerPort}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("passed (-want +got):\n%s", diff)
	}
	if v := report.Verdict(); v != check.VerdictUnknown {
		t.Errorf("verdict %q", v)
	}
}

// With the peer switched off a straight cable has no carrier. That stops no save with
// FirstNode, unless an IPv6 address cannot be used without one.
func TestFirstNodeWithoutCarrier(t *testing.T) {
	for name, tt := range map[string]struct {
		family  int
		do      string
		current failure
		verdict check.Verdict
	}{
		"IPv4":                  {family: 4, verdict: check.VerdictWarn},
		"IPv6, not asked for":   {family: 6, do: "ip -6 address replace fd00::101/64 dev eth1 nodad", verdict: check.VerdictWarn},
		"IPv6, to be asked for": {family: 6, do: "ip -6 address del fd00::101/64 dev eth1\nip -6 address add fd00::101/64 dev eth1", verdict: check.VerdictBlocked, current: failure{CheckCurrentAssigned, check.Blocker, "fd00::101 on eth1 cannot be used while eth1 has no carrier: the kernel has not asked yet whether another host has it", "plug in the cable of eth1; or add the address so that the kernel does not ask other hosts for it: ip -6 address replace fd00::101/64 dev eth1 nodad"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, settings := newWired(t, tt.family)
			settings.FirstNode = true
			l.run(l.b, "ip link set dev eth1 down")
			l.run(l.a, tt.do)
			report := l.check(settings)
			if v := report.Verdict(); v != tt.verdict {
				t.Errorf("verdict %q", v)
			}
			carrier, _ := report.Result(CheckCarrier)
			if carrier.Status != check.Failed || carrier.Severity != check.Warning {
				t.Errorf("carrier: %+v", carrier)
			}
			current, _ := report.Result(CheckCurrentAssigned)
			if got := (failure{current.ID, current.Severity, current.Detail, current.Remedy}); tt.current.ID != "" && got != tt.current {
				t.Errorf("current-ip-assigned: %+v", got)
			}
			if other, _ := report.Result(CheckDuplicateAddress); other.Status == check.Passed {
				t.Errorf("duplicate-address passed without a carrier: %+v", other)
			}
		})
	}
}
