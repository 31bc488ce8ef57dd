package control

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
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

// dumpHas looks for a line of a dump that contains words. A dump can be long;
// the daemon writes it from a child, so that reading slowly holds nobody up.
func (c *Client) dumpHas(ctx context.Context, r Request, words string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return false, fmt.Errorf("ask conntrackd at %s: %w", c.Path, err)
	}
	defer conn.Close()
	if _, err := conn.Write(binary.NativeEndian.AppendUint32(nil, uint32(r))); err != nil {
		return false, fmt.Errorf("ask conntrackd at %s: %w", c.Path, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	lines := bufio.NewScanner(conn)
	found := false
	for lines.Scan() { // to the end: a child whose reader leaves dies of SIGPIPE
		found = found || strings.Contains(lines.Text(), words)
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("read a dump of conntrackd at %s: %w", c.Path, err)
	}
	return found, nil
}
