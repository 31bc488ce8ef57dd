package control

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Tables are what a running daemon holds, in one reading.
type Tables struct {
	Direct   bool      // the peer's states are written to the kernel at once
	Bypass   bool      // there is no internal cache (NOTRACK with DisableInternalCache)
	Internal uint64    // states of this node
	External uint64    // states of the peer
	Injected uint64    // states of the peer written into the kernel since the start, news and updates
	Removed  uint64    // states of the peer removed from the kernel since the start
	Resyncs  uint64    // times that the kernel's table was read
	Link     LinkStats // the active one
}

// PeersAtMost is how many of the peer's states are in the kernel at most.
func (t Tables) PeersAtMost() uint64 { return t.Injected - min(t.Injected, t.Removed) }

// Tables reads the daemon's caches and its active link. The error is an
// [ErrStatsMode] where the daemon does not sync.
func (c *Client) Tables(ctx context.Context) (Tables, error) {
	cache, err := c.statistics(ctx, RequestCache)
	if err != nil {
		return Tables{}, err
	}
	t, err := parseTables(cache)
	if err != nil {
		return Tables{}, err
	}
	text, err := c.statistics(ctx, RequestRuntime)
	if err != nil {
		return Tables{}, err
	}
	if t.Resyncs, err = find(report(text), "", "resync with kernel table"); err != nil {
		return Tables{}, err
	}
	links, err := c.Links(ctx)
	if err != nil {
		return Tables{}, err
	}
	t.Link = links[0]
	for _, l := range links {
		if l.Active {
			t.Link = l
		}
	}
	return t, nil
}

func parseTables(text string) (Tables, error) {
	stats, err := parseCache(text)
	if err != nil {
		return Tables{}, err
	}
	return Tables{
		Internal: stats.Internal, External: stats.External, Injected: stats.Injected, Removed: stats.Removed,
		Direct: stats.Direct, Bypass: strings.Contains(text, "internal bypass:"),
	}, nil
}

// Expectations returns how many of the peer's expectations are in the external
// cache (conntrackd -s expect). It is zero where none are synchronised, and where they
// go straight into the kernel.
func (c *Client) Expectations(ctx context.Context) (external uint64, err error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = statisticsTimeout
	}
	reply, err := c.call(ctx, RequestExpectations, timeout)
	if err != nil || !strings.Contains(string(reply), "cache external:") {
		return 0, err
	}
	return find(report(string(reply)), "cache external", "current active connections")
}

// AnsweringProcess returns the process that opened a control socket; zero when it does
// not answer there.
func AnsweringProcess(ctx context.Context, path string) (pid int) {
	ctx, cancel := context.WithTimeout(ctx, statisticsTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return 0
	}
	defer conn.Close()
	// At once, see Client.call.
	if _, err := conn.Write(binary.NativeEndian.AppendUint32(nil, uint32(RequestRuntime))); err != nil {
		return 0
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	reply, err := io.ReadAll(io.LimitReader(conn, maxReply))
	if err != nil || len(reply) == 0 {
		return 0
	}
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}
