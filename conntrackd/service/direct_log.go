package service

import (
	"bufio"
	"connsync/trust"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// directStart is one start of the daemon: what it said until it had detached
// or failed, and how long its log file was before.
type directStart struct {
	at      time.Time
	said    []string
	logSize int64
}

// keepStarts is how many starts are remembered.
const keepStarts = 16

func (d *Direct) mark() directStart {
	start := directStart{at: time.Now()}
	if info, err := os.Stat(d.log()); err == nil {
		start.logSize = info.Size()
	}
	return start
}

func (d *Direct) remember(start directStart) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.starts = append(d.starts, start); len(d.starts) > keepStarts {
		d.starts = d.starts[1:]
	}
}

// Log returns what starts said and the lines of the daemon's log file, each
// since t.
func (d *Direct) Log(ctx context.Context, t time.Time) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var lines []string
	first := int64(-1)
	d.mu.Lock()
	for _, start := range d.starts {
		if start.at.Before(t) {
			continue
		}
		if first < 0 {
			first = start.logSize
		}
		lines = append(lines, start.said...)
	}
	d.mu.Unlock()
	path := d.log()
	if path == "" {
		return lines, nil
	}
	more, err := logSince(path, t, first)
	return append(lines, more...), err
}

// maxLogTail is how much of a log file's end is looked at.
const maxLogTail = 64 << 10

// logSince reads the end of a daemon's log file. Its lines begin with a time
// in whole seconds, "[Mon Nov 23 22:51:12 2026]". Those of t's own second
// count from offset on; a negative offset takes them all.
func logSince(path string, t time.Time, offset int64) ([]string, error) {
	f, err := trust.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	at := max(info.Size()-maxLogTail, 0)
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return nil, err
	}
	if offset > info.Size() {
		offset = 0 // it was rotated
	}
	second := t.Truncate(time.Second)
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLogTail+1)
	for s.Scan() {
		line := s.Text()
		stamp, _, ok := strings.Cut(strings.TrimPrefix(line, "["), "]")
		written, err := time.ParseInLocation(time.ANSIC, stamp, time.Local)
		if ok && err == nil && (written.After(second) || written.Equal(second) && at >= offset) {
			lines = append(lines, line)
		}
		at += int64(len(line)) + 1
	}
	return lines, s.Err()
}

func (d *Direct) log() string {
	if d.LogFile != "" {
		return d.LogFile
	}
	return d.config().LogFile()
}
