package coverage

import (
	"context"
	"net"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tellsWritten says whether the kernel tells an entry that a program has written, as
// conntrackd does, from one that a packet began. The kernel gives the former room for the
// numbers of a SYN proxy (ctnetlink_create_conntrack in nf_conntrack_netlink.c), and the
// latter only where it is TCP behind such a proxy. An old kernel,
// and one that is built without SYN proxy, tells nothing: so one entry is written in a
// network namespace of its own, and looked at. False also where that cannot be made.
var tellsWritten = sync.OnceValue(func() bool {
	told := make(chan bool)
	go func() {
		runtime.LockOSThread() // for good: the thread ends here, and the namespace with it
		told <- unix.Unshare(unix.CLONE_NEWNET) == nil && writeAndLook()
	}()
	return <-told
})

// writeAndLook writes an entry and says whether the kernel tells so of all in the table.
func writeAndLook() bool {
	one, other := net.IP(testLow.AsSlice()), net.IP(testHigh.AsSlice())
	err := netlink.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET, &netlink.ConntrackFlow{
		FamilyType: unix.AF_INET, TimeOut: 60,
		Forward: netlink.IPTuple{SrcIP: one, DstIP: other, Protocol: unix.IPPROTO_UDP, SrcPort: 1, DstPort: 2},
		Reverse: netlink.IPTuple{SrcIP: other, DstIP: one, Protocol: unix.IPPROTO_UDP, SrcPort: 2, DstPort: 1},
	})
	written, others := 0, 0
	if err == nil {
		err = Dump(context.Background(), func(e *Entry) {
			if e.Written {
				written++
			} else {
				others++
			}
		})
	}
	return err == nil && written > 0 && others == 0
}
