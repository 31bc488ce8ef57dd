package control

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A daemon that is stopped is waited for no longer for a dump than for its statistics, also
// in the middle of one; and it is said alike.
func TestDumpOfASilentServer(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]string{"from the start": "", "in the middle": "tcp 6 ESTABLISHED\ntcp"} {
		path := filepath.Join(t.TempDir(), "ctl")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				_, _ = conn.Write([]byte(begun))
				defer conn.Close()
			}
		}()
		for _, tt := range []struct {
			timeout time.Duration
			says    string
		}{{50 * time.Millisecond, ": no answer within 50ms"}, {0, ": no answer within 2s"}} {
			err = (&Client{Path: path, Timeout: tt.timeout}).DumpExternal(t.Context(), func([]byte) {})
			if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), path+tt.says) {
				t.Errorf("%s: %v; want %s", name, err, tt.says)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := NewClient(path).DumpExternal(ctx, func([]byte) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled: %v", name, err)
		}
	}
}
