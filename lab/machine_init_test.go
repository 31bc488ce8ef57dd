package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Debian boots with its other init systems too, and comes back from a reboot,
// which one of them shows for both.
func TestMachineWithAnotherInit(t *testing.T) {
	for _, test := range []struct {
		init          Init
		command, want string
	}{
		{SysV, "runlevel; pidof -x conntrackd >/dev/null && echo runs", "N 2\nruns"},
		{OpenRC, "rc-status -r; pidof -x conntrackd >/dev/null && echo runs", "default\nruns"},
	} {
		t.Run(string(test.init), func(t *testing.T) {
			t.Parallel()
			d := Debian{Init: test.init}
			if _, err := d.Tree(within(t, 8*time.Minute)); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			m := bootMachine(t, MachineOptions{Name: "fw-a", Debian: d})
			t.Logf("booted in %v", time.Since(start))
			if got := inMachine(t, m, "cat", "/proc/1/comm"); got != "init" {
				t.Errorf("the first process is %s", got)
			}
			if got := inMachine(t, m, "sh", "-c", test.command); got != test.want {
				t.Errorf("%s: %q, want %q", test.command, got, test.want)
			}
			if test.init != SysV {
				return
			}
			if err := m.WriteFile("/etc/marker", []byte("kept\n")); err != nil {
				t.Fatal(err)
			}
			start = time.Now()
			if err := m.Reboot(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			t.Logf("rebooted in %v", time.Since(start))
			if got := inMachine(t, m, "sh", "-c", "cat /etc/marker && touch /etc/writable && hostname"); got != "kept\nfw-a" {
				t.Errorf("after the reboot: %q", got)
			}
		})
	}
}

// What nspawn is told depends on the systemd in the tree, wherever its library is.
func TestSystemdVersion(t *testing.T) {
	for path, want := range map[string]int{
		"usr/lib/systemd/libsystemd-shared-247.so":                    247,
		"usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-262.so":   262,
		"usr/lib/systemd/libsystemd-shared-252.39-1~deb12u2.so":       252,
		"usr/lib/x86_64-linux-gnu/systemd/libsystemd-core-262.so":     0,
		"usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-other.so": 0,
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := systemdVersion(root); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}
