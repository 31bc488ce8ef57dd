// Package outlet writes beside the work. A terminal line can be stopped, the
// reader of a pipe can stall, a log can be stuck: [Outlet] writes to such a file
// from a bounded queue, so that work which must go on never waits for it.
package outlet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	// most is how many bytes wait in the queue while nothing may wait for them. It
	// is far more than the steps of a save are.
	most = 256 << 10
	// piece is how much is written at a time: half a second of a line of 2400 baud.
	piece = 128
	// grace is how long the file may take no byte once the program is told to end.
	grace = 600 * time.Millisecond
)

// leftOut stands where the queue was full.
const leftOut = "[...]\n"

// ErrStalled says that the file took nothing any more, and that the program was
// told to end.
var ErrStalled = errors.New("the output takes nothing")

// Outlet is a file to print to. Write waits until the file has taken what is
// written, as long as the context lasts and a moment more; between [Outlet.Beside]
// and its end it waits for nothing. Its methods are safe for concurrent use.
type Outlet struct {
	ctx  context.Context
	to   io.Writer
	lost func()

	mu      sync.Mutex
	queue   []byte        // what is still to be written, without what is being written
	taken   int64         // bytes that were put in the queue
	written int64         // of them, those that the file took
	working bool          // a goroutine writes
	moved   chan struct{} // closed when written or err changes
	beside  int
	full    bool // something was left out
	err     error
}

// New returns the outlet of a file. ctx ends when the program is told to end; lost,
// which may be nil, is called at the first write that fails.
func New(ctx context.Context, to io.Writer, lost func()) *Outlet {
	return &Outlet{ctx: ctx, to: to, lost: lost, moved: make(chan struct{})}
}

// Unwrap returns the file.
func (o *Outlet) Unwrap() io.Writer { return o.to }

// Used says that something was written.
func (o *Outlet) Used() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken > 0
}

// Err returns why the first write failed; nil where none has.
func (o *Outlet) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Beside lets no write wait until end is called. What the queue cannot hold is
// left out, and a mark says so.
func (o *Outlet) Beside() (end func()) {
	o.mu.Lock()
	o.beside++
	o.mu.Unlock()
	return sync.OnceFunc(func() {
		o.mu.Lock()
		o.beside--
		o.mu.Unlock()
	})
}

// Write queues p and waits until the file has it. After a write that failed it
// writes nothing and returns that error.
func (o *Outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	if o.err != nil {
		defer o.mu.Unlock()
		return 0, o.err
	}
	aside := o.beside > 0
	if aside && len(o.queue)+len(p) > most {
		if !o.full {
			o.put([]byte(leftOut))
		}
		o.full = true
		o.mu.Unlock()
		return len(p), nil
	}
	o.full = false
	o.put(p)
	upTo := o.taken
	o.mu.Unlock()
	if aside {
		return len(p), nil
	}
	if err := o.wait(upTo, o.ctx.Done()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush waits until the file has taken everything, as Write does.
func (o *Outlet) Flush() error {
	o.mu.Lock()
	upTo := o.taken
	o.mu.Unlock()
	return o.wait(upTo, o.ctx.Done())
}

// Close waits no longer than [Outlet.Write] does once the program is told to end.
// It does not close the file.
func (o *Outlet) Close() error {
	now := make(chan struct{})
	close(now)
	o.mu.Lock()
	upTo := o.taken
	o.mu.Unlock()
	return o.wait(upTo, now)
}

// Beside is [Outlet.Beside] of those of the writers that are one.
func Beside(writers ...io.Writer) (end func()) {
	var ends []func()
	for _, w := range writers {
		if o, ok := w.(*Outlet); ok {
			ends = append(ends, o.Beside())
		}
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// KeepPipes lets a write to a pipe that nobody reads fail, where it would end the
// program on the spot, in the middle of a save. A daemon that is started gets the
// signal's default action all the same.
func KeepPipes() (stop func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() { signal.Stop(pipes) }
}

// put adds to the queue; o.mu is held.
func (o *Outlet) put(p []byte) {
	o.queue = append(o.queue, p...)
	o.taken += int64(len(p))
	if !o.working {
		o.working = true
		go o.work()
	}
}

// work writes until the queue is empty or a write fails.
func (o *Outlet) work() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && len(o.queue) > 0 {
		n := pieceOf(o.queue)
		next := o.queue[:n:n]
		o.queue = o.queue[n:]
		o.mu.Unlock()
		_, err := o.to.Write(next)
		o.mu.Lock()
		if err != nil {
			o.fail(err)
			break
		}
		o.written += int64(n)
		o.move()
	}
	o.working, o.queue = false, nil
}

// pieceOf is how much of a queue to write at a time: whole lines where they are
// short.
func pieceOf(queue []byte) int {
	if len(queue) <= piece {
		return len(queue)
	}
	if end := bytes.LastIndexByte(queue[:piece], '\n'); end >= 0 {
		return end + 1
	}
	return piece
}

// move wakes those who wait; o.mu is held.
func (o *Outlet) move() {
	close(o.moved)
	o.moved = make(chan struct{})
}

// fail ends the writing; o.mu is held.
func (o *Outlet) fail(err error) {
	if o.err != nil {
		return
	}
	o.err = err
	o.move()
	if o.lost != nil {
		go o.lost()
	}
}

// wait waits until that many bytes were written. Once told is closed, a file that
// takes nothing for a while is given up.
func (o *Outlet) wait(upTo int64, told <-chan struct{}) error {
	var late <-chan time.Time
	for {
		o.mu.Lock()
		err, done, moved := o.err, o.written >= upTo, o.moved
		o.mu.Unlock()
		if err != nil || done {
			return err
		}
		select {
		case <-moved:
			if late != nil {
				late = time.After(grace)
			}
		case <-told:
			told, late = nil, time.After(grace)
		case <-late:
			o.mu.Lock()
			o.fail(ErrStalled)
			o.mu.Unlock()
		}
	}
}
