package console

import (
	"io"
	"os"
	"sync"

	"connsync/tui/console/keys"
)

// input is the program's standard input. It hands over what was typed before
// first, then whole keys only, and reports the end of the line, which Bubble
// Tea swallows.
type input struct {
	file  *os.File
	keys  keys.Decoder
	ended func()

	stop, stopped *os.File // a pipe; its end ends a read that waits

	reading sync.Mutex // held while the file is used
	closed  bool
}

func newInput(f *os.File, typed []byte, ended func()) (*input, error) {
	stopped, stop, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	i := &input{file: f, ended: ended, stop: stop, stopped: stopped}
	i.keys.Feed(typed)
	return i, nil
}

// close ends a read that waits, and takes no key with it. When it returns the
// file is no longer used.
func (i *input) close() {
	_ = i.stop.Close()
	i.reading.Lock()
	i.closed = true
	i.reading.Unlock()
}

// Read returns at least one byte and does not end inside a key.
func (i *input) Read(p []byte) (int, error) {
	i.reading.Lock()
	defer i.reading.Unlock()
	var got [1024]byte
	for !i.closed {
		if n := i.keys.Take(p); n > 0 {
			return n, nil
		}
		switch waitInput(i.file, i.stopped, i.keys.Wait()) {
		case inputStopped:
			return 0, io.EOF
		case inputLate:
			i.keys.Expire()
			continue
		}
		n, err := i.file.Read(got[:])
		take := i.keys.Feed
		if n == len(got) { // and more of it waits
			take = i.keys.Flood
		}
		if take(got[:n]); err == nil && n > 0 {
			continue
		}
		i.ended()
		i.keys.Expire()
		if n := i.keys.Take(p); n > 0 {
			return n, nil // the end is met again
		}
		break
	}
	return 0, io.EOF
}
