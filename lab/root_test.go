package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Where the first process of a machine is confined to a directory of a mount namespace
// whose root is the host's, its files are those of the directory.
func TestEnterGoesToTheRootOfTheFirstProcess(t *testing.T) {
	dir := t.TempDir()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	first := exec.Command("/busybox", "cat")
	first.SysProcAttr = &syscall.SysProcAttr{Chroot: dir,
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	hold, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	defer first.Wait()
	defer hold.Close()
	m := &Machine{Node: &Node{name: "confined", pid: first.Process.Pid, root: -1, Namespace: &Namespace{handle: netns.None()}}}
	if err := m.isElsewhere(); err != nil {
		t.Fatal(err)
	}
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	defer m.release()
	name := "/" + filepath.Base(filepath.Dir(dir)) + "-written"
	defer os.Remove(name)
	if err := m.WriteFile(name, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Errorf("%s was written on this host", name)
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Error(err)
	}
}

func TestMachineWithTheRootOfThisHostIsRefused(t *testing.T) {
	m := &Machine{Node: &Node{name: "here", pid: os.Getpid()}}
	if err := m.isElsewhere(); err == nil || !strings.Contains(err.Error(), "root directory of this host") {
		t.Errorf("a machine that is this host: %v", err)
	}
}

func TestRelease(t *testing.T) {
	const mirror, other = "http://deb.example/debian", "http://deb.example/security"
	for _, tt := range []struct {
		name, codename, targets, release, mirror string
	}{
		{"code name", "bookworm", other + "|bookworm-security|bookworm-security|main\n" + mirror + "|bookworm|bookworm|main\n", "bookworm", mirror},
		{"suite before apt-get update", "bookworm", mirror + "|bookworm||main", "bookworm", mirror},
		{"suite", "trixie", mirror + "|stable|trixie|main", "trixie", mirror},
		{"sid by its name", "forky", mirror + "|sid|sid|main", "sid", mirror},
		{"sid as unstable", "forky", mirror + "|unstable||main", "sid", mirror},
		{"testing", "forky", mirror + "|testing|forky|main", "forky", mirror},
		{"no source", "bookworm", other + "|bookworm-security|bookworm-security|main\n", "", ""},
	} {
		got, err := findRelease(tt.codename, tt.targets)
		if got != (archive{tt.release, tt.mirror}) || (err == nil) != (tt.release != "") {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}
