package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/vishvananda/netlink"
)

// bootMachine boots a machine for one test. The first one on a host takes the
// minute that building its Debian takes.
func bootMachine(t *testing.T, opts MachineOptions) *Machine {
	t.Helper()
	if _, err := NewDebian(within(t, 8*time.Minute)); err != nil {
		t.Fatal(err)
	}
	m, err := Boot(within(t, time.Minute), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close %s: %v", m.Name(), err)
		}
	})
	return m
}

func inMachine(t *testing.T, m *Machine, name string, args ...string) string {
	t.Helper()
	out, err := m.Run(within(t, 20*time.Second), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestMachineIsADebianWithTheStockService(t *testing.T) {
	start := time.Now()
	m := bootMachine(t, MachineOptions{Name: "fw-a"})
	t.Logf("booted in %v", time.Since(start))
	for _, test := range []struct {
		command, want string
	}{
		{"hostname", "fw-a"},
		{"cat /proc/1/comm", "systemd"},
		{"systemctl is-system-running", "running"},
		{"systemctl is-active conntrackd", "active"},
		{"systemctl is-enabled conntrackd", "enabled"},
		{"systemctl show -P Type conntrackd", "notify"},
		{"busctl --system get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager SystemState", `s "running"`},
		{"ls /sys/class/net", "lo"},
		{"journalctl -q -u conntrackd -o cat --grep 'initialization completed' -n 1", "initialization completed"},
		{"echo 1 >/proc/sys/net/netfilter/nf_conntrack_events && cat /proc/sys/net/netfilter/nf_conntrack_events", "1"},
		{"ip link add d0 type veth peer name d1 && nft add table inet x && nft list tables", "table inet x"},
	} {
		if got := inMachine(t, m, "sh", "-c", test.command); !strings.HasSuffix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.command, got, test.want)
		}
	}
}

// What one machine writes, neither the tree nor another machine sees; what it
// is connected to, it sees before and after a reboot.
func TestMachineKeepsFilesAndNetworkOverAReboot(t *testing.T) {
	n, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	far, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if err := Veth(n, "eth1", far, "eth1"); err != nil {
		t.Fatal(err)
	}
	m := bootMachine(t, MachineOptions{Network: n})
	other := bootMachine(t, MachineOptions{Name: "other"})
	if err := m.WriteFile("/etc/marker", []byte("kept\n")); err != nil {
		t.Fatal(err)
	}
	inMachine(t, m, "systemctl", "disable", "--now", "conntrackd")
	before := inMachine(t, m, "cat", "/proc/sys/kernel/random/boot_id")
	start := time.Now()
	if err := m.Reboot(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Logf("rebooted in %v", time.Since(start))
	if after := inMachine(t, m, "cat", "/proc/sys/kernel/random/boot_id"); after == before {
		t.Error("it did not boot again")
	}
	if got := inMachine(t, m, "sh", "-c", "cat /etc/marker; ls /sys/class/net; systemctl is-active conntrackd || true"); got != "kept\neth1\nlo\ninactive" {
		t.Errorf("after the reboot: %q", got)
	}
	err = m.Do(func() error {
		_, err := netlink.LinkByName("eth1")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if out := inMachine(t, other, "sh", "-c", "ls /etc/marker || true; systemctl is-active conntrackd"); !strings.HasSuffix(out, "active") || strings.HasPrefix(out, "/etc/marker") {
		t.Errorf("the other machine: %q", out)
	}
	tree, err := NewDebian(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(tree, "etc/marker")); !os.IsNotExist(err) {
		t.Errorf("the tree has the machine's file: %v", err)
	}
}

func TestMachineTerminalAndFiles(t *testing.T) {
	m := bootMachine(t, MachineOptions{Name: "fw-a"})
	source := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(source, []byte("#!/bin/sh\ntty; hostname; stty size\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.CopyIn(source, "/usr/local/bin/program"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/local/bin/program")
	var tty *os.File
	err := m.Enter(func() (err error) {
		tty, err = pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	out, _ := io.ReadAll(tty) // EIO at its end
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(out)), " ")
	if want := "/dev/pts/0 fw-a 24 80"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

func TestMachineLeavesNothing(t *testing.T) {
	m := bootMachine(t, MachineOptions{})
	place := *m.place
	pids := place.processes()
	if len(pids) < 5 {
		t.Fatalf("the machine has the processes %v", pids)
	}
	start := time.Now()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %v", time.Since(start))
	checkGone(t, place, pids)
	if err := m.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// machineVariable makes this test binary hold a machine until it is killed.
const machineVariable = "CONNSYNC_LAB_HOLD_A_MACHINE"

func holdMachine() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	m, err := Boot(ctx, MachineOptions{})
	cancel()
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("holding", m.place.dir, strings.Join(m.place.groups, " "))
	select {}
}

// The process that booted a machine is killed outright: the machine ends by
// itself, and the next place that is made removes what is left of the old one.
func TestKilledLabTakesItsMachineAlong(t *testing.T) {
	if _, err := NewDebian(within(t, 8*time.Minute)); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), machineVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "holding" {
		cmd.Process.Kill()
		t.Fatalf("the child said %q", line)
	}
	left := place{name: filepath.Base(words[1]), dir: words[1], groups: words[2:]}
	pids := left.processes()
	if len(pids) < 5 {
		t.Errorf("the machine has the processes %v", pids)
	}
	cmd.Process.Kill()
	cmd.Wait()
	waitFor(t, "the machine to end", func() bool { return len(left.processes()) == 0 })
	if _, err := os.Stat(left.dir); err != nil {
		t.Errorf("nothing to sweep: %v", err)
	}
	next, err := newPlace(within(t, time.Minute), filepath.Dir(left.dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := next.remove(); err != nil {
		t.Error(err)
	}
	checkGone(t, left, nil)
}

func checkGone(t *testing.T, p place, pids []int) {
	t.Helper()
	for _, path := range append([]string{p.dir, "/run/systemd/nspawn/propagate/" + p.name}, p.groups...) {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	for _, pid := range pids {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			t.Errorf("process %d still runs", pid)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), p.name) {
		t.Errorf("a mount of %s is left", p.name)
	}
}

// A build that is cut short leaves neither a tree that looks whole nor half of one.
func TestNewDebianCutShort(t *testing.T) {
	cache := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	if root, err := (Debian{}).tree(ctx, cache); err == nil {
		t.Fatalf("built %s in no time", root)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("gave up after %v", took)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if filepath.Base(path) != "build.lock" {
			t.Errorf("left: %q", left)
		}
	}
}

func TestBootHonoursItsContext(t *testing.T) {
	if _, err := NewDebian(within(t, 8*time.Minute)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	m, err := Boot(ctx, MachineOptions{})
	if err == nil {
		m.Close()
		t.Fatal("it booted in no time")
	}
	if took := time.Since(start); took > 7*time.Second {
		t.Errorf("Boot gave up after %v: %v", took, err)
	}
	// Other tests' places come and go; none is made meanwhile, before it is locked.
	places := filepath.Join(cacheDirectory, "machines")
	unlock, err := lockFile(t.Context(), filepath.Join(places, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	left, err := filepath.Glob(filepath.Join(places, placePrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range left {
		if f, err := tryLock(filepath.Join(dir, "lock")); err == nil {
			f.Close()
			t.Errorf("%s is left", dir)
		}
	}
}
