package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/health"
	"connsync/lab"
)

// thirdHost is a pair that syncs, and a third host on the sync link.
type thirdHost struct {
	*lab.Pair
	t       *testing.T
	program string
	third   *lab.Namespace
}

func newThirdHost(t *testing.T) *thirdHost {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*scriptPatience)
	defer cancel()
	program := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pair.Close() })
	third, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { third.Close() })
	if err := pair.Sync.Plug("third", third, lab.SyncInterface, 0); err != nil {
		t.Fatal(err)
	}
	p := &thirdHost{pair, t, program, third}
	p.must(third.Command("ip", "address", "add", "10.0.0.66/24", "dev", lab.SyncInterface).CombinedOutput())
	for _, m := range []*lab.Member{pair.B, pair.A} {
		out, err := m.Run(ctx, program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", pair.Other(m).Sync.String())
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return p
}

func (p *thirdHost) must(out []byte, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
}

// until sends packets of the third host ten times a second until the function that it
// returns is called.
func (p *thirdHost) until(send func(fd int) error) (stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- p.third.Do(func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			for ctx.Err() == nil {
				if err := send(fd); err != nil {
					return err
				}
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})
	}()
	return func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	}
}

// packet is an IPv4 packet of anybody's.
func packet(from, to netip.Addr, protocol byte, body []byte) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0}
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	return append(b, body...)
}

func datagram(port uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0x9c, 0x40}, port) // from 40000
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

// forge sends a packet to node A.
func (p *thirdHost) forge(fd int, b []byte) error {
	return unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: p.A.Sync.Addr().As4()})
}

// status waits until node A's verdict and cause are those that are wanted, and looks
// that no word of the report is one of the others.
func (p *thirdHost) status(want health.Verdict, cause, next string) {
	p.t.Helper()
	if s, ok := p.sees(want, cause, next, 3*scriptPatience); !ok {
		p.t.Fatalf("verdict %s: %s; next %s\nwant %s: %s; next %s", s.Verdict, s.Cause, s.Next, want, cause, next)
	}
}

// sees waits for a verdict, its cause and what to do.
func (p *thirdHost) sees(want health.Verdict, cause, next string, within time.Duration) (s reported, ok bool) {
	p.t.Helper()
	for deadline := time.Now().Add(within); ; {
		ctx, cancel := context.WithTimeout(p.t.Context(), scriptPatience)
		out, _ := p.A.Run(ctx, p.program, "status", "--json") // the verdict is its exit status
		cancel()
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			p.t.Fatalf("status: %v\n%s", err, out)
		}
		if s.Verdict == want && strings.Contains(s.Cause, cause) && strings.Contains(s.Next, next) {
			return s, true
		}
		if time.Now().After(deadline) {
			return s, false
		}
	}
}

// restart restarts the daemon of a node.
func (p *thirdHost) restart(m *lab.Member) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), scriptPatience)
	defer cancel()
	if out, err := m.Run(ctx, "sh", "-c", "conntrackd -k; while pidof conntrackd >/dev/null; do sleep 0.1; done; conntrackd -d"); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
}

// What a third host on the sync link sends is told for what it is, and the peer is not
// blamed.
func TestThirdHostOnTheLink(t *testing.T) {
	t.Parallel()
	p := newThirdHost(t)
	a, b, third := p.A.Sync.Addr(), p.B.Sync.Addr(), netip.MustParseAddr("10.0.0.66")
	const only = "let only the peer reach the port (connsync firewall --install)"
	p.status(health.VerdictTwoWay, "", "")

	stop := p.until(func(fd int) error {
		return p.forge(fd, packet(third, a, unix.IPPROTO_UDP, datagram(3780, []byte("garbage"))))
	})
	p.status(health.VerdictLosing, "messages: 10.0.0.66 (hardware address ", only)
	stop()
	p.status(health.VerdictTwoWay, "", "")

	refusal, err := (&icmp.Message{Type: ipv4.ICMPTypeDestinationUnreachable, Code: 3, Body: &icmp.DstUnreach{
		Data: packet(a, b, unix.IPPROTO_UDP, datagram(3780, nil)),
	}}).Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	stop = p.until(func(fd int) error { return p.forge(fd, packet(b, a, unix.IPPROTO_ICMP, refusal)) })
	p.status(health.VerdictTwoWay, "ICMP in the name of 10.0.0.102 refuses what this node did not send, or comes from another host: 10.0.0.102 (hardware address ", only)
	stop()

	// A heartbeat of the future makes the daemon drop all that the peer says, until it
	// is restarted.
	future := uint32(0)
	stop = p.until(func(fd int) error {
		future += 1 << 28
		return p.forge(fd, packet(third, a, unix.IPPROTO_UDP, datagram(3780, binary.BigEndian.AppendUint32([]byte{0x1a, 0x10, 0, 8}, future))))
	})
	p.status(health.VerdictLosing, "10.0.0.66 (hardware address ", only)
	stop()
	// Where the last one was is behind the peer's own number as likely as ahead of it:
	// a quarter of the way round more, as often as it takes.
	for range 4 {
		if _, dropped := p.sees(health.VerdictLosing, "conntrackd drops the peer's messages, ", "restart conntrackd on this node", 45*time.Second); dropped {
			break
		}
		stop = p.until(func(fd int) error {
			return p.forge(fd, packet(third, a, unix.IPPROTO_UDP, datagram(3780, binary.BigEndian.AppendUint32([]byte{0x1a, 0x10, 0, 8}, future+1<<30))))
		})
		p.status(health.VerdictLosing, "10.0.0.66 (hardware address ", only)
		stop()
		future += 1 << 30
	}
	p.status(health.VerdictLosing, "conntrackd drops the peer's messages, ", "restart conntrackd on this node")
	p.restart(p.A)
	p.status(health.VerdictTwoWay, "", "")

	// A greeting makes the daemon take the number that it brings.
	sequence := uint32(0)
	hello := func() []byte {
		sequence += 1 << 30
		return binary.BigEndian.AppendUint32([]byte{0x1a, 0x30, 0, 8}, sequence)
	}
	stop = p.until(func(fd int) error { return p.forge(fd, packet(third, a, unix.IPPROTO_UDP, datagram(3780, hello()))) })
	p.status(health.VerdictLosing, "which conntrackd counts as lost messages: 10.0.0.66 (hardware address ", only)
	stop()

	// Behind the rules that admit the peer alone the same does no harm.
	if err := p.A.WriteFile("/etc/nftables.conf", []byte("flush ruleset\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}\n")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*scriptPatience)
	defer cancel()
	if out, err := p.A.Run(ctx, p.program, "firewall", "--install", "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.restart(p.A)
	p.status(health.VerdictTwoWay, "", "")
	stop = p.until(func(fd int) error { return p.forge(fd, packet(third, a, unix.IPPROTO_UDP, datagram(3780, hello()))) })
	p.status(health.VerdictTwoWay, "on eth1, and this node's firewall keeps it out", "")
	stop()
}

// The peer takes another interface of this node for the owner of Current IP: the sync
// works, and arrives elsewhere.
func TestSyncArrivesByAnotherInterface(t *testing.T) {
	t.Parallel()
	p := newThirdHost(t)
	if err := p.Sync.Plug("second", p.A.Namespace, "eth3", 0); err != nil {
		t.Fatal(err)
	}
	var second net.HardwareAddr
	if err := p.A.Do(func() error {
		i, err := net.InterfaceByName("eth3")
		if err == nil {
			second = i.HardwareAddr
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.must(p.B.Command("ip", "neighbour", "replace", p.A.Sync.Addr().String(), "lladdr", second.String(), "dev", lab.SyncInterface, "nud", "permanent").CombinedOutput())
	p.must(p.A.Command("nft", "insert rule inet filter input iifname eth3 accept").CombinedOutput())
	p.status(health.VerdictTwoWay, "the peer's messages arrive at eth3, not at eth1,", fmt.Sprintf("ip route get %v", p.A.Sync.Addr()))
	out, err := p.A.Run(t.Context(), p.program, "check")
	if err == nil || !strings.Contains(out, "10.0.0.102 answers, and every reply comes in by eth3, not by eth1") {
		t.Errorf("check: %v\n%s", err, out)
	}

	// A rule for the sync interface alone does not admit them.
	p.must(p.A.Command("nft", "insert rule inet filter input iifname eth3 drop").CombinedOutput())
	p.status(health.VerdictSendingOnly, "the peer's messages arrive at eth3, not at eth1, but do not reach conntrackd", "")
}
