package conntrackd

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// absence watches the control socket while the daemon is restarted: what
// changes between the last answer of the old daemon and the first one of the
// new is seen by neither.
type absence struct {
	stop context.CancelFunc
	done chan struct{}

	last time.Time     // answer of the old daemon
	gap  time.Duration // zero until the new one has answered
}

// absencePoll is how exact the gap is measured. An answer takes the daemon a
// tenth of a millisecond.
const absencePoll = 5 * time.Millisecond

// watchAbsence begins to watch; the daemon may have another socket afterwards.
// back is called as soon as the new one answers.
func watchAbsence(before, after string, back func()) *absence {
	ctx, stop := context.WithCancel(context.Background())
	a := &absence{stop: stop, done: make(chan struct{})}
	paths := []string{after}
	if before != "" && before != after {
		paths = append(paths, before)
	}
	old, _ := answering(ctx, paths[len(paths)-1]) // zero where nobody answers, and nothing is measured then
	a.last = time.Now()
	go func() {
		defer close(a.done)
		if old != 0 {
			a.watch(ctx, old, paths, back)
		}
	}()
	return a
}

func (a *absence) watch(ctx context.Context, old int, paths []string, back func()) {
	tick := time.NewTicker(absencePoll)
	defer tick.Stop()
	for {
		for _, path := range paths {
			switch pid, at := answering(ctx, path); pid {
			case 0:
			case old:
				a.last = at
			default:
				a.gap = at.Sub(a.last)
				back()
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// end ends the watch and returns how long no daemon answered; ok is false where that was not seen.
func (a *absence) end() (gap time.Duration, ok bool) {
	a.stop()
	<-a.done
	return a.gap, a.gap > 0
}

// answering returns the process that opened a control socket, and when it has
// answered there; zero when it does not.
func answering(ctx context.Context, path string) (pid int, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, statisticsTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return 0, at
	}
	defer conn.Close()
	// At once, see Client.call.
	if _, err := conn.Write(binary.NativeEndian.AppendUint32(nil, uint32(requestRuntime))); err != nil {
		return 0, at
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	reply, err := io.ReadAll(io.LimitReader(conn, maxReply))
	if err != nil || len(reply) == 0 {
		return 0, at
	}
	at = time.Now()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, at
	}
	err = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	if err != nil {
		return 0, at
	}
	return pid, at
}

// gapText is a gap in words.
func gapText(gap time.Duration) string {
	return fmt.Sprintf("conntrackd was away for %.2f s", gap.Seconds())
}
