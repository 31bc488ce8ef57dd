package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"connsync/lab"
)

// A host whose policy is to drop, and one that lets everything in.
const (
	closedHost = `flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		ct state vmap { established : accept, related : accept, invalid : drop }
	}
	chain output {
		type filter hook output priority filter; policy drop;
		oif "lo" accept
		ct state established,related accept
	}
}
`
	openHost = "flush ruleset\n"
)

// guarded is a node with its firewall, its peer and a third host, on one link
// of both families; the third host reaches the node on another interface too.
type guarded struct {
	t           *testing.T
	ctx         context.Context
	program     string
	node        *lab.Node
	peer, third *lab.Namespace
}

func newGuarded(t *testing.T, ctx context.Context) *guarded {
	t.Helper()
	g := &guarded{t: t, ctx: ctx, program: build(t)}
	link, err := lab.NewSwitch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	if g.node, err = lab.NewNode(ctx, "fw-a"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.node.Close() })
	for _, n := range []**lab.Namespace{&g.peer, &g.third} {
		if *n, err = lab.NewNamespace(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*n).Close() })
	}
	for i, n := range []*lab.Namespace{g.node.Namespace, g.peer, g.third} {
		if err := link.Plug(fmt.Sprintf("port%d", i), n, "eth1", 0); err != nil {
			t.Fatal(err)
		}
		g.in(n, "ip", "address", "add", fmt.Sprintf("10.0.0.10%d/24", i+1), "dev", "eth1")
		g.in(n, "ip", "address", "add", fmt.Sprintf("fd00::10%d/64", i+1), "dev", "eth1", "nodad")
	}
	if err := lab.Veth(g.node.Namespace, "eth2", g.third, "eth2"); err != nil {
		t.Fatal(err)
	}
	g.in(g.node.Namespace, "ip", "address", "add", "10.7.0.1/24", "dev", "eth2")
	g.in(g.third, "ip", "address", "add", "10.7.0.2/24", "dev", "eth2")
	g.in(g.node.Namespace, "ip", "link", "set", "eth2", "up")
	g.in(g.third, "ip", "link", "set", "eth2", "up")
	return g
}

func (g *guarded) in(n *lab.Namespace, name string, args ...string) {
	g.t.Helper()
	if out, err := n.Command(name, args...).CombinedOutput(); err != nil {
		g.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func (g *guarded) shell(script string) string {
	g.t.Helper()
	return shellOn(g.t, g.ctx, g.node, script)
}

func (g *guarded) connsync(args ...string) string {
	g.t.Helper()
	out, err := g.node.Run(g.ctx, g.program, args...)
	if err != nil {
		g.t.Fatalf("connsync %v: %v\n%s", args, err, out)
	}
	return out
}

// carries sends a datagram to the sync port and says whether it arrives. One that
// should has time, however busy the host is.
func carries(t *testing.T, from, to *lab.Namespace, source, destination string, should bool) bool {
	t.Helper()
	var listener net.PacketConn
	err := to.Do(func() (err error) {
		// A program that another test is just starting may still have the last one.
		for range 100 {
			listener, err = net.ListenPacket("udp", netip.AddrPortFrom(netip.MustParseAddr(destination), 3780).String())
			if !errors.Is(err, syscall.EADDRINUSE) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	err = from.Do(func() error {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(source)}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(destination), 3780)))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("x"))
		return err
	})
	if errors.Is(err, syscall.EPERM) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	within := 200 * time.Millisecond
	if should {
		within = patience
	}
	listener.SetReadDeadline(time.Now().Add(within))
	_, _, err = listener.ReadFrom(make([]byte, 16))
	return err == nil
}

// admits compares which of the ways to and from the node are open.
func (g *guarded) admits(when string, want map[string]bool) {
	g.t.Helper()
	got := map[string]bool{}
	for _, n := range []*lab.Namespace{g.node.Namespace, g.peer, g.third} {
		g.in(n, "ip", "neighbour", "flush", "dev", "eth1") // a search that was in vain is repeated after a second only
	}
	for name, open := range want {
		prefix, from := "10.0.0.10", g.peer
		if strings.Contains(name, "ipv6") {
			prefix = "fd00::10"
		}
		switch {
		case strings.HasPrefix(name, "to the peer"):
			got[name] = carries(g.t, g.node.Namespace, g.peer, prefix+"1", prefix+"2", open)
		case strings.HasPrefix(name, "from the peer"):
			got[name] = carries(g.t, from, g.node.Namespace, prefix+"2", prefix+"1", open)
		case strings.HasPrefix(name, "from a third host"):
			got[name] = carries(g.t, g.third, g.node.Namespace, prefix+"3", prefix+"1", open)
		default:
			g.in(g.third, "ip", "route", "replace", "10.0.0.101/32", "via", "10.7.0.1")
			got[name] = carries(g.t, g.third, g.node.Namespace, "10.7.0.2", "10.0.0.101", open)
			g.in(g.third, "ip", "route", "delete", "10.0.0.101/32")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		g.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// The rules admit the peer and refuse a third host, in both families; a second
// time nothing changes; and they come back with the host's own file.
func TestFirewallAdmitsThePeerAlone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	g := newGuarded(t, ctx)
	for _, family := range []string{"ipv4", "ipv6"} {
		for _, host := range []struct{ name, conf string }{{"closed", closedHost}, {"open", openHost}} {
			when := family + ", " + host.name + " host"
			if err := g.node.WriteFile("/etc/nftables.conf", []byte(host.conf)); err != nil {
				t.Fatal(err)
			}
			g.shell("nft -f /etc/nftables.conf")
			open := host.name == "open"
			g.admits(when+", before", map[string]bool{"from the peer, " + family: open, "from a third host, " + family: open})

			settings := []string{"--interface", "eth1", "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24"}
			wanted := map[string]bool{"from the peer, ipv4": true, "to the peer, ipv4": true, "from a third host, ipv4": false, "on another interface": false}
			if family == "ipv6" {
				settings = []string{"--interface", "eth1", "--current-ip", "fd00::101/64", "--peer-ip", "fd00::102/64"}
				wanted = map[string]bool{"from the peer, ipv6": true, "to the peer, ipv6": true, "from a third host, ipv6": false, "from the peer, ipv4": open}
			}
			install := append([]string{"firewall", "--install", "--yes"}, settings...)
			g.connsync(install...)
			g.admits(when+", installed", wanted)

			const state = "nft -a list ruleset; cat /etc/nftables.conf /etc/connsync/firewall.nft /var/lib/connsync/firewall.json; stat -c '%n %i %y' /etc/nftables.conf /etc/connsync/firewall.nft"
			before := g.shell(state)
			if out := g.connsync(install...); !strings.HasPrefix(out, "Nothing to do: ") {
				t.Errorf("%s: a second time it says:\n%s", when, out)
			}
			if diff := cmp.Diff(before, g.shell(state)); diff != "" {
				t.Errorf("%s: a second time (-before +after):\n%s", when, diff)
			}

			g.shell("nft -f /etc/nftables.conf")
			g.admits(when+", loaded again", wanted)
			if out := g.connsync(install...); !strings.HasPrefix(out, "Nothing to do: ") {
				t.Errorf("%s: loaded again it says:\n%s", when, out)
			}
			g.connsync("firewall", "--remove", "--yes")
			if got, err := g.node.ReadFile("/etc/nftables.conf"); err != nil || string(got) != host.conf {
				t.Errorf("%s: removed, the host's file is %q (%v)", when, got, err)
			}
			g.admits(when+", removed", map[string]bool{"from the peer, " + family: open, "from a third host, " + family: open})
		}
	}
}

// At a terminal it shows the change and asks; no is no.
func TestFirewallAsks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g := newGuarded(t, ctx)
	if err := g.node.WriteFile("/etc/nftables.conf", []byte(closedHost)); err != nil {
		t.Fatal(err)
	}
	g.shell("nft -f /etc/nftables.conf")
	// meanwhile is done while the person reads.
	ask := func(meanwhile, answer string) string {
		cmd := exec.CommandContext(ctx, g.program, "firewall", "--install", "--interface", "eth1", "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24")
		var terminal *os.File
		if err := g.node.Enter(func() (err error) { terminal, err = pty.Start(cmd); return err }); err != nil {
			t.Fatal(err)
		}
		defer terminal.Close()
		var seen strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := terminal.Read(buffer)
			seen.Write(buffer[:n])
			if n > 0 && strings.HasSuffix(seen.String(), "[y/N]: ") {
				g.shell(meanwhile)
				fmt.Fprintln(terminal, answer)
			}
			if err != nil {
				break // the other end is closed
			}
		}
		_ = cmd.Wait()
		return seen.String()
	}
	before := g.shell("nft list ruleset; cat /etc/nftables.conf")
	out := ask("flock -n /run/connsync/lock true", "")
	for _, want := range []string{"+include \"/etc/connsync/[f]irewall.nft\"", "insert rule inet filter input ", "Install these rules? [y/N]: ", "nothing was changed"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if diff := cmp.Diff(before, g.shell("nft list ruleset; cat /etc/nftables.conf")); diff != "" {
		t.Errorf("after a no (-before +after):\n%s", diff)
	}
	out = ask("echo '# new' >>/etc/nftables.conf", "y")
	if !strings.Contains(out, "what was shown has changed since; nothing was changed") || strings.Contains(g.shell("cat /etc/nftables.conf"), "include") {
		t.Errorf("after a yes to what has changed since it says:\n%s", out)
	}
	if out := ask("", "y"); !strings.Contains(out, "Done: the rules admit UDP port 3780 from 10.0.0.102 on eth1 alone") {
		t.Errorf("after a yes it says:\n%s", out)
	}
}

// On a Debian whose nftables.service loads its file at boot, the rules are in
// force after a reboot.
func TestDebianFirewallSurvivesAReboot(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	program := build(t)
	machine, peer := machineAndPeer(t, ctx)
	if err := machine.CopyIn(program, "/usr/sbin/connsync"); err != nil {
		t.Fatal(err)
	}
	shell := func(script string) string { return shellOn(t, ctx, machine.Node, script) }
	stock := shell("cat /etc/nftables.conf")
	install := "connsync firewall --install --yes --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24"
	if out := shell(install); !strings.Contains(out, "Note: nftables.service is disabled") {
		t.Errorf("where nobody loads the file at boot it says:\n%s", out)
	}
	if out := shell("connsync check --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24; :"); !strings.Contains(out, "but not at boot: nftables.service is disabled") ||
		!strings.Contains(out, "-> systemctl enable nftables.service") {
		t.Errorf("where nobody loads the file at boot the checks say:\n%s", out)
	}
	shell("connsync firewall --remove --yes")
	if got := shell("cat /etc/nftables.conf"); got != stock {
		t.Errorf("removed, the stock file is\n%s", got)
	}

	if err := machine.WriteFile("/etc/nftables.conf", []byte("#!/usr/sbin/nft -f\n"+closedHost)); err != nil {
		t.Fatal(err)
	}
	shell("systemctl enable --now nftables")
	if carries(t, peer.Namespace, machine.Namespace, "10.0.0.102", "10.0.0.101", false) {
		t.Error("the host drops nothing")
	}
	if out := shell(install); strings.Contains(out, "Note:") {
		t.Errorf("with nftables.service enabled it says:\n%s", out)
	}
	for _, when := range []string{"installed", "after systemctl reload", "after a reboot"} {
		switch when {
		case "after systemctl reload":
			shell("systemctl reload nftables")
		case "after a reboot":
			shell("nft add table inet gone_at_boot") // the network outlives a reboot
			if err := machine.Reboot(ctx); err != nil {
				t.Fatal(err)
			}
			if out := shell("nft list ruleset; systemctl is-active nftables"); strings.Contains(out, "gone_at_boot") || !strings.HasSuffix(out, "active") {
				t.Errorf("the rules were not loaded at boot:\n%s", out)
			}
		}
		if !carries(t, peer.Namespace, machine.Namespace, "10.0.0.102", "10.0.0.101", true) || !carries(t, machine.Namespace, peer.Namespace, "10.0.0.101", "10.0.0.102", true) {
			t.Errorf("%s: datagrams do not pass both ways:\n%s", when, shell("nft list ruleset"))
		}
		if out := shell(install); !strings.HasPrefix(out, "Nothing to do: ") {
			t.Errorf("%s it says:\n%s", when, out)
		}
	}
}
