package netcheck

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/netcheck/check"
	"connsync/netcheck/group"
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
			if r.Status != check.Unknown || r.Remedy != "run connsync as root" {
				t.Errorf("%s %v: %s; remedy %q", id, r.Status, r.Detail, r.Remedy)
			}
		}
		rootWithoutAdmin := without(n.own, "--bounding-set=-net_admin", "--inh-caps=-net_admin")
		if r := n.one(rootWithoutAdmin, question{Target: target, ID: CheckFirewall}); r.Status != check.Unknown || r.Remedy != "run connsync as root" {
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

// hold opens a UDP socket on this node and keeps it.
func (n *testNet) hold(t *testing.T, at string, reuse bool) {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if !reuse {
			return nil
		}
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }); e != nil {
			return e
		}
		return err
	}}
	err := n.own.Do(func() error {
		network := "udp" // which would take 0.0.0.0 for both families
		if strings.HasPrefix(at, "0.") {
			network = "udp4"
		}
		conn, err := config.ListenPacket(t.Context(), network, at)
		for i := 0; i < 100 && errors.Is(err, unix.EADDRINUSE); i++ { // see testNet.carries
			time.Sleep(10 * time.Millisecond)
			conn, err = config.ListenPacket(t.Context(), network, at)
		}
		if err == nil {
			t.Cleanup(func() {
				syscall.ForkLock.RLock() // a child that is just being made would still have it
				defer syscall.ForkLock.RUnlock()
				conn.Close()
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPortHeld(t *testing.T) {
	t.Parallel()
	for _, reuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("reuse=%v", reuse), func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
				n.listen(n.peer, at(target.Peer))
				n.hold(t, at(target.Current), reuse)
				who := fmt.Sprintf("(process %d", os.Getpid())
				mustFind(t, n.plan(t, target), expected{CheckPortFree, check.Failed, who, "Port: another one, on both nodes"})
				target.DaemonPIDs = []int{os.Getpid()}
				mustFind(t, n.plan(t, target))
				target.DaemonPIDs = []int{1}
				mustFind(t, n.plan(t, target), expected{CheckPortFree, check.Failed, "held at " + target.Current.Addr().String(), fmt.Sprintf("ps -o pid,ppid,args -p %d shows", os.Getpid())})
			})
		})
	}
	t.Run("wildcards", func(t *testing.T) {
		t.Parallel()
		n := newTestNet(t, 0)
		n.settle(n.own)
		for _, tt := range []struct {
			at     string
			family int
			status check.Status
		}{
			{"0.0.0.0:3780", 4, check.Failed},
			{"0.0.0.0:3780", 6, check.Passed},
			{"[::]:3780", 6, check.Failed},
			{"[::]:3780", 4, check.Failed},
			{"10.9.0.1:3781", 4, check.Passed},
		} {
			t.Run(fmt.Sprintf("%s-for-ipv%d", tt.at, tt.family), func(t *testing.T) {
				n.hold(t, tt.at, false)
				f := n.ask(t, runPortFree(n.families[tt.family]))
				if f.Status != tt.status || tt.status == check.Failed && !strings.Contains(f.Detail, "held at every address") {
					t.Errorf("%v: %s", f.Status, f.Detail)
				}
			})
		}
		// For a group the daemon binds to the port of every address.
		for _, tt := range []struct {
			at     string
			family int
			status check.Status
		}{
			{"10.9.0.1:3780", 4, check.Failed},
			{"127.0.0.1:3780", 4, check.Failed},
			{"127.0.0.1:3780", 6, check.Failed},
			{"[fd09::1]:3780", 6, check.Failed},
			{"[fd09::1]:3780", 4, check.Passed},
			{"127.0.0.1:3781", 4, check.Passed},
		} {
			t.Run(fmt.Sprintf("%s-for-group-ipv%d", tt.at, tt.family), func(t *testing.T) {
				n.hold(t, tt.at, false)
				target := n.families[tt.family]
				target.Group = netip.MustParseAddr(map[int]string{4: "225.0.0.50", 6: "ff05::50"}[tt.family])
				if f := n.ask(t, runPortFree(target)); f.Status != tt.status || !strings.Contains(f.Detail, map[bool]string{true: "held at ", false: "is free at every address"}[f.Status == check.Failed]) {
					t.Errorf("%v: %s", f.Status, f.Detail)
				}
			})
		}
		target := n.families[4]
		target.Current = prefix("10.9.0.99/24")
		if f := n.ask(t, runPortFree(target)); f.Status != check.Failed || !strings.Contains(f.Detail, "10.9.0.99 is not an address of this host") {
			t.Errorf("%v: %s", f.Status, f.Detail)
		}
	})
}

// What goes to an IPv6 group has to come from Current IP, and the kernel chooses.
func TestGroupSource(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	n.settle(n.own)
	target := n.families[6]
	target.Group = netip.MustParseAddr("ff05::50")
	route := group.Source(target.Flow, runRoute(target))
	if f := n.ask(t, route); f.Status != check.Passed || !strings.HasSuffix(f.Detail, "; to ff05::50 too") {
		t.Errorf("%v: %s", f.Status, f.Detail)
	}
	n.address(n.own, "eth1", "fd09::77/72")
	n.settle(n.own)
	n.run(n.own, "ip", "-6", "route", "replace", "fd09::2/128", "dev", "eth1", "src", "fd09::1") // of no use for a group
	f := n.ask(t, route)
	if f.Status != check.Failed || !strings.Contains(f.Detail, "the kernel sends to ff05::50 from fd09::77, not from fd09::1") || !strings.HasSuffix(f.Remedy, "; or ip address change fd09::77/72 dev eth1 preferred_lft 0") {
		t.Fatalf("%v: %s (%s)", f.Status, f.Detail, f.Remedy)
	}
	_, command, _ := strings.Cut(f.Remedy, "; or ")
	n.run(n.own, "sh", "-c", command)
	if f := n.ask(t, route); f.Status != check.Passed {
		t.Errorf("after %s: %v: %s", command, f.Status, f.Detail)
	}
	target.Group = netip.Addr{}
	if f := n.ask(t, group.Source(target.Flow, runRoute(target))); f.Status != check.Passed || strings.Contains(f.Detail, "ff05") {
		t.Errorf("%v: %s", f.Status, f.Detail)
	}
}

// conntrackd runs a real daemon in a host. Its files are in a directory of its
// own; name it in every command.
func (n *testNet) conntrackd(t *testing.T, h *lab.Namespace, own, peer netip.Addr) (pid int, config string) {
	t.Helper()
	dir := t.TempDir()
	config = filepath.Join(dir, "conntrackd.conf")
	family := "IPv4"
	if own.Is6() {
		family = "IPv6"
	}
	text := fmt.Sprintf(`Sync {
	Mode FTFW { DisableExternalCache on }
	UDP {
		%[1]s_address %[2]v
		%[1]s_Destination_Address %[3]v
		Port 3780
		Interface eth1
	}
}
General {
	HashSize 8192
	HashLimit 65536
	LockFile %[4]s/lock
	UNIX { Path %[4]s/ctl }
	LogFile %[4]s/log
}
`, family, own, peer, dir)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := n.start(h, "conntrackd", "-C", config)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := h.Command("conntrackd", "-C", config, "-s").CombinedOutput(); err == nil {
			return cmd.Process.Pid, config
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("conntrackd does not answer: %s", log)
		}
	}
}

// The peer's daemon counts what it could not read; our questions are not in it.
func TestProbesDoNotDisturbTheDaemon(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		_, config := n.conntrackd(t, n.peer, target.Peer.Addr(), target.Current.Addr())
		for range 2 {
			mustFind(t, n.plan(t, target))
		}
		stats := n.run(n.peer, "conntrackd", "-C", config, "-s", "network")
		for line := range strings.Lines(stats) {
			f := strings.Fields(line)
			if len(f) > 1 && (strings.HasPrefix(f[0], "Malformed") || strings.HasPrefix(f[0], "Truncated") || strings.Contains(line, "Bad") || strings.Contains(line, "Wrong") || strings.Contains(line, "lost")) &&
				strings.Trim(f[len(f)-1], "0") != "" {
				t.Errorf("the daemon counts: %s", line)
			}
		}
		if !strings.Contains(strings.ToLower(stats), "malformed") {
			t.Errorf("no count of malformed messages:\n%s", stats)
		}
	})
}

func TestSecondConntrackd(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	target := n.families[4]
	n.listen(n.peer, at(target.Peer))
	first, _ := n.conntrackd(t, n.own, target.Current.Addr(), target.Peer.Addr())
	mustFind(t, n.plan(t, target), expected{CheckPortFree, check.Failed, fmt.Sprintf("a second conntrackd, conntrackd (process %d)", first), fmt.Sprintf("ps -o pid,ppid,args -p %d shows", first)})
	target.DaemonPIDs = []int{first}
	mustFind(t, n.plan(t, target))
	// The kernel lets a second one share the port.
	second, _ := n.conntrackd(t, n.own, target.Current.Addr(), target.Peer.Addr())
	mustFind(t, n.plan(t, target), expected{CheckPortFree, check.Failed, fmt.Sprintf("(process %d)", second), fmt.Sprintf("ps -o pid,ppid,args -p %d shows", second)})
}
