package control

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Errors of the control socket that a caller branches on.
var (
	// ErrNotListening means that nobody listens on the control socket: the
	// daemon does not run, or has another UNIX Path.
	ErrNotListening = errors.New("no conntrackd listens there")
	// ErrStatsMode means that the daemon runs without a Sync section; it
	// answers every question about the sync with nothing.
	ErrStatsMode = errors.New("conntrackd runs in Stats mode, not in Sync mode")
	// ErrReply means that what answers on the control socket does not speak
	// as conntrackd does.
	ErrReply = errors.New("not a reply of conntrackd")
)

// silence is a [context.DeadlineExceeded] in plain words: the daemon did not
// answer in that time.
type silence time.Duration

func (s silence) Error() string { return fmt.Sprintf("no answer within %v", time.Duration(s)) }

func (silence) Is(target error) bool { return target == context.DeadlineExceeded }

// Request is what a client asks of the daemon: the code that it sends first
// (include/conntrackd.h). The exported ones are for tests that answer as a daemon.
type Request int32

const (
	requestDumpInternal   Request = 16
	requestDumpExternal   Request = 17
	requestSummary        Request = 21
	RequestSendBulk       Request = 22 // see [Client.SendBulk]
	RequestResync         Request = 23 // see [Client.RequestResync]
	RequestResetTimers    Request = 26 // see [Client.ResetTimers]
	requestNetwork        Request = 28
	RequestCache          Request = 29 // see [Client.Cache]
	RequestRuntime        Request = 30 // see [Client.Runtime]
	RequestLink           Request = 31 // see [Client.Links]
	RequestFlushInternal  Request = 33 // see [Client.FlushInternal]
	requestQueue          Request = 36
	RequestExpectations   Request = 37 // see [Client.Expectations]
	RequestResyncMaster   Request = 44 // see [Client.ResyncKernel]
	RequestFlushCaches    Request = 45 // see [Client.FlushCaches]
	RequestCommitExternal Request = 46 // see [Client.Commit]
)

const (
	// A statistics request takes the daemon 0.1 ms; a daemon that needs longer
	// than this is stopped or stuck.
	statisticsTimeout = 2 * time.Second
	// Committing 100,000 states takes 0.8 s.
	commandTimeout = 30 * time.Second
	// The longest reply to any request sent here is under 4 KiB.
	maxReply = 1 << 20
)

// Client talks to a daemon through its control socket (UNIX { Path }). Each
// call is a connection of its own and is safe for concurrent use. The daemon
// serves the socket from the same loop that syncs, so the client writes its
// request at once, reads the reply fast and never stays connected in silence.
//
// The errors are [ErrNotListening], [ErrStatsMode], [ErrReply], those of ctx and
// [context.DeadlineExceeded] where the daemon does not answer in time.
type Client struct {
	Path string // of the socket
	// Timeout bounds a call that only reads; zero means two seconds. The others may
	// take 30 seconds.
	Timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewClient returns a client of the daemon whose control socket is at path.
func NewClient(path string) *Client {
	return &Client{Path: path}
}

// call sends one request and returns the whole reply, which may be empty.
func (c *Client) call(ctx context.Context, r Request, timeout time.Duration) (reply []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("ask conntrackd at %s: %w", c.Path, err)
		}
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, silence(timeout))
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()

	// Before anything else: from the accept until this arrives the daemon
	// stands still (local.c reads in blocking mode).
	_, err = conn.Write(binary.NativeEndian.AppendUint32(nil, uint32(r)))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	reply, err = io.ReadAll(io.LimitReader(conn, maxReply+1))
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case len(reply) > maxReply:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrReply, maxReply)
	}
	return reply, nil
}

func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dial := c.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "unix", c.Path)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK):
		return nil, fmt.Errorf("%w: %w", ErrNotListening, err)
	case err != nil:
		return nil, err
	}
	return conn, nil
}

// statistics asks for one of the daemon's reports about the sync.
func (c *Client) statistics(ctx context.Context, r Request) (string, error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = statisticsTimeout
	}
	reply, err := c.call(ctx, r, timeout)
	if err != nil {
		return "", err
	}
	if len(reply) == 0 {
		return "", fmt.Errorf("ask conntrackd at %s: %w", c.Path, ErrStatsMode)
	}
	return string(reply), nil
}

// command has the daemon do something. The daemon's reply says nothing about
// success, also in Stats mode, where it does nothing: hence the question first.
func (c *Client) command(ctx context.Context, r Request) error {
	if _, err := c.statistics(ctx, RequestLink); err != nil {
		return err
	}
	_, err := c.call(ctx, r, commandTimeout)
	return err
}

// network returns the message counters (conntrackd -s network). They are those
// of the active link.
func (c *Client) network(ctx context.Context) (networkStats, error) {
	text, err := c.statistics(ctx, requestNetwork)
	if err != nil {
		return networkStats{}, err
	}
	return parseNetwork(text)
}

// Links returns every sync link (conntrackd -s link), in the file's order.
func (c *Client) Links(ctx context.Context) ([]LinkStats, error) {
	text, err := c.statistics(ctx, RequestLink)
	if err != nil {
		return nil, err
	}
	return parseLinks(text)
}

// Cache returns the state tables (conntrackd -s cache).
func (c *Client) Cache(ctx context.Context) (CacheStats, error) {
	text, err := c.statistics(ctx, RequestCache)
	if err != nil {
		return CacheStats{}, err
	}
	return parseCache(text)
}

// Runtime returns the daemon's own troubles (conntrackd -s runtime). It is the
// one report that a daemon in Stats mode gives too.
func (c *Client) Runtime(ctx context.Context) (RuntimeStats, error) {
	text, err := c.statistics(ctx, RequestRuntime)
	if err != nil {
		return RuntimeStats{}, err
	}
	return parseRuntime(text)
}

// queues returns the lengths of the message queues by name: txqueue, errorq
// and, in FTFW mode, rsqueue (conntrackd -s queue).
func (c *Client) queues(ctx context.Context) (map[string]uint64, error) {
	text, err := c.statistics(ctx, requestQueue)
	if err != nil {
		return nil, err
	}
	return parseQueues(text)
}

// Counters reads everything once. The readings are a fraction of a
// millisecond apart.
func (c *Client) Counters(ctx context.Context) (Counters, error) {
	network, err := c.network(ctx)
	if err != nil {
		return Counters{}, err
	}
	links, err := c.Links(ctx)
	if err != nil {
		return Counters{}, err
	}
	cache, err := c.Cache(ctx)
	if err != nil {
		return Counters{}, err
	}
	run, err := c.Runtime(ctx)
	if err != nil {
		return Counters{}, err
	}
	queues, err := c.queues(ctx)
	if err != nil {
		return Counters{}, err
	}
	counters := newCounters(network, links, cache, run, queues)
	counters.Time = time.Now()
	return counters, nil
}

// RequestResync asks the peer for all of its states (conntrackd -n).
func (c *Client) RequestResync(ctx context.Context) error { return c.command(ctx, RequestResync) }

// SendBulk sends all states of this node to the peer (conntrackd -B).
func (c *Client) SendBulk(ctx context.Context) error { return c.command(ctx, RequestSendBulk) }

// Commit writes the external cache into the kernel table (conntrackd -c). It
// does nothing where the external cache is disabled.
func (c *Client) Commit(ctx context.Context) error { return c.command(ctx, RequestCommitExternal) }

// FlushCaches empties the internal and the external cache (conntrackd -f).
func (c *Client) FlushCaches(ctx context.Context) error { return c.command(ctx, RequestFlushCaches) }

// FlushInternal empties the internal cache (conntrackd -f internal) and leaves the kernel's
// table as it is. The peer is told nothing, now or when one of those connections ends here.
func (c *Client) FlushInternal(ctx context.Context) error {
	return c.command(ctx, RequestFlushInternal)
}

// ResyncKernel reads the kernel's table into the internal cache (conntrackd -R).
func (c *Client) ResyncKernel(ctx context.Context) error { return c.command(ctx, RequestResyncMaster) }

// ResetTimers lets the states of the kernel table end after PurgeTimeout
// (conntrackd -t). With DisableExternalCache this removes the peer's states.
func (c *Client) ResetTimers(ctx context.Context) error { return c.command(ctx, RequestResetTimers) }

// Alive says whether someone serves the socket: true also where that could not be told,
// as when ctx has ended. It sends a request all the same: a silent client would freeze the
// daemon.
func (c *Client) Alive(ctx context.Context) bool {
	_, err := c.call(ctx, RequestRuntime, statisticsTimeout)
	return !errors.Is(err, ErrNotListening)
}
