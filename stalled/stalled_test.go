package stalled

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a thread waits for by name or by descriptor is told, once; a pipe without a name is not.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	pipe := func(name string) string {
		path := filepath.Join(dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wait := func(flags, perm int, path string) {
		fd, err := unix.Open(path, flags, uint32(perm))
		if err == nil {
			_, _ = unix.Read(fd, make([]byte, 1))
			unix.Close(fd)
		}
	}
	var ends [2]int
	if err := unix.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = unix.Read(ends[0], make([]byte, 1)) }()
	opened, read := pipe("opened"), pipe("read")
	both, err := os.OpenFile(read, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	go wait(unix.O_WRONLY, 0, opened)
	go wait(unix.O_RDONLY, 0, read)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := make(chan string, 16)
	go Watch(ctx, 50*time.Millisecond, func(path string) { said <- path })
	var got []string
	for len(got) < 2 {
		got = append(got, <-said)
	}
	if slices.Sort(got); !slices.Equal(got, []string{opened, read}) {
		t.Errorf("said %q", got)
	}
	cancel()
	// What waits ends, so that the directory can go.
	reader, err := os.OpenFile(opened, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = both.WriteString("x")
	_, _ = unix.Write(ends[1], []byte("x"))
	reader.Close()
	both.Close()
}
