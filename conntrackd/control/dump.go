package control

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// HoldsInternal says whether a line of the daemon's internal cache has words in
// it (conntrackd -i): a state that the Filter drops never comes there.
func (c *Client) HoldsInternal(ctx context.Context, words string) (bool, error) {
	return c.dumpHas(ctx, requestDumpInternal, words)
}

// HoldsExternal says whether a line of the external cache has words in it
// (conntrackd -e).
func (c *Client) HoldsExternal(ctx context.Context, words string) (bool, error) {
	return c.dumpHas(ctx, requestDumpExternal, words)
}

// DumpInternal calls each with every line of the daemon's internal cache (conntrackd
// -i). The line is valid during the call.
func (c *Client) DumpInternal(ctx context.Context, each func(line []byte)) error {
	return c.dump(ctx, requestDumpInternal, each)
}

// DumpExternal is [Client.DumpInternal] for the external cache (conntrackd -e).
func (c *Client) DumpExternal(ctx context.Context, each func(line []byte)) error {
	return c.dump(ctx, requestDumpExternal, each)
}

// dumpHas looks for a line of a dump that contains words.
func (c *Client) dumpHas(ctx context.Context, r Request, words string) (bool, error) {
	found, wanted := false, []byte(words)
	err := c.dump(ctx, r, func(line []byte) { found = found || bytes.Contains(line, wanted) })
	return found && err == nil, err
}

// dump reads the lines of a dump. It can be long; the daemon writes it from a child,
// so that reading slowly holds nobody up. A daemon that says nothing meanwhile is waited
// for no longer than for its statistics.
func (c *Client) dump(ctx context.Context, r Request, each func(line []byte)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, commandTimeout, silence(commandTimeout))
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return fmt.Errorf("ask conntrackd at %s: %w", c.Path, err)
	}
	defer conn.Close()
	if _, err := conn.Write(binary.NativeEndian.AppendUint32(nil, uint32(r))); err != nil {
		return fmt.Errorf("ask conntrackd at %s: %w", c.Path, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	lines := bufio.NewScanner(patient{ctx, conn, cmp.Or(c.Timeout, statisticsTimeout)})
	for lines.Scan() { // to the end: a child whose reader leaves dies of SIGPIPE
		each(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read a dump of conntrackd at %s: %w", c.Path, err)
	}
	return nil
}

// patient reads from a connection as long as something comes within a time limit; what
// the caller does between two reads does not count.
type patient struct {
	ctx   context.Context // of the one dump that it is for
	conn  net.Conn
	limit time.Duration
}

func (p patient) Read(to []byte) (int, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(p.limit)); err != nil {
		return 0, err
	}
	if p.ctx.Err() != nil { // its end may have come before the deadline was set
		return 0, context.Cause(p.ctx)
	}
	n, err := p.conn.Read(to)
	switch {
	case err == nil || !errors.Is(err, os.ErrDeadlineExceeded):
		return n, err
	case p.ctx.Err() != nil:
		return n, context.Cause(p.ctx)
	}
	return n, silence(p.limit)
}
