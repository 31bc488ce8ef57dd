package netcheck

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

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
	more    bool   // there are more than mostPIDs
	late    bool   // the search ended before one was found
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
		nameHolders(ctx, found, t.DaemonPIDs)
	}
	return found, ctx.Err()
}

// holderPatience is how long the processes of a host are searched. Any user can keep the
// port, and any number of files open.
const holderPatience = 5 * time.Second

// mostPIDs is how many processes with one socket are told: a service has a few children.
const mostPIDs = 8

// nameHolders finds the processes that have the sockets open: among those of this node's
// conntrackd, and for a socket that it does not have among all, as long as ctx and
// [holderPatience] allow. With thousands of processes that takes a hundred times as long.
func nameHolders(ctx context.Context, found []holder, daemons []int) {
	ctx, cancel := context.WithTimeout(ctx, holderPatience)
	defer cancel()
	named := map[string]*holder{}
	for i := range found {
		named[fmt.Sprintf("socket:[%d]", found[i].inode)] = &found[i]
	}
	for _, pid := range daemons {
		nameHolder(ctx, named, pid)
	}
	if !slices.ContainsFunc(found, func(h holder) bool { return len(h.pids) == 0 }) {
		return
	}
	eachName(ctx, "/proc", func(name string) {
		if pid, err := strconv.Atoi(name); err == nil && !slices.Contains(daemons, pid) {
			nameHolder(ctx, named, pid)
		}
	})
	for i := range found {
		none := len(found[i].pids) == 0
		found[i].hidden, found[i].late = none && os.Geteuid() != 0, none && ctx.Err() != nil
	}
}

// nameHolder adds a process to the holders of what it has open.
func nameHolder(ctx context.Context, named map[string]*holder, pid int) {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	eachName(ctx, dir, func(name string) {
		target, err := os.Readlink(dir + name)
		h := named[target]
		if err != nil || h == nil || slices.Contains(h.pids, pid) {
			return // closed meanwhile, not ours to see, or another file
		}
		if len(h.pids) == mostPIDs {
			h.more = true
			return
		}
		if len(h.pids) == 0 {
			h.command, h.unit = processName(pid), trust.OtherService(pid)
		}
		h.pids = append(h.pids, pid)
	})
}

// eachName calls do for the names in a directory, of which it never holds more than some.
// It ends with ctx.
func eachName(ctx context.Context, path string, do func(name string)) {
	dir, err := os.Open(path)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			if ctx.Err() != nil {
				return
			}
			do(name)
		}
		if err != nil || len(names) == 0 {
			return
		}
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
