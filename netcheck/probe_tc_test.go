package netcheck

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/tc"
)

// What is attached to the interface may take the datagrams where no rule sees it. Each
// verdict is compared with what becomes of datagrams.
func TestTrafficControl(t *testing.T) {
	t.Parallel()
	const hooked = "tc qdisc add dev eth1 clsact; tc filter add dev eth1 "
	const shaped = "tc qdisc add dev eth1 root handle 1: htb; tc class add dev eth1 parent 1: classid 1:1 htb rate 1mbit; tc class add dev eth1 parent 1:1 classid 1:2 htb rate 1mbit; tc filter add dev eth1 parent "
	port := map[int]string{4: "ip dport 3780 0xffff", 6: "ip6 dport 3780 0xffff"}
	for _, tt := range []struct {
		name, do string
		passes   string
		status   check.Status
		detail   string
	}{
		{"a filter out", hooked + "egress protocol all u32 match PORT action mirred egress redirect dev other", "in", check.Unknown, "come out on eth1: a filter of tc"},
		{"a filter in", hooked + "ingress protocol all u32 match PORT action mirred egress redirect dev other", "out", check.Unknown, "come in on eth1: a filter of tc"},
		{"a filter for another port", hooked + "egress protocol FAMILY u32 match OTHER action mirred egress redirect dev other", "in and out", check.Passed, ""},
		{"a filter for another protocol", hooked + "egress protocol 0x88cc u32 match u32 0 0 action mirred egress redirect dev other", "in and out", check.Passed, ""},
		{"a filter that copies", hooked + "egress protocol all u32 match PORT action mirred egress mirror dev other", "in and out", check.Passed, ""},
		{"a filter without an action", hooked + "egress protocol all u32 match PORT flowid 1:1", "in and out", check.Passed, ""},
		{"a program in a filter", hooked + "ingress bpf da bytecode '1,6 0 0 2'", "not at all", check.Unknown, "come in on eth1: a filter of tc"},
		{"a program that chooses a class", hooked + "ingress bpf bytecode '1,6 0 0 2'", "in and out", check.Passed, ""},
		{"a queue that drops", "tc qdisc add dev eth1 root blackhole", "not at all", check.Failed, "its discipline is blackhole"},
		{"a queue", "tc qdisc add dev eth1 root tbf rate 10mbit burst 16kb latency 50ms", "in and out", check.Passed, ""},
		{"a filter of a queue", shaped + "1: protocol all u32 match PORT action mirred egress redirect dev other", "in", check.Unknown, "come out on eth1: a filter of tc"},
		{"a filter of a class", shaped + "1: protocol all u32 match PORT flowid 1:1; tc filter add dev eth1 parent 1:1 protocol all u32 match PORT action mirred egress redirect dev other", "in", check.Unknown, "come out on eth1: a filter of tc"},
		{"a filter that chooses a class", shaped + "1: protocol all u32 match PORT flowid 1:2", "in and out", check.Passed, ""},
		{"on the port of a bridge", "ip address flush dev eth1; ip link add sync0 type bridge; ip link set eth1 master sync0; ip link set sync0 up; " + hooked + "ingress bpf da bytecode '1,6 0 0 2'", "not at all", check.Unknown, "come in on eth1: a filter of tc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
				match := port[target.Family()]
				words := strings.NewReplacer("FAMILY", map[int]string{4: "ip", 6: "ipv6"}[target.Family()], "PORT", match, "OTHER", map[int]string{4: "ip dport 3781 0xffff", 6: "ip6 protocol 17 0xff match ip6 dport 3781 0xffff"}[target.Family()])
				n.run(n.own, "sh", "-ec", "ip link add other type veth peer name away; ip link set other up; ip link set away up; "+words.Replace(tt.do))
				if strings.Contains(tt.do, "sync0") {
					target.Interface = "sync0"
					n.address(n.own, "sync0", target.Current.String())
					n.settle(n.own)
				}
				within := quick
				if tt.passes == "in and out" {
					within = surely
				}
				if got := n.passes(target, within); got != tt.passes {
					t.Errorf("datagrams pass %s, want %s", got, tt.passes)
				}
				asks := tc.Beside(target.Flow, target.Flow.Check)
				f := n.ask(t, asks)
				if f.Status != tt.status || !strings.Contains(f.Detail, tt.detail) {
					t.Errorf("%v: %s", f.Status, f.Detail)
				}
				if f.Status != check.Failed {
					return
				}
				n.run(n.own, "sh", "-c", f.Remedy)
				if got, f := n.passes(target, surely), n.ask(t, asks); got != "in and out" || f.Status != check.Passed {
					t.Errorf("after the remedy datagrams pass %s, %v: %s", got, f.Status, f.Detail)
				}
			})
		})
	}
}

// Programs of BPF are attached to the interface itself, too.
func TestPrograms(t *testing.T) {
	t.Parallel()
	const schedCls, xdp, drop, tcxIngress, tcxEgress = 3, 6, 2, 46, 47
	attach := func(where uint32) func(int, int) error {
		return func(index, program int) error {
			about := struct{ index, program, where, flags, _, _, _, _ uint32 }{index: uint32(index), program: uint32(program), where: where}
			_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&about)), unsafe.Sizeof(about))
			if errno != 0 {
				return errno
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name   string
		kind   uint32
		result uint32
		attach func(index, program int) error
		detail string
	}{
		{"XDP", xdp, 1, func(index, program int) error {
			link, err := netlink.LinkByIndex(index)
			if err != nil {
				return err
			}
			return netlink.LinkSetXdpFd(link, program)
		}, "come in on eth1: an XDP program"},
		{"tc in", schedCls, drop, attach(tcxIngress), "come in on eth1: a program of tc"},
		{"tc out", schedCls, drop, attach(tcxEgress), "come out on eth1: a program of tc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 0)
			target := n.families[4]
			err := n.own.Do(func() error {
				link, err := netlink.LinkByName("eth1")
				if err != nil {
					return err
				}
				program, err := loaded(tt.kind, tt.result)
				if err != nil {
					return err
				}
				defer unix.Close(program)
				return tt.attach(link.Attrs().Index, program)
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := n.passes(target, quick); got != "not at all" {
				t.Errorf("datagrams pass %s", got)
			}
			if r := n.one(n.own, question{Target: target, ID: CheckFirewall}); r.Status != check.Unknown || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("%v: %s", r.Status, r.Detail)
			}
		})
	}
}

// loaded is a program that always gives the same result.
func loaded(kind, result uint32) (int, error) {
	instructions := [2]uint64{0xb7 | uint64(result)<<32, 0x95} // r0 = result; exit
	license := [4]byte{'G', 'P', 'L'}
	about := struct {
		kind, count          uint32
		instructions, rights unsafe.Pointer
		_                    [12]uint64
	}{kind: kind, count: 2, instructions: unsafe.Pointer(&instructions), rights: unsafe.Pointer(&license)}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&about)), unsafe.Sizeof(about))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}
