package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"connsync/lab"
)

// A disk that fails while the file is written leaves the old settings in force:
// the same daemon listens with the old buffers, and new connections through
// the node reach the other node's table.
func TestDiskFaultsLeaveTheOldSettingsInForce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	program := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	save := func(m *lab.Member, more ...string) []string {
		return append([]string{program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", pair.Other(m).Sync.String()}, more...)
	}
	for _, m := range []*lab.Member{pair.B, pair.A} {
		if out, err := m.Run(ctx, save(m)[0], save(m)[1:]...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	old, err := pair.A.ReadFile(lab.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []struct {
		call, on string // on is what its name ends with
		fails    syscall.Errno
	}{
		{"openat", ".conntrackd.conf.connsync-* (create)", syscall.ENOSPC},
		{"write", ".conntrackd.conf.connsync-*", syscall.ENOSPC},
		{"write", ".conntrackd.conf.connsync-*", syscall.EIO},
		{"fsync", ".conntrackd.conf.connsync-*", syscall.EIO},
		{"renameat", " to " + lab.ConfigPath, syscall.EIO},
		{"renameat", " to " + lab.ConfigPath, syscall.EROFS},
		{"fsync", "/etc/conntrackd", syscall.EIO},
	} {
		t.Run(fmt.Sprintf("%s %s %v", fault.call, fault.on, fault.fails), func(t *testing.T) {
			daemon, failed := daemonOf(t, pair.A), 0
			tr := &tracer{dirs: []string{"/etc/conntrackd"}}
			tr.at = func(_ int, c systemCall) (bool, syscall.Errno) {
				if failed > 0 || c.name != fault.call || !strings.HasSuffix(c.on, fault.on) {
					return false, 0
				}
				failed++
				return false, fault.fails
			}
			var printed string
			var status int
			err := pair.A.Enter(func() (err error) {
				words := save(pair.A, "--send-buffer", "256K", "--receive-buffer", "256K")
				printed, status, err = tr.run(exec.Command(words[0], words[1:]...))
				return err
			})
			if err != nil || failed != 1 || status != exitRefused || !strings.Contains(printed, fault.fails.Error()) {
				t.Errorf("%v: failed %d times, exit status %d:\n%s", err, failed, status, printed)
			}
			if now, err := pair.A.ReadFile(lab.ConfigPath); err != nil || string(now) != string(old) {
				t.Errorf("%v: the file is now\n%s", err, now)
			}
			if now := daemonOf(t, pair.A); now != daemon {
				t.Errorf("process %d became %d", daemon, now)
			}
			listensAsBefore(t, ctx, pair.A)
			carriesOn(t, ctx, pair)
		})
	}
}
