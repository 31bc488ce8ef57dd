package netcheck

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/plural"
	"connsync/trust"
)

// eventsSysctl says to which connections the kernel gives the means to report
// changes: 0 to none, 1 to all, 2 to those that begin while someone listens
// (kernel document networking/nf_conntrack-sysctl).
const eventsSysctl = "/proc/sys/net/netfilter/nf_conntrack_events"

// runConntrack asks whether the kernel tracks connections and reports them.
func runConntrack(context.Context) check.Finding {
	tracked, limit, err := trackedConnections()
	switch {
	case errors.Is(err, unix.EPERM):
		return check.Finding{Status: check.Unknown, Err: err, Remedy: trust.NetAdmin.AsRoot(), Detail: "only root with CAP_NET_ADMIN may ask the kernel about tracked connections"}
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT):
		return check.Finding{Status: check.Failed, Err: err, Remedy: "modprobe nf_conntrack_netlink", Detail: "the kernel cannot report tracked connections (nf_conntrack_netlink)"}
	case err != nil:
		return check.CouldNotRun(err)
	}
	text, err := os.ReadFile(eventsSysctl)
	if errors.Is(err, os.ErrNotExist) {
		return check.Finding{Status: check.Failed, Err: err, Remedy: "use a kernel with CONFIG_NF_CONNTRACK_EVENTS",
			Detail: "this kernel was built without connection tracking events"}
	}
	if err != nil {
		return check.CouldNotRun(err)
	}
	return judgeEvents(strings.TrimSpace(string(text)), tracked, limit, hasListener)
}

// judgeEvents weighs the value of eventsSysctl.
func judgeEvents(value string, tracked, limit uint32, listening func() (bool, error)) check.Finding {
	const remedy = "sysctl -w net.netfilter.nf_conntrack_events=1"
	switch value {
	case "0":
		return check.Fail(remedy, "connection tracking events are off (nf_conntrack_events is 0), so no connection is replicated")
	case "1":
	case "2":
		if tracked == 0 {
			break
		}
		some, err := listening()
		if err != nil {
			return check.CouldNotRun(err)
		}
		if !some {
			f := check.Fail(remedy, "nf_conntrack_events is 2 and no daemon listens: the peer will never receive updates for the %s tracked now", plural.Of(tracked, "connection", "connections"))
			f.Mild = true
			return f
		}
	default:
		return check.CouldNotRun(fmt.Errorf("nf_conntrack_events is %q, which is not known here", value))
	}
	if tracked == 0 {
		return check.Pass("the kernel reports connections; it tracks none now; without a firewall rule that uses conntrack it never does")
	}
	return check.Pass("the kernel reports connections; it tracks %d of at most %d", tracked, limit)
}

// trackedConnections asks ctnetlink for the number of entries and their limit.
// The request also makes the kernel load the module that conntrackd needs.
func trackedConnections() (entries, limit uint32, err error) {
	const (
		getStats     = 5 // IPCTNL_MSG_CT_GET_STATS, linux/netfilter/nfnetlink_conntrack.h
		statsEntries = 1 // CTA_STATS_GLOBAL_ENTRIES
		statsLimit   = 2 // CTA_STATS_GLOBAL_MAX_ENTRIES
	)
	// The kernel marks the answer as part of several and sends no end, so only
	// the acknowledgement says that it is whole.
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|getStats, unix.NLM_F_ACK)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	messages, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the number of tracked connections: %w", err)
	}
	for _, m := range messages {
		if len(m) < nl.SizeofNfgenmsg {
			continue
		}
		attrs, err := trust.Message(func() ([]syscall.NetlinkRouteAttr, error) { return nl.ParseRouteAttr(m[nl.SizeofNfgenmsg:]) })
		if err != nil {
			return 0, 0, fmt.Errorf("read the number of tracked connections: %w", err)
		}
		for _, a := range attrs {
			switch {
			case len(a.Value) < 4:
			case a.Attr.Type == statsEntries:
				entries = binary.BigEndian.Uint32(a.Value)
			case a.Attr.Type == statsLimit:
				limit = binary.BigEndian.Uint32(a.Value)
			}
		}
	}
	return entries, limit, nil
}

// hasListener reports whether a process in this network namespace has joined
// the groups of new, updated and destroyed connections. /proc/net/netlink has
// the columns sk, Eth (the protocol), Pid, Groups (a mask), ...
func hasListener() (bool, error) {
	file, err := os.Open("/proc/thread-self/net/netlink")
	if err != nil {
		return false, fmt.Errorf("look for listeners: %w", err)
	}
	defer file.Close()
	const conntrackGroups = 1<<0 | 1<<1 | 1<<2 // NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) < 4 || columns[1] != strconv.Itoa(unix.NETLINK_NETFILTER) {
			continue
		}
		groups, err := strconv.ParseUint(columns[3], 16, 32)
		if err == nil && groups&conntrackGroups != 0 {
			return true, nil
		}
	}
	return false, lines.Err()
}
