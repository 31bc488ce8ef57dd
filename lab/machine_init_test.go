package lab

import (
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
