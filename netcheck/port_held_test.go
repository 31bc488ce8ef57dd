package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"connsync/netcheck/group"
)

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

// conntrackd forks a child for a dump, which has the daemon's sockets while it lives.
func TestChildOfTheDaemonHoldsThePort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pids []int
		want check.Status
	}{
		{[]int{71}, check.Passed},
		{[]int{112, 71}, check.Passed},
		{[]int{112}, check.Failed},
		{nil, check.Failed},
	} {
		held := []holder{{addr: netip.MustParseAddr("10.9.0.1"), pids: tt.pids, command: "conntrackd"}}
		target := Target{Flow: firewall.Flow{Current: netip.MustParsePrefix("10.9.0.1/24"), Port: 3780}, DaemonPIDs: []int{71}}
		if f := judgeHolders(target, held, nil); f.Status != tt.want {
			t.Errorf("%v: %v: %s", tt.pids, f.Status, f.Detail)
		}
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

// Any user can keep the port, and as many processes and open files as his limits allow:
// the search for its holder ends with its context, and tells some of the processes. While
// conntrackd has it, no other process is looked at.
func TestSearchForTheHolderIsBounded(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	file, err := conn.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for range mostPIDs + 2 {
		cmd := exec.Command("sleep", "600")
		cmd.ExtraFiles = []*os.File{file}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	search := func(ctx context.Context, daemons ...int) holder {
		found := []holder{{addr: netip.MustParseAddr("10.9.0.1"), inode: uint32(info.Sys().(*syscall.Stat_t).Ino)}}
		nameHolders(ctx, found, daemons)
		return found[0]
	}
	h := search(t.Context(), os.Getpid())
	if !slices.Equal(h.pids, []int{os.Getpid()}) || h.command == "" || h.more {
		t.Errorf("processes %v beside %d, which is looked at first: %s", h.pids, os.Getpid(), h.who())
	}
	for _, daemons := range [][]int{nil, {1 << 30}} {
		if h = search(t.Context(), daemons...); len(h.pids) != mostPIDs || !strings.HasSuffix(h.who(), " and more)") {
			t.Errorf("processes %v of all: %s", h.pids, h.who())
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if h = search(over); len(h.pids) > 0 || !strings.Contains(h.who(), "was not found in 5s") {
		t.Errorf("it goes on after its context: %s", h.who())
	}
	daemon := Target{Flow: firewall.Flow{Current: netip.MustParsePrefix("10.9.0.1/24"), Port: 3780}, DaemonPIDs: []int{71}}
	held := check.Failed
	if os.Geteuid() != 0 {
		held = check.Unknown // what was not found may be the daemon's
	}
	if f := judgeHolders(daemon, []holder{h}, nil); f.Status != held {
		t.Errorf("%v: %s", f.Status, f.Detail)
	}
}
