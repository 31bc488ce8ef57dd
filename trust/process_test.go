package trust_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// setuidDirectory is a directory where a program may be setuid, seen by the test alone:
// those of temporary files, as Debian has them since 13, take that from a program
// (nosuid in mount(8)).
func setuidDirectory(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread() // not unlocked: the thread and what is mounted for it end with the test
	dir, err := os.MkdirTemp("", "trust")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV, "mode=755")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// becomesEnv has this test's program, where that is setuid, take every user ID of root's.
const becomesEnv = "CONNSYNC_TEST_BECOMES_ROOT"

// Who a process belongs to is what its user and its executable say.
func TestRuns(t *testing.T) {
	if os.Getenv(becomesEnv) != "" {
		if err := syscall.Setresuid(0, 0, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		return
	}
	dir := setuidDirectory(t)
	const nobody = 65534
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	copied := func(name string, owner int, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, binary, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	owned, theirs, open, setuid := copied("root", 0, 0o755), copied("nobody", nobody, 0o755), copied("open", 0, 0o757), copied("setuid", 0, 0o755|os.ModeSetuid)
	for _, tt := range []struct {
		name, path, program string
		uid                 uint32
		want                bool
	}{
		{"root's", owned, "", 0, true},
		{"root's, of another's file", theirs, "", 0, false},
		{"root's, of a file that others may write", open, "", 0, false},
		{"root's, of another's file that is the program", theirs, theirs, 0, true},
		{"another's", owned, owned, nobody, false},
		{"another's, of its own file", theirs, "", nobody, false},
		{"another's that is setuid", setuid, setuid, nobody, false},
	} {
		cmd := exec.Command(tt.path, "60")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.uid, Gid: tt.uid}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if tt.path == setuid {
			waitForUsers(t, cmd.Process.Pid, nobody)
		}
		got, err := trust.Runs(cmd.Process.Pid, tt.program)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err != nil || got != tt.want {
			t.Errorf("%s: %t, %v", tt.name, got, err)
		}
	}
	// A setuid program may take every user ID of root's, and is what another started.
	own, err := os.Executable()
	if err == nil {
		binary, err = os.ReadFile(own)
	}
	if err != nil {
		t.Fatal(err)
	}
	became := exec.Command(copied("became", 0, 0o755|os.ModeSetuid), "-test.run=^TestRuns$")
	became.Env = []string{becomesEnv + "=1"}
	became.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if err := became.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = became.Process.Kill(); _ = became.Wait() }()
	waitForUsers(t, became.Process.Pid, 0)
	if got, err := trust.Runs(became.Process.Pid, owned); err != nil || got {
		t.Errorf("another's that is setuid and has become root's: %t, %v", got, err)
	}
	// An update replaces the program of a daemon that runs.
	cmd := exec.Command(owned, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if err := os.Rename(theirs, owned); err != nil {
		t.Fatal(err)
	}
	if got, err := trust.Runs(cmd.Process.Pid, owned); err != nil || !got {
		t.Errorf("a process whose program was replaced: %t, %v", got, err)
	}
	if got, err := trust.Runs(1<<22+1, owned); err != nil || got {
		t.Errorf("no process: %t, %v", got, err)
	}
}

// A name that only begins as the one asked for, and one in an argument, are others.
func TestNamed(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	dir, name := t.TempDir(), fmt.Sprintf("named-%d", os.Getpid())
	start := func(program string, argument string) *exec.Cmd {
		if err := os.Symlink(sleep, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(dir, program), "60")
		cmd.Args[0] = argument
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		for limit := time.Now().Add(time.Minute); !trust.HasName(cmd.Process.Pid, program); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s never has its name", program)
			}
		}
		return cmd
	}
	start(name+"2", name)
	wanted := start(name, "another")
	if found, err := trust.Named(name); err != nil || !slices.Equal(found, []int{wanted.Process.Pid}) {
		t.Errorf("%v, %v; want %d alone", found, err, wanted.Process.Pid)
	}
	_ = wanted.Process.Kill()
	_ = wanted.Wait()
	if found, err := trust.Named(name); err != nil || len(found) != 0 {
		t.Errorf("%v, %v: it has ended", found, err)
	}
}

// waitForUsers waits until a process has this real and root's effective user ID, soon
// after its setuid program has begun.
func waitForUsers(t *testing.T, pid, uid int) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t0\t", uid)) {
			return
		}
		if err != nil || time.Now().After(limit) {
			t.Errorf("its program is not setuid here: %v\n%s", err, status)
			return
		}
	}
}
