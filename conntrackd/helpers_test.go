package conntrackd

import (
	"encoding/binary"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// swap replaces pairs of old and new in s.
func swap(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

func requireDaemon(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("conntrackd"); err != nil {
		t.Fatalf("this test runs the real conntrackd (apt-get install conntrackd): %v", err)
	}
}

// listen serves a control socket at path, answering each request as answer
// says, and returns how many connections there were.
func listen(t *testing.T, path string, answer func(request) []byte) (connections func() int) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var count atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			go func() {
				defer conn.Close()
				var code [4]byte
				if _, err := io.ReadFull(conn, code[:]); err != nil {
					return
				}
				_, _ = conn.Write(answer(request(binary.NativeEndian.Uint32(code[:]))))
			}()
		}
	}()
	return func() int { return int(count.Load()) }
}

// hostFiles are the files under a directory with their contents.
func hostFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(root, path))
		found["/"+path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
