package coverage

import (
	"context"
	"net"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// kernel is what is known of the one that runs.
var kernel struct {
	sync.Mutex
	known, tells bool
}

// tellsWritten says whether the kernel tells an entry that a program has written, as
// conntrackd does, from one that a packet began. The kernel gives the former room for the
// numbers of a SYN proxy (ctnetlink_create_conntrack in nf_conntrack_netlink.c), and the
// latter only where it is TCP behind such a proxy. An old kernel, and one that is built
// without SYN proxy, tells nothing. It shows in what the nodes tell each other through the
// table, in the network namespace of the calling thread; where nothing of that is there yet,
// one entry is written in a namespace of its own. False as long as neither can be seen.
func tellsWritten() bool {
	kernel.Lock()
	defer kernel.Unlock()
	if !kernel.known {
		kernel.tells, kernel.known = writtenShow(context.Background(), MessageMark)
	}
	if !kernel.known {
		kernel.tells, kernel.known = tryWriting()
	}
	return kernel.tells
}

// writtenShow says whether the UDP entries with a mark, which programs have written, show
// that; known is false where there are none.
func writtenShow(ctx context.Context, mark uint32) (shows, known bool) {
	err := DumpMarked(ctx, mark, func(e *Entry) {
		if e.Protocol == unix.IPPROTO_UDP {
			shows, known = shows || e.Written, true
		}
	})
	return shows, known && err == nil
}

// tryWriting is writtenShow of an entry that it writes in a namespace of its own.
func tryWriting() (shows, known bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends here, and the namespace with it
		if unix.Unshare(unix.CLONE_NEWNET) == nil && writeMarked() == nil {
			shows, known = writtenShow(context.Background(), MessageMark)
		}
	}()
	<-done
	return shows, known
}

func writeMarked() error {
	one, other := net.IP(testLow.AsSlice()), net.IP(testHigh.AsSlice())
	return netlink.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET, &netlink.ConntrackFlow{
		FamilyType: unix.AF_INET, TimeOut: 60, Mark: MessageMark,
		Forward: netlink.IPTuple{SrcIP: one, DstIP: other, Protocol: unix.IPPROTO_UDP, SrcPort: 1, DstPort: 2},
		Reverse: netlink.IPTuple{SrcIP: other, DstIP: one, Protocol: unix.IPPROTO_UDP, SrcPort: 2, DstPort: 1},
	})
}
