package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/trust"
)

// ReadSockets asks the kernel which UDP sockets the process pid has and
// compares them with what s asks for. It looks in the network namespace of the
// calling thread and needs the right to read the process's open files. An error is
// an [conntrackd.ErrCannotLook].
func ReadSockets(pid int, s conntrackd.Settings) (Sockets, error) {
	descriptors, err := socketDescriptors(pid)
	if err != nil {
		return Sockets{}, err
	}
	var found []udpSocket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		sockets, err := udpSockets(family)
		if err != nil {
			return Sockets{}, err
		}
		for _, u := range sockets {
			if fd, ok := descriptors[u.inode]; ok {
				u.descriptor = fd
				found = append(found, u)
			}
		}
	}
	return matchSockets(found, s), nil
}

// matchSockets finds the pair of sockets that conntrackd opens for one link: a
// client on an ephemeral port and right after it a server bound to Current IP, or for
// a group to every address, and Port. Each carries the buffer of its own direction only
// (channel_udp.c, channel_mcast.c).
func matchSockets(found []udpSocket, s conntrackd.Settings) Sockets {
	slices.SortFunc(found, func(a, b udpSocket) int { return a.descriptor - b.descriptor })
	want := netip.AddrPortFrom(boundAt(s), s.Port)
	server := slices.IndexFunc(found, func(u udpSocket) bool { return u.local == want })
	if server < 0 {
		return Sockets{Address: otherAddress(found, s.Port)}
	}
	result := Sockets{
		Bound: true, Address: found[server].local.String(),
		ReceiveBuffer: found[server].receiveBuffer, Drops: uint64(found[server].drops),
	}
	if server > 0 {
		result.SendBuffer = found[server-1].sendBuffer
	}
	return result
}

// otherAddress says where the daemon listens instead: on the right port if
// anywhere, else on an address of its own, else wherever: a socket that only
// sends has no address.
func otherAddress(found []udpSocket, port uint16) string {
	var addresses, unspecified []string
	for _, u := range found {
		switch {
		case u.local.Port() == port:
			return u.local.String()
		case u.local.Addr().IsUnspecified():
			unspecified = append(unspecified, u.local.String())
		default:
			addresses = append(addresses, u.local.String())
		}
	}
	if len(addresses) == 0 {
		addresses = unspecified
	}
	return strings.Join(addresses, ", ")
}

// udpSocket is what sock_diag says of a socket.
type udpSocket struct {
	local                     netip.AddrPort
	inode                     uint32
	descriptor                int
	receiveBuffer, sendBuffer int
	drops                     uint32
}

// diagRequest is struct inet_diag_req_v2 with nothing but family, protocol,
// extension and states set (linux/inet_diag.h).
type diagRequest struct{ family uint8 }

const sizeofDiagRequest = 56

func (r diagRequest) Len() int { return sizeofDiagRequest }

func (r diagRequest) Serialize() []byte {
	b := make([]byte, sizeofDiagRequest)
	b[0] = r.family
	b[1] = unix.IPPROTO_UDP
	b[2] = 1 << (diagMemory - 1)
	binary.NativeEndian.PutUint32(b[4:], 0xffffffff)
	return b
}

const (
	diagMemory  = 7  // INET_DIAG_SKMEMINFO
	sizeofReply = 72 // struct inet_diag_msg
)

func udpSockets(family uint8) ([]udpSocket, error) {
	request := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
	request.AddData(diagRequest{family})
	replies, err := request.Execute(unix.NETLINK_INET_DIAG, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%w: the kernel does not tell its UDP sockets: modprobe udp_diag: %w", conntrackd.ErrCannotLook, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: ask the kernel for its UDP sockets: %w", conntrackd.ErrCannotLook, err)
	}
	var sockets []udpSocket
	for _, reply := range replies {
		u, err := parseSocket(reply)
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, u)
	}
	return sockets, nil
}

// parseSocket reads struct inet_diag_msg and its SKMEMINFO attribute.
func parseSocket(b []byte) (udpSocket, error) {
	return trust.Message(func() (udpSocket, error) { return readSocket(b) })
}

func readSocket(b []byte) (udpSocket, error) {
	if len(b) < sizeofReply {
		return udpSocket{}, fmt.Errorf("%w: socket description of %d bytes", conntrackd.ErrCannotLook, len(b))
	}
	addr := netip.AddrFrom4([4]byte(b[8:12]))
	if b[0] == unix.AF_INET6 {
		addr = netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	}
	u := udpSocket{
		local: netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[4:])),
		inode: binary.NativeEndian.Uint32(b[68:]),
	}
	attributes, err := nl.ParseRouteAttr(b[sizeofReply:])
	if err != nil {
		return udpSocket{}, fmt.Errorf("%w: socket attributes: %w", conntrackd.ErrCannotLook, err)
	}
	for _, a := range attributes {
		// enum sk_meminfo_vars: rmem, rcvbuf, tmem, sndbuf, fwd, queued,
		// optmem, backlog, drops.
		if a.Attr.Type != diagMemory || len(a.Value) < 36 {
			continue
		}
		u.receiveBuffer = int(binary.NativeEndian.Uint32(a.Value[4:]))
		u.sendBuffer = int(binary.NativeEndian.Uint32(a.Value[12:]))
		u.drops = binary.NativeEndian.Uint32(a.Value[32:])
	}
	return u, nil
}

// socketDescriptors returns a process's sockets: descriptors by inode.
func socketDescriptors(pid int) (map[uint32]int, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: open files of process %d: %w", conntrackd.ErrCannotLook, pid, err)
	}
	descriptors := make(map[uint32]int)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		number, ok := strings.CutPrefix(target, "socket:[")
		if !ok {
			continue
		}
		inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32)
		if err != nil {
			continue
		}
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			descriptors[uint32(inode)] = fd
		}
	}
	return descriptors, nil
}
