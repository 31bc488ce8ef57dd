package service_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/service"
	"connsync/lab"
)

// initService is a service that an init script starts, and what the tools of
// its service manager say of the boot.
type initService struct {
	init   lab.Init
	name   string
	make   func() (service.Service, *time.Duration)
	atBoot string // shell, succeeds where it starts at boot
}

func initServices() []initService {
	direct := &service.Direct{Config: configPath}
	return []initService{
		{
			init: lab.SysV, name: "/etc/init.d/conntrackd",
			make: func() (service.Service, *time.Duration) {
				s := service.NewSysV(direct)
				return s, &s.Wait
			},
			atBoot: "ls /etc/rc2.d/S*conntrackd",
		},
		{
			init: lab.OpenRC, name: "conntrackd, by OpenRC",
			make: func() (service.Service, *time.Duration) {
				s := service.NewOpenRC(direct)
				return s, &s.Wait
			},
			atBoot: "rc-update show default | grep -qw conntrackd",
		},
	}
}

// The scripts of Debian's package, under its two other inits, with the faults
// that they have.
func TestInitScriptsOnDebian(t *testing.T) {
	if name := os.Getenv(insideVariable); name != "" {
		for _, s := range initServices() {
			if string(s.init) == name {
				s.inside(t)
			}
		}
		return
	}
	binary := buildInside(t)
	for _, s := range initServices() {
		t.Run(string(s.init), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
			defer cancel()
			m, err := lab.Boot(ctx, lab.MachineOptions{Debian: lab.Debian{Init: s.init}})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if err := m.CopyIn(binary, "/usr/local/bin/inside"); err != nil {
				t.Fatal(err)
			}
			if err := m.WriteFile(configPath, []byte(initFile)); err != nil {
				t.Fatal(err)
			}
			out, err := m.Run(ctx, "env", insideVariable+"="+string(s.init), "/usr/local/bin/inside", "-test.v", "-test.run=^TestInitScriptsOnDebian$")
			if err != nil || !strings.Contains(out, "--- PASS: TestInitScriptsOnDebian") {
				t.Fatalf("inside the machine: %v\n%s", err, out)
			}
		})
	}
}

// initFile is goodFile for a daemon that nobody's sd_notify waits for.
var initFile = strings.Replace(goodFile, "Systemd on", "Systemd off", 1)

func (i initService) inside(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(*testing.T, service.Service, *time.Duration)
	}{
		{"found", i.found}, {"restart", i.restart}, {"killed", i.killed}, {"bad file", i.badFile},
		{"boot", i.boot}, {"another file", i.anotherFile}, {"hangs", i.hangs}, {"masked", i.masked}, {"absent", i.absent},
		{"script of OpenRC's own", i.ownScript}, {"supervised", i.supervised},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, wait := i.make()
			c.test(t, s, wait)
		})
	}
}

func (i initService) found(t *testing.T, _ service.Service, _ *time.Duration) {
	s, err := service.Find(t.Context(), "auto", &service.Direct{Config: configPath})
	if err != nil || s.Name() != i.name {
		t.Errorf("found %v, %v", s, err)
	}
}

func (i initService) restart(t *testing.T, s service.Service, _ *time.Duration) {
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A save may have given the daemon another socket than the one that runs has.
	write(t, strings.Replace(initFile, "conntrackd.ctl", "other.ctl", 1))
	began := time.Now()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a restart with another socket took %v", took)
	}
	write(t, initFile)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := state(t, s)
	if !first.Present || !first.Active || !first.Enabled || first.Masked || first.Notify || first.Unbooted || first.MainPID == 0 || first.Since.IsZero() {
		t.Errorf("restarted: %+v", first)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if second := state(t, s); second.MainPID == first.MainPID || !second.Active {
		t.Errorf("restarted again: %+v, before %+v", second, first)
	}
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := state(t, s); got.Active || got.MainPID != 0 || !strings.HasPrefix(got.Detail, "stopped") {
		t.Errorf("stopped: %+v", got)
	}
	if out := command("pidof", "conntrackd"); !strings.Contains(out, "exit status") {
		t.Errorf("after the stop there is process %s", out)
	}
}

// A killed daemon leaves its lock, beside which none starts.
func (i initService) killed(t *testing.T, s service.Service, _ *time.Duration) {
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	command("kill", "-KILL", fmt.Sprint(state(t, s).MainPID))
	for state(t, s).Active {
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := os.Stat("/var/lock/conntrackd.lock"); err != nil {
		t.Fatalf("there is no stale lock: %v", err)
	}
	if got := state(t, s); !got.Killed || got.HalfEnabled() != "" || !strings.Contains(got.Detail, "crashed") {
		t.Errorf("killed: %+v", got)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := state(t, s); !got.Active {
		t.Errorf("state %+v", got)
	}
}

func (i initService) badFile(t *testing.T, s service.Service, _ *time.Duration) {
	write(t, strings.Replace(initFile, "Checksum on", "Banana on", 1))
	err := s.Restart(t.Context())
	wantRefusal(t, err, service.ErrFailed, "symbol 'Banana'")
	wantLine(t, err, "symbol 'Banana'")
	if got := state(t, s); got.Active {
		t.Errorf("state %+v", got)
	}
	write(t, initFile)
	if err := s.Restart(t.Context()); err != nil {
		t.Error(err)
	}
}

func (i initService) boot(t *testing.T, s service.Service, _ *time.Duration) {
	check := func(when string, want bool) {
		t.Helper()
		_, failed := strings.CutSuffix(command("sh", "-c", i.atBoot+" >/dev/null && echo yes"), "yes")
		if got := state(t, s); got.Enabled != want || failed != want {
			t.Errorf("%s: %+v, its tools: %v", when, got, failed)
		}
	}
	before := state(t, s)
	for range 2 {
		if err := s.Disable(t.Context()); err != nil {
			t.Fatal(err)
		}
		check("disabled", false)
	}
	for range 2 {
		if err := s.Enable(t.Context()); err != nil {
			t.Fatal(err)
		}
		check("enabled", true)
	}
	if i.init == lab.SysV { // what an administrator or another tool has taken away
		command("update-rc.d", "-f", "conntrackd", "remove")
		check("removed", false)
		if err := s.Enable(t.Context()); err != nil {
			t.Fatal(err)
		}
		check("enabled again", true)
	}
	if after := state(t, s); after.MainPID != before.MainPID {
		t.Errorf("the daemon was touched: %+v, before %+v", after, before)
	}
}

// The script has been told to run the daemon with another file than ours.
func (i initService) anotherFile(t *testing.T, s service.Service, _ *time.Duration) {
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"/etc/default/conntrackd": "CONFIG=/etc/conntrackd/other.conf\n", "/etc/conntrackd/other.conf": initFile} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantRefusal(t, s.Restart(t.Context()), service.ErrFailed, "with /etc/conntrackd/other.conf; see CONFIG in /etc/default/conntrackd")
	command("sh", "-c", "rm /etc/default/conntrackd; conntrackd -C /etc/conntrackd/other.conf -k; while pidof conntrackd; do sleep 0.1; done")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (i initService) hangs(t *testing.T, s service.Service, wait *time.Duration) {
	defer scriptAs(t, "#!/bin/sh\n[ \"$1\" != start ] || exec sleep 60\nconntrackd -k\n")()
	*wait = 2 * time.Second
	began := time.Now()
	wantRefusal(t, s.Restart(t.Context()), service.ErrTimeout, "was ended after 2s")
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func (i initService) masked(t *testing.T, s service.Service, _ *time.Duration) {
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	command("chmod", "-x", "/etc/init.d/conntrackd")
	defer command("chmod", "+x", "/etc/init.d/conntrackd")
	if got := state(t, s); !got.Masked || !got.Active || got.Unmask != "chmod +x /etc/init.d/conntrackd" {
		t.Errorf("state %+v", got)
	}
	wantRefusal(t, s.Restart(t.Context()), service.ErrMasked, "chmod +x /etc/init.d/conntrackd")
	wantRefusal(t, s.Enable(t.Context()), service.ErrMasked, "is not executable")
	if err := s.Stop(t.Context()); err != nil || state(t, s).Active {
		t.Errorf("stopped: %v, %+v", err, state(t, s))
	}
}

func (i initService) absent(t *testing.T, s service.Service, _ *time.Duration) {
	command("mv", "/etc/init.d/conntrackd", "/root/conntrackd")
	defer command("mv", "/root/conntrackd", "/etc/init.d/conntrackd")
	if got := state(t, s); got.Present || got.Enabled {
		t.Errorf("state %+v", got)
	}
	wantRefusal(t, s.Restart(t.Context()), service.ErrNotFound, "there is no /etc/init.d/conntrackd")
	wantRefusal(t, s.Enable(t.Context()), service.ErrNotFound, "")
	for _, call := range []func(context.Context) error{s.Stop, s.Disable} {
		if err := call(t.Context()); err != nil {
			t.Error(err)
		}
	}
	direct := &service.Direct{Config: configPath}
	if found, err := service.Find(t.Context(), "auto", direct); err != nil || found != service.Service(direct) {
		t.Errorf("found %v, %v", found, err)
	}
}

// A script as Gentoo and Alpine have it: OpenRC keeps a state of its own, and
// does not start what it takes for started, be it killed or not.
func (i initService) ownScript(t *testing.T, s service.Service, _ *time.Duration) {
	if i.init != lab.OpenRC {
		return
	}
	defer scriptAs(t, "#!/sbin/openrc-run\ncommand=/usr/sbin/conntrackd\ncommand_args=\"-C /etc/conntrackd/conntrackd.conf\"\n"+
		"command_background=yes\npidfile=/run/conntrackd.pid\n")()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := state(t, s)
	if !first.Active || !strings.HasSuffix(first.Detail, "OpenRC says: started") {
		t.Errorf("started: %+v", first)
	}
	command("kill", "-KILL", fmt.Sprint(first.MainPID))
	for state(t, s).Active {
		time.Sleep(10 * time.Millisecond)
	}
	if got := state(t, s); strings.HasSuffix(got.Detail, "OpenRC says: stopped") {
		t.Errorf("OpenRC knows that the daemon is gone, the test shows nothing: %+v", got)
	}
	for range 2 {
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := state(t, s); got.Active || !strings.HasSuffix(got.Detail, "OpenRC says: stopped") {
		t.Errorf("stopped: %+v", got)
	}
	write(t, "Banana")
	defer write(t, initFile)
	wantRefusal(t, s.Restart(t.Context()), service.ErrFailed, "Banana")
	i.needed(t, s)
	i.ownOtherFile(t, s)
}

// A supervisor outlives the daemon, and lets no other start before it has ended.
func (i initService) supervised(t *testing.T, s service.Service, _ *time.Duration) {
	if i.init != lab.OpenRC {
		return
	}
	defer scriptAs(t, "#!/sbin/openrc-run\nsupervisor=supervise-daemon\ncommand=/usr/sbin/conntrackd\ncommand_args=\"-C /etc/conntrackd/conntrackd.conf\"\n"+
		"respawn_delay=1\nrespawn_max=0\npidfile=/run/conntrackd.pid\n")()
	defer command("pkill", "supervise-daemo")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := state(t, s)
	command("kill", "-KILL", fmt.Sprint(first.MainPID))
	time.Sleep(3 * time.Second) // it tries to start it again, beside the lock
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := state(t, s); !got.Active || got.MainPID == first.MainPID || !strings.HasSuffix(got.Detail, "OpenRC says: started") {
		t.Errorf("started again: %+v", got)
	}
	if of := command("pgrep", "-c", "supervise-daemo"); of != "1" {
		t.Errorf("there are %s supervisors", of)
	}
	if err := s.Stop(t.Context()); err != nil || state(t, s).Active {
		t.Errorf("stopped: %v, %+v", err, state(t, s))
	}
}

// scriptAs replaces the init script until the returned function is called.
func scriptAs(t *testing.T, text string) (putBack func()) {
	t.Helper()
	old, err := os.ReadFile("/etc/init.d/conntrackd")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/etc/init.d/conntrackd", []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile("/etc/init.d/conntrackd", old, 0o755); err != nil {
			t.Error(err)
		}
	}
}
