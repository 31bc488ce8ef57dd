package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// changing are the lines of a strace log that change something under one of
// the directories, or that try to.
func changing(log string, dirs ...string) []string {
	var found []string
	for line := range strings.Lines(log) {
		call := tracedLine.FindStringSubmatch(line)
		if call == nil || !slices.ContainsFunc(dirs, func(dir string) bool { return strings.Contains(line, dir) }) {
			continue
		}
		switch name := call[1]; {
		case strings.HasPrefix(name, "open") && !regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT|O_TRUNC`).MatchString(line):
		case slices.Contains([]string{"newfstatat", "fstat", "stat", "lstat", "statx", "readlinkat", "readlink", "read", "pread64", "close", "fcntl",
			"epoll_ctl", "getdents64", "execve", "listxattr", "getxattr", "faccessat2", "lseek", "ioctl", "statfs", "mmap"}, name):
		case name == "write" && !strings.Contains(strings.SplitN(line, ",", 2)[0], "<"+dirs[0]):
			// what is printed may hold the name
		default:
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

var tracedLine = regexp.MustCompile(`^\d+ +(\w+)\(`)

// A save of what is in force writes nothing where the file is, nor into the
// history, and restarts nothing: seen by strace, by the file and by the daemon's
// process.
func TestSaveOfWhatIsInForceSeenByStrace(t *testing.T) {
	t.Parallel()
	h := newHost(t, build(t))
	log := filepath.Join(t.TempDir(), "strace")
	strace := func(save ...string) []string {
		t.Helper()
		words := append([]string{"strace", "-f", "-yy", "-s", "256", "-o", log}, save...)
		if out, err := h.do(words...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		content, err := h.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return changing(string(content), "/etc/conntrackd", "/var/lib/connsync")
	}
	daemon := func() string {
		t.Helper()
		pids, err := h.Processes("conntrackd")
		for limit := time.Now().Add(patience); err == nil && len(pids) != 1 && time.Now().Before(limit); {
			pids, err = h.Processes("conntrackd") // a child may have been forked for a dump
		}
		if err != nil || len(pids) != 1 {
			t.Fatalf("processes %v, %v", pids, err)
		}
		out, err := h.do("sh", "-c", fmt.Sprintf("cut -d' ' -f1,22 /proc/%d/stat; stat -c '%%n %%i %%z' /etc/conntrackd /etc/conntrackd/* /var/lib/connsync/history /var/lib/connsync/history/*", pids[0]))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	h.mustSave("3780")
	before := daemon()
	if made := strace(h.save("3780")...); len(made) > 0 {
		t.Errorf("the same again: %s", strings.Join(made, "\n"))
	}
	if after := daemon(); after != before {
		t.Errorf("the same again, daemon and files before\n%s\nand after\n%s", before, after)
	}
	if out, err := h.do(h.save("3780")...); err != nil || !strings.Contains(out, "Nothing to do") {
		t.Errorf("%v\n%s", err, out)
	}
	// What writes is seen; it starts no daemon, which strace would stay with.
	if made := strace(h.program, "apply", "--disable", "--port", "3999"); len(made) < 10 {
		t.Errorf("a save that writes is not seen to: %q", made)
	}
}

// saveOfWhatIsInForce is the same on a booted Debian, by the unit's own times.
func saveOfWhatIsInForce(t *testing.T, ctx context.Context, m *lab.Machine, save []string) {
	t.Helper()
	look := func() string {
		t.Helper()
		out, err := m.Run(ctx, "sh", "-c", "systemctl show -p MainPID,InvocationID,NRestarts,ActiveEnterTimestampMonotonic,ExecMainStartTimestampMonotonic conntrackd.service; "+
			"stat -c '%n %i %z' /etc/conntrackd /etc/conntrackd/* /var/lib/connsync/history /var/lib/connsync/history/* /etc/systemd/system/*.wants")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := look()
	time.Sleep(20 * time.Millisecond)
	out, err := m.Run(ctx, save[0], save[1:]...)
	if err != nil || !strings.Contains(out, "Nothing to do") {
		t.Errorf("%v\n%s", err, out)
	}
	if after := look(); after != before {
		t.Errorf("the same again, unit and files before\n%s\nand after\n%s", before, after)
	}
}
