package emulator

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"connsync/lab/vt102"
)

// Each shows what the line brings, says where its cursor is when it is asked,
// and sends its keys.
func TestEmulators(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var sent bytes.Buffer
			e, err := Open(t.Context(), name, func(p []byte) error {
				mu.Lock()
				defer mu.Unlock()
				sent.Write(p)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}()
			const stream = "\x0f\x1b[m\x1b[r\x1b[4l\x1b[H\x1b[2J Port  3780\x1b[3;5Habc\b\bX\x1b[10Cy\r\nz\x1b[24;70H\x1b7\x1b[r\x1b[999;999H\x1b[6n\x1b8"
			if _, err := e.Write([]byte(stream)); err != nil {
				t.Fatal(err)
			}
			if err := e.Type("1a\x1b[A\r"); err != nil {
				t.Fatal(err)
			}
			want := vt102.New(Width, Height)
			defer want.Close()
			want.Write([]byte(stream))
			wx, wy := want.Cursor()
			for limit := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				text, x, y, err := e.Shows()
				if err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				got := sent.String()
				mu.Unlock()
				keys := strings.Contains(strings.ReplaceAll(got, "\x1bO", "\x1b["), "1a\x1b[A\r")
				if text == want.String() && x == wx && y == wy && keys && strings.Contains(got, "\x1b[24;80R") {
					return
				}
				if time.Now().After(limit) {
					t.Fatalf("cursor %d,%d, want %d,%d; it sent %q, and shows:\n%s", x, y, wx, wy, got, text)
				}
			}
		})
	}
}
