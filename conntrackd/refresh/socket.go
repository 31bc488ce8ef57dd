package refresh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// socket is a netlink socket of the kernel's connection table.
type socket struct {
	fd   int
	port uint32 // what the kernel calls its owner in events
	seq  uint32
	buf  []byte
}

// replyBytes is what the kernel fills at most in one answer of a dump.
const replyBytes = 64 << 10

func openSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open a socket of the connection table: %w", os.NewSyscallError("socket", err))
	}
	s := &socket{fd: fd, buf: make([]byte, replyBytes)}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err == nil {
		var own unix.Sockaddr
		if own, err = unix.Getsockname(fd); err == nil {
			s.port = own.(*unix.SockaddrNetlink).Pid
		}
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("open a socket of the connection table: %w", err)
	}
	return s, nil
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// request begins a message about the connection table; finish sets its length.
func (s *socket) request(to []byte, operation, flags uint16, family uint8) (message []byte, start int) {
	s.seq++
	start = len(to)
	to = binary.NativeEndian.AppendUint32(to, 0)
	to = binary.NativeEndian.AppendUint16(to, unix.NFNL_SUBSYS_CTNETLINK<<8|operation)
	to = binary.NativeEndian.AppendUint16(to, unix.NLM_F_REQUEST|flags)
	to = binary.NativeEndian.AppendUint32(to, s.seq)
	to = binary.NativeEndian.AppendUint32(to, 0)
	return append(to, family, nl.NFNETLINK_V0, 0, 0), start
}

func finish(message []byte, start int) []byte {
	for len(message)%unix.NLMSG_ALIGNTO != 0 {
		message = append(message, 0)
	}
	binary.NativeEndian.PutUint32(message[start:], uint32(len(message)-start))
	return message
}

func (s *socket) send(messages []byte) error {
	return os.NewSyscallError("sendto", unix.Sendto(s.fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// receive passes each message that has come to do, with what follows its
// header. flags are those of recvfrom.
func (s *socket) receive(flags int, do func(kind uint16, body []byte) (more bool, err error)) (more bool, err error) {
	n, _, err := unix.Recvfrom(s.fd, s.buf, flags)
	for errors.Is(err, unix.EINTR) {
		n, _, err = unix.Recvfrom(s.fd, s.buf, flags)
	}
	if err != nil {
		return false, err
	}
	more = true
	for rest := s.buf[:n]; len(rest) >= unix.NLMSG_HDRLEN && more; {
		length := int(binary.NativeEndian.Uint32(rest))
		if length < unix.NLMSG_HDRLEN || length > len(rest) {
			return false, errors.New("a message of the connection table is cut short")
		}
		if more, err = do(binary.NativeEndian.Uint16(rest[4:]), rest[unix.NLMSG_HDRLEN:length]); err != nil {
			return false, err
		}
		rest = rest[min(len(rest), (length+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return more, nil
}

// failure is the error in an NLMSG_ERROR message; nil for an acknowledgement.
func failure(body []byte) error {
	if len(body) < 4 {
		return errors.New("an error of the connection table is cut short")
	}
	if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// dump passes every entry of the table to do, with the time before which the
// kernel has not looked at it. An entry is valid until do returns.
func (s *socket) dump(do func(e entry, since time.Time)) error {
	// The kernel fills an answer when the one before it is taken.
	before, taken := time.Now(), time.Now()
	message, start := s.request(nil, nl.IPCTNL_MSG_CT_GET, unix.NLM_F_DUMP, unix.AF_UNSPEC)
	if err := s.send(finish(message, start)); err != nil {
		return fmt.Errorf("list the connection table: %w", err)
	}
	for more := true; more; {
		var err error
		before, taken = taken, time.Now()
		more, err = s.receive(0, func(kind uint16, body []byte) (bool, error) {
			switch kind {
			case unix.NLMSG_DONE:
				return false, nil
			case unix.NLMSG_ERROR:
				return false, failure(body)
			}
			if e, ok := readEntry(body); ok {
				do(e, before)
			}
			return true, nil
		})
		if err != nil {
			return fmt.Errorf("list the connection table: %w", err)
		}
	}
	return nil
}

// report has the kernel report entries as changed, which changes nothing of
// them: a request without any attribute beside the name of the entry. An entry
// that has ended meanwhile is not made. It returns how many were reported.
func (s *socket) report(names []string) (int, error) {
	var messages []byte
	for _, name := range names {
		var start int
		messages, start = s.request(messages, nl.IPCTNL_MSG_CT_NEW, 0, name[0])
		messages = finish(append(messages, name[1:]...), start)
	}
	if err := s.send(messages); err != nil {
		return 0, fmt.Errorf("have the kernel report connections: %w", err)
	}
	// The kernel has dealt with all of them when the send returns.
	reported := len(names)
	var refused error
	for {
		_, err := s.receive(unix.MSG_DONTWAIT, func(kind uint16, body []byte) (bool, error) {
			if kind == unix.NLMSG_ERROR {
				if err := failure(body); err != nil {
					reported--
					if !errors.Is(err, unix.ENOENT) {
						refused = err
					}
				}
			}
			return true, nil
		})
		switch {
		case errors.Is(err, unix.EAGAIN):
			if refused != nil {
				refused = fmt.Errorf("have the kernel report connections: %w", refused)
			}
			return reported, refused
		case err != nil:
			return reported, fmt.Errorf("have the kernel report connections: %w", err)
		}
	}
}

// listenerBytes hold the reports of some thousand entries.
const listenerBytes = 8 << 20

// listen makes the socket hear of each entry that a program writes into the
// table, as conntrackd does with those of the peer, and not of what packets do
// nor of what the socket but does.
func (s *socket) listen(but *socket) error {
	own := bits.ReverseBytes32(but.port)
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		own = but.port
	}
	const accept = 1 << 18
	// The sender stands at byte 12 of a netlink header, zero for the kernel.
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 12},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 2, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: own},
		{Code: unix.BPF_RET | unix.BPF_K, K: accept},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	if err == nil {
		err = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, listenerBytes)
	}
	for _, group := range []int{unix.NFNLGRP_CONNTRACK_NEW, unix.NFNLGRP_CONNTRACK_UPDATE} {
		if err == nil {
			err = unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
		}
	}
	if err != nil {
		return fmt.Errorf("listen to the connection table: %w", err)
	}
	return nil
}
