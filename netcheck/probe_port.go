package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/trust"
)

// runPortFree asks whether conntrackd can have the port where it would bind it.
func runPortFree(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		err := tryBind(ctx, t)
		switch {
		case err == nil:
			return check.Pass("UDP port %d is free at %s", t.Port, t.BindsWords())
		case !errors.Is(err, unix.EADDRINUSE):
			return judgeBind(t, err)
		}
		found, err := holders(ctx, t)
		return judgeHolders(t, found, err)
	}
}

// tryBind binds a socket as conntrackd would and closes it. It does not set
// SO_REUSEADDR, as Go does not for UDP: a socket that did would be given the
// port of a running conntrackd, and its datagrams.
func tryBind(ctx context.Context, t Target) error {
	addr := t.Binds()
	if addr.Is6() && addr.IsLinkLocalUnicast() {
		addr = addr.WithZone(t.Interface)
	}
	network := "udp4"
	if addr.Is6() {
		network = "udp" // of both families where it is every address, as conntrackd's
	}
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, network, netip.AddrPortFrom(addr, t.Port).String())
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return conn.Close()
}

// judgeBind is for a bind that failed for another reason than a holder.
func judgeBind(t Target, err error) check.Finding {
	addr := t.Current.Addr().Unmap()
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return check.Finding{Status: check.Failed, Err: err, Remedy: t.ip("address add %v dev %s", prefixOn(Interface{}, t.Current), t.Interface),
			Detail: fmt.Sprintf("%v is not an address of this host, so nothing can listen on it", addr)}
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return check.Finding{Status: check.Unknown, Err: err, Remedy: trust.NetBind.AsRoot(),
			Detail: fmt.Sprintf("only root with CAP_NET_BIND_SERVICE may try UDP port %d", t.Port)}
	}
	return check.CouldNotRun(err)
}

// judgeHolders weighs who holds the port; a child that conntrackd forks for a dump has it too.
func judgeHolders(t Target, found []holder, err error) check.Finding {
	at := netip.AddrPortFrom(t.Binds(), t.Port)
	const other = "or Port: another one, on both nodes"
	var ours, others []holder
	for _, h := range found {
		if slices.ContainsFunc(h.pids, func(pid int) bool { return slices.Contains(t.DaemonPIDs, pid) }) {
			ours = append(ours, h)
		} else {
			others = append(others, h)
		}
	}
	switch {
	case err != nil:
		return check.Finding{Status: check.Failed, Err: err, Remedy: fmt.Sprintf("ss -ulpn 'sport = :%d' shows the process; stop it, %s", t.Port, other),
			Detail: fmt.Sprintf("UDP port %d is in use at %v; the process that holds it could not be found: %v", t.Port, at.Addr(), err)}
	case len(others) == 0 && len(ours) > 0:
		return check.Pass("UDP port %d is held by this node's conntrackd (process %s)", t.Port, pidList(t.DaemonPIDs))
	case len(others) == 0:
		return check.Fail(fmt.Sprintf("ss -uanp shows all sockets; stop the one with port %d, %s", t.Port, other),
			"UDP port %d is in use at %v, but no socket that holds it can be seen", t.Port, at.Addr())
	}
	h := others[0]
	if !slices.ContainsFunc(others, func(h holder) bool { return !h.hidden }) {
		return check.Finding{Status: check.Unknown, Remedy: trust.Ptrace.AsRoot(),
			Detail: fmt.Sprintf("UDP port %d is held at %s; only root with CAP_SYS_PTRACE can see whether the holder is this node's conntrackd", t.Port, h.where())}
	}
	detail := fmt.Sprintf("UDP port %d is held at %s by %s", t.Port, h.where(), h.who())
	if h.command == "conntrackd" {
		detail = fmt.Sprintf("a second conntrackd, %s, holds UDP port %d at %s; two share the port without complaint and take each other's messages", h.who(), t.Port, h.where())
	}
	return check.Fail(h.stop()+", "+other, "%s", detail)
}

// where is the address that a socket is bound to, in words.
func (h holder) where() string {
	if h.addr.IsUnspecified() {
		return fmt.Sprintf("every address (%v)", h.addr)
	}
	return h.addr.String()
}

// who names the process.
func (h holder) who() string {
	switch {
	case h.late:
		return fmt.Sprintf("a socket (inode %d) whose process was not found in %v among the open files of all processes", h.inode, holderPatience)
	case len(h.pids) == 0:
		return fmt.Sprintf("a socket (inode %d) of a process that cannot be seen from here", h.inode)
	case h.unit != "":
		return fmt.Sprintf("%s (process %s, %s)", h.command, h.processes(), h.unit)
	}
	return fmt.Sprintf("%s (process %s)", h.command, h.processes())
}

func (h holder) processes() string {
	if h.more {
		return pidList(h.pids) + " and more"
	}
	return pidList(h.pids)
}

// stop is the command that ends the holder.
func (h holder) stop() string {
	switch {
	case len(h.pids) == 0:
		return fmt.Sprintf("ss -uanpe | grep ino:%d shows the socket; end its process", h.inode)
	case h.unit != "":
		return "systemctl stop " + h.unit
	}
	return "ps -o pid,ppid,args -p " + strings.ReplaceAll(pidList(h.pids), " ", "") + " shows what started it; have that stop it"
}

func pidList(pids []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(pids)), ", "), "[]")
}
