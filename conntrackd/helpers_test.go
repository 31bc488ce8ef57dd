package conntrackd

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
)

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

// testSettings is one node of the pair that the tests of this package use.
func testSettings() Settings {
	return Settings{
		Enabled: true, Interface: "sync0",
		Current: netip.MustParsePrefix("10.77.0.1/24"), Peer: netip.MustParsePrefix("10.77.0.2/24"),
		Port: 3780, SendBuffer: 65536, ReceiveBuffer: 131072,
	}
}

// testConfig is a complete sync file; the daemon's own files live in dir.
func testConfig(s Settings, dir string) string {
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
		"    Checksum on", "  }", "}", "General {", "  HashSize 4096", "  HashLimit 65536",
		"  LockFile " + filepath.Join(dir, "lock"), "  LogFile " + filepath.Join(dir, "log"),
		"  UNIX {", "    Path " + filepath.Join(dir, "ctl"), "  }", "}", "",
	}
	return strings.Join(lines, "\n")
}
