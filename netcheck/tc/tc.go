// Package tc asks whether something takes the sync datagrams where no rule of a firewall
// sees it: a program of XDP, a filter or a program of tc, a queue that loses what it gets.
package tc

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/dump"
	"connsync/netcheck/firewall"
)

// Beside asks after a firewall that lets the sync through whether what is attached to the
// interface, and to what is below it, does, too. What may take it makes that unknown; a
// program's own mind is not read. What belongs to a control group is not seen.
func Beside(f firewall.Flow, rules func(context.Context) check.Finding) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		found := rules(ctx)
		if found.Status != check.Passed {
			return found
		}
		for i, l := range append([]firewall.Flow{f}, f.Spares...) {
			devices, err := firewall.Below(ctx, l.Interface)
			if missing := (netlink.LinkNotFoundError{}); i > 0 && errors.As(err, &missing) {
				continue
			}
			for _, d := range devices {
				if err == nil && found.Status == check.Passed {
					found, err = device(ctx, found, l, d)
				}
			}
			if err != nil {
				return check.Finding{Status: check.Unknown, Err: err, Remedy: "tc qdisc show; ip link show", Detail: "what is attached to the interface could not be read: " + err.Error()}
			}
		}
		return found
	}
}

// device is found where nothing at an interface takes the sync.
func device(ctx context.Context, found check.Finding, f firewall.Flow, link netlink.Link) (check.Finding, error) {
	name := link.Attrs().Name
	unknown := func(direction, what, remedy string) (check.Finding, error) {
		return check.Finding{Status: check.Unknown, Remedy: remedy, Detail: fmt.Sprintf("could not check whether the sync datagrams come %s on %s: %s may take them", direction, name, what)}, nil
	}
	if xdp := link.Attrs().Xdp; xdp != nil && xdp.Attached {
		return unknown("in", "an XDP program", "ip link show dev "+name)
	}
	for _, hook := range []struct {
		direction, name string
		parent          uint32
		programs        uint32 // where programs are attached without filters (linux/bpf.h)
	}{
		{"in", "ingress", netlink.HANDLE_MIN_INGRESS, 46}, // BPF_TCX_INGRESS
		{"out", "egress", netlink.HANDLE_MIN_EGRESS, 47},  // BPF_TCX_EGRESS
	} {
		filters, err := dump.All(ctx, func() ([]filter, error) { return list(link.Attrs().Index, hook.parent) })
		if err != nil {
			return found, fmt.Errorf("list the filters at the %s of %s: %w", hook.name, name, err)
		}
		for _, one := range filters {
			if one.mayTake(packetsOf(f, hook.direction == "in")) {
				return unknown(hook.direction, "a filter of tc", fmt.Sprintf("tc filter show dev %s %s", name, hook.name))
			}
		}
		if attached(link.Attrs().Index, hook.programs) {
			return unknown(hook.direction, "a program of tc", "bpftool net show dev "+name)
		}
	}
	queues, err := dump.All(ctx, func() ([]netlink.Qdisc, error) { return netlink.QdiscList(link) })
	for _, q := range queues {
		remedy := fmt.Sprintf("tc qdisc del dev %s root", name)
		switch {
		case q.Type() == "blackhole" && q.Attrs().Parent == netlink.HANDLE_ROOT:
			return check.Fail(remedy, "the queue of %s drops what goes out: its discipline is blackhole", name), nil
		case q.Type() == "blackhole" || q.Type() == "netem":
			return unknown("out", "a queue of the discipline "+q.Type(), "tc qdisc show dev "+name)
		}
	}
	if err != nil || len(queues) == 0 {
		return found, err
	}
	classes, err := dump.All(ctx, func() ([]netlink.Class, error) { return netlink.ClassList(link, 0) })
	for _, parent := range parents(queues, classes) {
		filters, err := dump.All(ctx, func() ([]filter, error) { return list(link.Attrs().Index, parent) })
		if err != nil {
			return found, fmt.Errorf("list the filters of the queues of %s: %w", name, err)
		}
		for _, one := range filters {
			if one.mayTake(packetsOf(f, false)) {
				return unknown("out", "a filter of tc", fmt.Sprintf("tc filter show dev %s parent %s", name, netlink.HandleStr(parent)))
			}
		}
	}
	return found, err
}

// parents are the queues, and the classes of them, that may have filters.
func parents(queues []netlink.Qdisc, classes []netlink.Class) (all []uint32) {
	for _, q := range queues {
		if q.Attrs().Handle != 0 && q.Attrs().Parent != netlink.HANDLE_INGRESS { // whose filters are those of the hooks
			all = append(all, q.Attrs().Handle)
		}
	}
	for _, c := range classes {
		all = append(all, c.Attrs().Handle)
	}
	return all
}

// attached says whether programs of tc are attached to a device in the way of newer
// kernels, which has no filters. Older kernels have none, and some containers may not ask.
func attached(index int, where uint32) bool {
	const query = 16 // BPF_PROG_QUERY
	about := struct {
		device, where, flags, attached uint32
		ids                            uint64
		count, _                       uint32
		more                           [4]uint64
	}{device: uint32(index), where: where}
	_, _, errno := unix.Syscall(unix.SYS_BPF, query, uintptr(unsafe.Pointer(&about)), unsafe.Sizeof(about))
	return (errno == 0 || errno == unix.ENOSPC) && about.count > 0
}
