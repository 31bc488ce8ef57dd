package netcheck

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/dump"
	"connsync/trust"
)

// holder is a UDP socket that holds the port.
type holder struct {
	addr  netip.Addr // the wildcard address for all
	inode uint32
	// pids are the processes that have it open; none when they cannot be seen,
	// for lack of rights or because they are in another container.
	pids    []int
	command string // of the first one
	unit    string // systemd's service of the first one, if it is in one
	// hidden says that only root can see the processes.
	hidden bool
}

// holders finds the sockets that hold Port where conntrackd would have it, in the
// network namespace of the calling thread.
func holders(ctx context.Context, t Target) ([]holder, error) {
	at := t.Binds()
	var index uint32
	if link, err := netlink.LinkByName(t.Interface); err == nil {
		index = uint32(link.Attrs().Index)
	}
	var found []holder
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		sockets, err := dump.All(ctx, func() ([]*netlink.Socket, error) { return netlink.SocketDiagUDP(family) })
		if err != nil {
			return nil, fmt.Errorf("list UDP sockets: %w", err)
		}
		for _, s := range sockets {
			addr, ok := netip.AddrFromSlice(s.ID.Source)
			if family == unix.AF_INET {
				addr = addr.Unmap()
			}
			if !ok || s.ID.SourcePort != t.Port || s.ID.Interface != 0 && s.ID.Interface != index {
				continue
			}
			// The IPv6 wildcard takes IPv4 datagrams too, the IPv4 one no IPv6.
			wildcard := addr.IsUnspecified() && (addr.Is6() || at.Is4())
			if addr.Unmap() == at || wildcard || at.IsUnspecified() && (addr.Is4() || at.Is6()) {
				found = append(found, holder{addr: addr, inode: s.INode})
			}
		}
	}
	if len(found) > 0 {
		nameHolders(found)
	}
	return found, ctx.Err()
}

// nameHolders finds the processes that have the sockets open.
func nameHolders(found []holder) {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return
	}
	for _, link := range links {
		name, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(name, "socket:") {
			continue // closed meanwhile, or not ours to see
		}
		for i := range found {
			h := &found[i]
			if name != fmt.Sprintf("socket:[%d]", h.inode) {
				continue
			}
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			if err != nil || slices.Contains(h.pids, pid) {
				continue
			}
			if len(h.pids) == 0 {
				h.command, h.unit = processName(pid), trust.OtherService(pid)
			}
			h.pids = append(h.pids, pid)
		}
	}
	for i := range found {
		found[i].hidden = len(found[i].pids) == 0 && os.Geteuid() != 0
	}
}

// processName is the command name of a process, as it is.
func processName(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "a process"
	}
	return strings.TrimSuffix(string(b), "\n")
}
