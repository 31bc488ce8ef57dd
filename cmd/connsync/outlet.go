package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

// outlet is the standard output. When nobody takes it any more it says so,
// once: a closed line is like Ctrl+C, before a save nothing happens, and one
// that has begun ends as it should.
type outlet struct {
	io.Writer
	lost func()
	used bool  // something was written
	err  error // of the first write that failed
}

func (o *outlet) Write(p []byte) (int, error) {
	o.used = true
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = err
		o.lost()
	}
	return n, err
}

// keepPipes lets a write to a pipe that nobody reads fail, where it would end
// the program on the spot, in the middle of a save. A daemon that is started
// gets the signal's default action all the same.
func keepPipes() (stop func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() { signal.Stop(pipes) }
}

// screen is the standard output as a terminal to draw on, where it is a file.
func (s streams) screen() (*os.File, bool) {
	out := s.out
	if o, ok := out.(*outlet); ok {
		out = o.Writer
	}
	f, ok := out.(*os.File)
	return f, ok
}
