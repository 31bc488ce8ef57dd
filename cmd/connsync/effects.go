package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"connsync/node"
	"connsync/tui"
	"connsync/tui/text"
)

// effects is what the screens can do to this host.
type effects struct{ *node.Session }

// Operate does what the status screen offers.
func (e effects) Operate(ctx context.Context, o tui.Operation) (string, error) {
	switch o {
	case tui.Resync:
		return e.Resync(ctx)
	case tui.Flush:
		return e.FlushCaches(ctx)
	case tui.Restart:
		return e.Restart(ctx)
	}
	return "", fmt.Errorf("operation %d is not known", o)
}

// began says what an interrupt leaves.
const began = "connsync: " + text.Interrupted

// finish waits for the end of what has begun, which goes on when nobody
// watches, and says so where that takes a while to who has left the form by a
// key. Who was ended by a signal may have a line that takes nothing any more.
func (e effects) finish(byKey bool, w io.Writer) {
	done := make(chan struct{})
	go func() {
		e.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(200 * time.Millisecond):
		if byKey {
			go fmt.Fprintln(w, began) // which may wait for the line
		}
		<-done
	}
}

// tellInterrupt says what an interrupt leaves, should there be one, until stop. One that
// came before leaves nothing, as of an output that takes nothing.
func (c *cli) tellInterrupt(ctx context.Context) (stop func()) {
	if ctx.Err() != nil {
		return func() {}
	}
	told := make(chan struct{})
	end := context.AfterFunc(ctx, func() {
		defer close(told)
		fmt.Fprintln(c.err, began)
	})
	return func() {
		if !end() {
			<-told
		}
	}
}
