package lab

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
)

func newNode(t *testing.T, name string) *Node {
	t.Helper()
	n, err := NewNode(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func run(t *testing.T, n *Node, name string, args ...string) string {
	t.Helper()
	out, err := n.Run(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestNodeIsAHostOfItsOwn(t *testing.T) {
	n := newNode(t, "fw-a")
	for _, test := range []struct{ script, want string }{
		{"hostname", "fw-a"},
		{"ls /sys/class/net", "lo"},
		{"ls -A /etc/conntrackd /run/lock/ /var/lock/", "/etc/conntrackd:\n\n/run/lock/:\n\n/var/lock/:"},
		{"ls -d /etc/connsync /var/lib/connsync /run/systemd 2>/dev/null || true", ""},
		{"cat /proc/1/comm", "init"},
		{"ls /etc/passwd", "/etc/passwd"},
	} {
		if diff := cmp.Diff(test.want, run(t, n, "sh", "-c", test.script)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.script, diff)
		}
	}
}

func TestNodeFilesAreItsOwn(t *testing.T) {
	a, b := newNode(t, "fw-a"), newNode(t, "fw-b")
	for _, path := range []string{"/etc/conntrackd/conntrackd.conf", "/etc/sysctl.d/90-lab.conf", "/var/lib/connsync/x/y", "/run/lab-file"} {
		if err := a.WriteFile(path, []byte("mine")); err != nil {
			t.Fatal(err)
		}
		if got, err := a.ReadFile(path); err != nil || string(got) != "mine" {
			t.Errorf("a reads %q, %v from %s", got, err, path)
		}
		if _, err := b.ReadFile(path); !os.IsNotExist(err) {
			t.Errorf("b reading %s of a: %v, want not exist", path, err)
		}
		if path != "/etc/conntrackd/conntrackd.conf" { // the package installs one
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("the host has %s of a: %v", path, err)
			}
		}
	}
}

func TestNodeReapsOrphans(t *testing.T) {
	n := newNode(t, "fw-a")
	run(t, n, "sh", "-c", "(sleep 0.05 &) ; (sleep 0.05 &)")
	deadline := time.Now().Add(time.Minute)
	for {
		states := strings.Fields(run(t, n, "ps", "-e", "-o", "comm="))
		if !slices.Contains(states, "sleep") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("orphans are still there: %q", states)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestNodeProcessesAndSignal(t *testing.T) {
	n := newNode(t, "fw-a")
	run(t, n, "sh", "-c", "sleep 100 >/dev/null 2>&1 &")
	pids, err := n.Processes("sleep")
	if err != nil || len(pids) != 1 {
		t.Fatalf("Processes = %v, %v; want one", pids, err)
	}
	if err := n.Signal(t.Context(), "sleep", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "sleep to be gone", func() bool {
		pids, err := n.Processes("sleep")
		return err == nil && len(pids) == 0
	})
}

func TestNodeCommandEndsWithItsContext(t *testing.T) {
	n := newNode(t, "fw-a")
	for name, sleep := range map[string]func(context.Context) error{
		"Run":            func(ctx context.Context) error { _, err := n.Run(ctx, "sleep", "100"); return err },
		"CommandContext": func(ctx context.Context) error { return n.CommandContext(ctx, "sleep", "100").Run() },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := sleep(ctx)
		cancel()
		if err == nil {
			t.Errorf("%s: the command ended well", name)
		}
		waitFor(t, "sleep to be gone", func() bool {
			pids, err := n.Processes("sleep")
			return err == nil && len(pids) == 0
		})
	}
	// Nothing waits to be collected by the host, so the node ends by itself; one
	// that does not is killed after five seconds.
	start := time.Now()
	if err := n.Close(); err != nil || time.Since(start) > 4*time.Second {
		t.Errorf("Close took %v: %v", time.Since(start), err)
	}
}

func TestNodeCommandPassesTheExitStatusOn(t *testing.T) {
	n := newNode(t, "fw-a")
	cmd := n.Command("sh", "-c", "exit 3")
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("exit status %d, %v; want 3", cmd.ProcessState.ExitCode(), err)
	}
	out, err := n.Run(t.Context(), "sh", "-c", "echo out; echo err >&2; exit 4")
	if err == nil || out != "out\nerr\n" || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("Run = %q, %v", out, err)
	}
}

func TestNodeEnterOnTerminal(t *testing.T) {
	n := newNode(t, "fw-a")
	cmd := exec.Command("sh", "-c", "tty; hostname; stty size; echo pid $$")
	var tty *os.File
	err := n.Enter(func() (err error) {
		tty, err = pty.StartWithSize(cmd, &pty.Winsize{Rows: 12, Cols: 40})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	out, _ := io.ReadAll(tty) // EIO when the last user of the terminal is gone
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(out)), "\r", ""), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "/dev/pts/") || lines[1] != "fw-a" || lines[2] != "12 40" {
		t.Errorf("output = %q", lines)
	}
	if cmd.Process.Pid <= 0 || lines[3] == "pid "+itoa(cmd.Process.Pid) {
		t.Errorf("the program has the process ID %d inside the node too", cmd.Process.Pid)
	}
}

func TestNodeCloseEndsDaemons(t *testing.T) {
	n := newNode(t, "fw-a")
	run(t, n, "setsid", "--fork", "sh", "-c", "trap '' TERM HUP INT; exec sleep 100 >/dev/null 2>&1")
	namespace, err := os.Readlink("/proc/" + itoa(n.init.Process.Pid) + "/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	spaces := map[string]bool{namespace: true}
	before := holders(t, spaces)
	waitFor(t, "init, its cat, sleep and this test in the node", func() bool {
		before = holders(t, spaces)
		return len(before) >= 4
	})
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, before, spaces); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	if err := n.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestNewNodeHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := NewNode(ctx, "fw-a"); err == nil {
		n.Close()
		t.Error("NewNode with an ended context succeeded")
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
