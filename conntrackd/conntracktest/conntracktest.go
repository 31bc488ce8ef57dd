package conntracktest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"connsync/conntrackd"
)

// Swap replaces pairs of old and new in s.
func Swap(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

// RequireDaemon ends a test where there is no conntrackd to run.
func RequireDaemon(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("conntrackd"); err != nil {
		t.Fatalf("this test runs the real conntrackd (apt-get install conntrackd): %v", err)
	}
}

// ServeControl serves a control socket at path until the test ends, answering
// each request as answer says, and returns how many connections there were. R is
// control.Request; answer is called from many goroutines.
func ServeControl[R ~int32 | ~uint32 | ~int](t *testing.T, path string, answer func(R) []byte) (connections func() int) {
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
				_, _ = conn.Write(answer(R(binary.NativeEndian.Uint32(code[:]))))
			}()
		}
	}()
	return func() int { return int(count.Load()) }
}

// Settings is one node of the pair that the tests use: complete, valid and enabled.
func Settings() conntrackd.Settings {
	return conntrackd.Settings{
		Enabled: true, Interface: "sync0",
		Current: netip.MustParsePrefix("10.77.0.1/24"), Peer: netip.MustParsePrefix("10.77.0.2/24"),
		Port: 3780, SendBuffer: 65536, ReceiveBuffer: 131072,
	}
}

// Config is a complete sync file for s; the daemon's own files live in dir.
func Config(s conntrackd.Settings, dir string) string {
	version := "IPv4"
	if s.Current.Addr().Is6() {
		version = "IPv6"
	}
	lines := []string{
		"Sync {", "  Mode FTFW {", "    DisableExternalCache on", "  }", "  UDP {",
		"    " + version + "_address " + s.Current.Addr().String(),
		"    " + version + "_Destination_Address " + s.Peer.Addr().String(),
		"    Port " + strconv.Itoa(int(s.Port)),
		"    Interface " + s.Interface,
		"    SndSocketBuffer " + strconv.Itoa(s.SendBuffer), "    RcvSocketBuffer " + strconv.Itoa(s.ReceiveBuffer),
		"    Checksum on", "  }", "}", "General {", "  HashSize 4096", "  HashLimit 65536", "  NetlinkBufferSize 2097152", "  NetlinkBufferSizeMaxGrowth 8388608",
		"  LockFile " + filepath.Join(dir, "lock"), "  LogFile " + filepath.Join(dir, "log"),
		"  UNIX {", "    Path " + filepath.Join(dir, "ctl"), "  }", "}", "",
	}
	return strings.Join(lines, "\n")
}
