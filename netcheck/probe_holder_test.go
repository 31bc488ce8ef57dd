package netcheck

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// heldHere is a UDP socket of this process, as the kernel's list has it.
func heldHere(tb testing.TB) holder {
	tb.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	var stat syscall.Stat_t
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = syscall.Fstat(int(fd), &stat) }); err != nil || failed != nil {
		tb.Fatal(err, failed)
	}
	return holder{inode: uint32(stat.Ino)}
}

// BenchmarkHolders looks for the holder of a port among 2,000 more processes.
func BenchmarkHolders(b *testing.B) {
	for range 2000 {
		cmd := exec.Command("sleep", "600")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	for name, daemons := range map[string][]int{"conntrackd": {os.Getpid()}, "another": nil} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				found := []holder{heldHere(b)}
				nameHolders(b.Context(), found, daemons)
				if len(found[0].pids) == 0 {
					b.Fatal("it was not found")
				}
			}
		})
	}
}
