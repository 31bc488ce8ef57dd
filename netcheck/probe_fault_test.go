package netcheck

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/netcheck/check"
)

// EACCES sends pro-bing into an endless loop; the check does not go there, and
// if it does it comes out again. An IPv4 socket that names its interface gets
// it from a broadcast address only, not from routes and rules.
func TestForbiddenSendDoesNotHang(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		detail, remedy := "a prohibit route or rule forbids", "rule del pref 77"
		if target.Family() == 6 {
			n.run(n.own, "ip", "-6", "rule", "add", "to", target.Peer.Addr().String(), "prohibit", "pref", "77")
		} else {
			target.Peer = prefix("10.9.0.255/24")
			detail, remedy = "a prohibit route or a broadcast address", "ip route get 10.9.0.255 oif eth1"
		}
		for _, id := range []check.ID{CheckPeerPing, CheckPathMTU, CheckPeerPort} {
			r := n.one(n.own, question{Target: target, ID: id})
			if r.Status != check.Failed || !strings.Contains(r.Detail, detail) || !strings.Contains(r.Remedy, remedy) || r.Took > time.Minute {
				t.Errorf("%s %v after %v: %s; remedy: %s", id, r.Status, r.Took, r.Detail, r.Remedy)
			}
		}
		for _, mode := range []string{"raw", "unprivileged"} {
			var got forbidden
			if err := lab.Call(t.Context(), n.own, "send", target, &got); err != nil {
				t.Fatal(err)
			}
			// A raw socket may send to a broadcast address, which nobody answers.
			silent := mode == "raw" && target.Family() == 4 && got.Err == ""
			if got.Err != unix.EACCES.Error() && !silent || got.Took > time.Minute || got.Goroutines > 0 {
				t.Errorf("%s, %d goroutines left after %v: %q", mode, got.Goroutines, got.Took, got.Err)
			}
			n.run(n.own, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
		}
	})
}

func TestOwnFirewall(t *testing.T) {
	t.Parallel()
	for _, verdict := range []string{"drop", "reject"} {
		t.Run(verdict, func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
				n.listen(n.peer, at(target.Peer))
				icmp, _ := wordsFor(target)
				n.nft(n.own, "table inet filter { chain output { type filter hook output priority 0; policy accept\n"+
					icmp+" type echo-request "+verdict+"\n udp dport 3780 "+verdict+"\n}\n}\n")
				report := n.plan(t, target)
				mustFind(t, report,
					expected{CheckPeerPing, check.Failed, "the firewall of this node does not let echo requests", "nft insert rule inet filter output"},
					expected{CheckPeerPort, check.Failed, "the firewall of this node does not let datagrams to UDP port 3780", "nft insert rule inet filter output"},
					expected{CheckFirewall, check.Failed, "drops the sync datagrams out", "connsync firewall --install --interface eth1 "})
				r, _ := report.Result(CheckPeerPing)
				n.run(n.own, "sh", "-c", r.Remedy)
				mustFind(t, n.plan(t, target))
			})
		})
	}
}

// The replies are dropped on this node, which nobody can tell from a drop on the peer.
func TestRepliesDroppedHere(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		n.listen(n.peer, at(target.Peer))
		icmp, _ := wordsFor(target)
		n.nft(n.own, inputRules(icmp+" type echo-reply drop"))
		mustFind(t, n.plan(t, target), expected{CheckPeerPing, check.Failed, "a firewall there or here filters ICMP", "nft insert rule"})
	})
}

func TestLostEchoes(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	target := n.families[4]
	n.listen(n.peer, at(target.Peer))
	// pro-bing counts from 0: its first one passes.
	n.nft(n.peer, inputRules("icmp type echo-request icmp sequence 1-2 drop"))
	r := n.one(n.own, question{Target: target, ID: CheckPeerPing})
	if r.Status != check.Failed || r.Severity != check.Warning || !strings.Contains(r.Detail, "echo requests to 10.9.0.2 were lost") || r.Remedy == "" {
		t.Errorf("%v %v: %s", r.Severity, r.Status, r.Detail)
	}
}

func TestInterfaceGoesDownDuringTheCheck(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		// Silence keeps the checks at work for about a second.
		n.silence()
		for _, id := range []check.ID{CheckPeerLink, CheckPeerPing} {
			n.run(n.own, "ip", "link", "set", "eth1", "up")
			if target.Family() == 6 { // which left with the link
				n.run(n.own, "ip", "address", "replace", target.Current.String(), "dev", "eth1")
				n.settle(n.own)
			}
			down := make(chan error, 1)
			go func() {
				time.Sleep(500 * time.Millisecond)
				down <- n.own.Command("ip", "link", "set", "eth1", "down").Run()
			}()
			r := n.one(n.own, question{Target: target, ID: id})
			if err := <-down; err != nil {
				t.Fatal(err)
			}
			if r.Status != check.Failed || !strings.Contains(r.Detail, "eth1 ") || !strings.Contains(r.Detail, "down") || r.Remedy != "ip link set dev eth1 up" {
				t.Errorf("%s %v after %v: %s; remedy: %s", id, r.Status, r.Took, r.Detail, r.Remedy)
			}
		}
	})
}

// soon is one, on a machine that may be busy: the best of a few runs counts.
func (n *testNet) soon(q question, within time.Duration) check.Result {
	n.t.Helper()
	for tries := 1; ; tries++ {
		if r := n.one(n.own, q); r.Took <= within || tries == 5 {
			return r
		}
	}
}

func TestProbesStopAtOnce(t *testing.T) {
	t.Parallel()
	eachFamily(t, 9000, func(t *testing.T, n *testNet, target Target) {
		icmp, _ := wordsFor(target)
		n.nft(n.peer, inputRules(icmp+" type echo-request drop"))
		n.listen(n.peer, at(target.Peer))
		const after = 60 * time.Millisecond
		for _, id := range []check.ID{CheckDuplicateAddress, CheckPeerPing, CheckPathMTU, CheckPeerPort} {
			r := n.soon(question{Target: target, ID: id, Cancel: after}, after+100*time.Millisecond)
			if r.Status != check.Unknown || r.Took > after+100*time.Millisecond {
				t.Errorf("%s %v after %v: %s", id, r.Status, r.Took, r.Detail)
			}
		}
		if err := n.sync.Cut("peer"); err != nil {
			t.Fatal(err)
		}
		r := n.soon(question{Target: target, ID: CheckPeerLink, Cancel: after}, after+100*time.Millisecond)
		if r.Status != check.Unknown || r.Took > after+100*time.Millisecond {
			t.Errorf("peer-link %v after %v: %s", r.Status, r.Took, r.Detail)
		}
	})
}

// without runs commands in a host without some rights.
func without(h *lab.Namespace, args ...string) lab.Commander {
	return lab.CommandFunc(func(name string, more ...string) *exec.Cmd {
		return h.Command("setpriv", append(append(args, "--", name), more...)...)
	})
}

func TestProbesWithoutRights(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		rootWithoutRaw := without(n.own, "--bounding-set=-net_raw", "--inh-caps=-net_raw")
		for _, id := range []check.ID{CheckDuplicateAddress, CheckPeerLink, CheckPeerPing, CheckPathMTU} {
			r := n.one(rootWithoutRaw, question{Target: target, ID: id})
			if r.Status != check.Unknown || !strings.HasPrefix(r.Remedy, "start connsync with CAP_NET_RAW (") {
				t.Errorf("%s %v: %s; remedy %q", id, r.Status, r.Detail, r.Remedy)
			}
		}
		rootWithoutAdmin := without(n.own, "--bounding-set=-net_admin", "--inh-caps=-net_admin")
		if r := n.one(rootWithoutAdmin, question{Target: target, ID: CheckFirewall}); r.Status != check.Unknown || !strings.HasPrefix(r.Remedy, "start connsync with CAP_NET_ADMIN (") {
			t.Errorf("firewall %v: %s; remedy %q", r.Status, r.Detail, r.Remedy)
		}
		// Where everybody may ping, the way to the peer can be seen without.
		n.run(n.own, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
		for _, id := range []check.ID{CheckPeerPing, CheckPathMTU} {
			if r := n.one(rootWithoutRaw, question{Target: target, ID: id}); r.Status != check.Passed {
				t.Errorf("%s %v: %s", id, r.Status, r.Detail)
			}
		}
	})
}
