package netcheck

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// settle is how long Watch waits after a change for more of them:
	// interfaces come up in bursts.
	settle = 200 * time.Millisecond
	// dutyCycle keeps Watch off the processor where routes change all the
	// time and a dump is long: it rests that many times as long as it works.
	dutyCycle = 10
	// retryPause is the wait after the kernel refused to be asked.
	retryPause = time.Second
)

// Watch sends the list of [Interfaces] at once, and again whenever it has
// changed, at most every 200 ms. A receiver that is slow finds the newest list
// only. Lost notifications and refused dumps delay a list and lose none. The
// channel is closed when ctx ends.
//
// It watches the network namespace that the process is in.
func Watch(ctx context.Context) (<-chan []Interface, error) {
	socket, err := openNotifications()
	if err != nil {
		return nil, err
	}
	first, err := Interfaces(ctx)
	if err != nil {
		socket.Close()
		return nil, err
	}
	out := make(chan []Interface, 1)
	out <- first
	go watch(ctx, socket, first, out)
	return out, nil
}

// watch owns socket and out and closes both.
func watch(ctx context.Context, socket *os.File, last []Interface, out chan []Interface) {
	defer close(out)
	defer func() { socket.Close() }()
	var err error
	for {
		if err == nil {
			err = waitChange(ctx, socket)
		}
		if err == nil {
			if !pause(ctx, settle) {
				return
			}
			// What was told meanwhile is in the list that comes now.
			drain(socket)
		} else {
			// A socket that fails, or a list that was refused: what was told
			// meanwhile may be lost, so open again and ask without being told.
			if !pause(ctx, retryPause) {
				return
			}
			if again, openErr := openNotifications(); openErr == nil {
				socket.Close()
				socket = again
			}
		}
		begin := time.Now()
		var list []Interface
		if list, err = Interfaces(ctx); err != nil {
			continue
		}
		if !reflect.DeepEqual(list, last) {
			last = list
			replace(out, list)
		}
		if !pause(ctx, dutyCycle*time.Since(begin)-settle) {
			return
		}
	}
}

// replace puts list into out, instead of the one nobody has taken. There is no
// other sender.
func replace(out chan []Interface, list []Interface) {
	select {
	case <-out:
	default:
	}
	out <- list
}

// pause waits; it reports false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// openNotifications subscribes to what can change the list of interfaces.
func openNotifications() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "rtnetlink")
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		socket.Close()
		return nil, fmt.Errorf("bind rtnetlink socket: %w", err)
	}
	for _, group := range []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			socket.Close()
			return nil, fmt.Errorf("join rtnetlink group %d: %w", group, err)
		}
	}
	return socket, nil
}

// waitChange returns nil after the kernel has told of a change, or has told
// more than the socket could hold (ENOBUFS), which is a change too.
func waitChange(ctx context.Context, socket *os.File) error {
	conn, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		told, err := receiveAll(int(fd))
		failed = err
		return told || err != nil
	})
	if err != nil {
		return err
	}
	return failed
}

// drain forgets what the kernel has told.
func drain(socket *os.File) {
	if conn, err := socket.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { receiveAll(int(fd)) })
	}
}

// receiveAll empties the socket and reports whether there was something. What
// the messages say does not matter: the list is read again.
func receiveAll(fd int) (told bool, err error) {
	var message [1]byte
	for {
		_, _, err := unix.Recvfrom(fd, message[:], unix.MSG_DONTWAIT)
		switch err {
		case nil, unix.ENOBUFS:
			told = true
		case unix.EINTR:
		case unix.EAGAIN:
			return told, nil
		default:
			return told, fmt.Errorf("read rtnetlink socket: %w", err)
		}
	}
}
