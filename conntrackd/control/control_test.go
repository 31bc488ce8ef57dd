package control

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/conntracktest"
)

// captured returns a reply that a real daemon gave (testdata/replies).
func captured(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "replies", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestParseReplies(t *testing.T) {
	tests := []struct {
		file  string
		parse func(string) (any, error)
		want  any
	}{
		{"network", wrap(parseNetwork), networkStats{}},
		{"network-mismatch", wrap(parseNetwork), networkStats{Malformed: 4, BadHeader: 4, Lost: 12}},
		{"link", wrap(parseLinks), []LinkStats{{
			Transport: "UDP", Device: "sync0", Status: "RUNNING", Active: true,
			BytesSent: 21024, BytesRecv: 112, PacketsSent: 352, PacketsRecv: 7,
		}}},
		{"link-two", wrap(parseLinks), []LinkStats{
			{Transport: "UDP", Device: "sync0", Status: "NO-CARRIER", BytesSent: 16, PacketsSent: 2},
			{Transport: "UDP", Device: "sync1", Status: "RUNNING", Active: true, BytesSent: 16, PacketsSent: 2},
		}},
		{"cache", wrap(parseCache), CacheStats{Internal: 100}},
		{"cache-inject", wrap(parseCache), CacheStats{Direct: true, Internal: 2, Injected: 7, News: 7}},
		{"cache-inject-full", wrap(parseCache), CacheStats{Direct: true, Injected: 529, News: 5, InjectFailed: 503}},
		{"cache-inject-removed", wrap(parseCache), CacheStats{Direct: true, Injected: 57, News: 50, Removed: 50}},
		{"cache-external-full", wrap(parseCache), CacheStats{Internal: 2, External: 200, NoSpace: 301, ExternalNoSpace: 300, ExternalCreated: 200}},
		{"cache-bypass", wrap(parseCache), CacheStats{Direct: true}},
		{"runtime", wrap(parseRuntime), RuntimeStats{}},
		{"queue", wrap(parseQueues), map[string]uint64{"txqueue": 0, "errorq": 0, "rsqueue": 15}},
		{"queue-notrack", wrap(parseQueues), map[string]uint64{"txqueue": 0, "errorq": 0}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			text := captured(t, tt.file)
			got, err := tt.parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// A reply that was cut off must not pass for zeros.
			if _, err := tt.parse(text[:20]); err == nil {
				t.Error("the first 20 bytes alone were taken for a reply")
			}
		})
	}
	if _, err := parseCache(captured(t, "cache-stats")); !errors.Is(err, ErrStatsMode) {
		t.Errorf("the cache of a daemon in Stats mode: %v", err)
	}
}

// A line that nothing here needs may be missing.
func TestParseRepliesWithoutUnusedLines(t *testing.T) {
	without := func(name, line string) string {
		var kept []string
		for l := range strings.Lines(captured(t, name)) {
			if !strings.Contains(l, line) {
				kept = append(kept, l)
			}
		}
		return strings.Join(kept, "")
	}
	if got, err := parseNetwork(without("network-mismatch", "Wrong protocol version")); err != nil || got.Lost != 12 {
		t.Errorf("network: %+v, %v", got, err)
	}
	if _, err := parseRuntime(without("runtime", "events ")); err != nil {
		t.Errorf("runtime: %v", err)
	}
}

func wrap[T any](parse func(string) (T, error)) func(string) (any, error) {
	return func(s string) (any, error) { return parse(s) }
}

func TestParseUptime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		" 0 min":               0,
		" 1 h 5 min":           65 * time.Minute,
		" 1 day 0 h 1 min":     24*time.Hour + time.Minute,
		" 12 days 3 h 59 min ": 12*24*time.Hour + 3*time.Hour + 59*time.Minute,
		" -59 min":             0, // the clock was set back
		" -1 days -3 h -5 min": 0,
		" -1100000 days 0 h":   0,
	} {
		if got, err := parseUptime(text); err != nil || got != want {
			t.Errorf("parseUptime(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "min", "5", "5 fortnights", "1100000 days 0 h 0 min", "200000 days"} {
		if got, err := parseUptime(text); err == nil {
			t.Errorf("parseUptime(%q) = %v", text, got)
		}
	}
}

// answers serves the captured replies of a daemon in FTFW mode.
func answers(t *testing.T) func(Request) []byte {
	replies := map[Request]string{
		requestNetwork: captured(t, "network-mismatch"), RequestLink: captured(t, "link"), RequestCache: captured(t, "cache"),
		RequestRuntime: captured(t, "runtime"), requestQueue: captured(t, "queue"),
	}
	return func(r Request) []byte { return []byte(replies[r]) }
}

func TestCounters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	conntracktest.ServeControl(t, path, answers(t))
	before := time.Now()
	got, err := NewClient(path).Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Time.Before(before) || time.Since(got.Time) > time.Minute {
		t.Errorf("time of the reading: %v", got.Time)
	}
	got.Time = time.Time{}
	want := Counters{
		Links: []LinkStats{{
			Transport: "UDP", Device: "sync0", Status: "RUNNING", Active: true,
			BytesSent: 21024, BytesRecv: 112, PacketsSent: 352, PacketsRecv: 7,
		}},
		Device: "sync0", Link: "RUNNING", BytesSent: 21024, BytesRecv: 112, PacketsSent: 352, PacketsRecv: 7,
		Malformed: 4, BadHeader: 4, Lost: 12, Internal: 100, ResendQueue: 15, Reliable: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

func TestCommandsSendTheirCode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	var mu sync.Mutex
	var seen []Request
	reply := answers(t)
	conntracktest.ServeControl(t, path, func(r Request) []byte {
		mu.Lock()
		defer mu.Unlock()
		if r != RequestLink {
			seen = append(seen, r)
		}
		return reply(r)
	})
	c := NewClient(path)
	for _, do := range []func(context.Context) error{
		c.RequestResync, c.SendBulk, c.Commit, c.FlushCaches, c.ResyncKernel, c.ResetTimers,
	} {
		if err := do(t.Context()); err != nil {
			t.Error(err)
		}
	}
	// include/conntrackd.h
	want := []Request{23, 22, 46, 45, 44, 26}
	if !slices.Equal(seen, want) {
		t.Errorf("codes %v, want %v", seen, want)
	}
}

func TestClientInStatsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	conntracktest.ServeControl(t, path, func(Request) []byte { return nil })
	c := NewClient(path)
	if _, err := c.Counters(t.Context()); !errors.Is(err, ErrStatsMode) {
		t.Errorf("Counters: %v", err)
	}
	if err := c.RequestResync(t.Context()); !errors.Is(err, ErrStatsMode) {
		t.Errorf("RequestResync: %v", err)
	}
}

func TestClientNobodyListens(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{stale, file, filepath.Join(dir, "missing")} {
		if _, err := NewClient(path).network(t.Context()); !errors.Is(err, ErrNotListening) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A daemon that is stopped accepts and says nothing.
func TestClientSilentServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start := time.Now()
	_, err = (&Client{Path: path, Timeout: 50 * time.Millisecond}).network(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > statisticsTimeout {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := NewClient(path).network(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := NewClient(path).network(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

func TestClientStrangeServers(t *testing.T) {
	for name, reply := range map[string][]byte{
		"truncated": []byte(captured(t, "network")[:100]),
		"huge":      bytes.Repeat([]byte("x: 1\n"), maxReply/4),
		"nonsense":  []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ctl")
			conntracktest.ServeControl(t, path, func(Request) []byte { return reply })
			if _, err := NewClient(path).network(t.Context()); !errors.Is(err, ErrReply) {
				t.Errorf("error %v, want ErrReply", err)
			}
		})
	}
}

// recorder notes what a connection is used for, in order.
type recorder struct {
	net.Conn
	calls *[]string
}

func (r recorder) Write(b []byte) (int, error) {
	*r.calls = append(*r.calls, "write")
	return r.Conn.Write(b)
}

func (r recorder) Read(b []byte) (int, error) {
	*r.calls = append(*r.calls, "read")
	return r.Conn.Read(b)
}

func (r recorder) SetDeadline(at time.Time) error {
	*r.calls = append(*r.calls, "deadline")
	return r.Conn.SetDeadline(at)
}

// The daemon stands still between its accept and our request.
func TestClientWritesFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	conntracktest.ServeControl(t, path, answers(t))
	var calls []string
	c := NewClient(path)
	c.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return recorder{conn, &calls}, err
	}
	if _, err := c.network(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(calls) == 0 || calls[0] != "write" {
		t.Errorf("calls %v, want the write first", calls)
	}
	c.dial = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.EACCES }
	if _, err := c.network(t.Context()); !errors.Is(err, syscall.EACCES) || errors.Is(err, ErrNotListening) {
		t.Errorf("no permission: %v", err)
	}
}
