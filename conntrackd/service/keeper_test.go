package service

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKeeperIsTheParentThatStartsTheDaemonAgain(t *testing.T) {
	dir := t.TempDir()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		parent, arguments, want, restart string
		detached                         bool
	}{
		{parent: "procd", want: "procd", restart: "/etc/init.d/conntrackd restart"},
		{parent: "runsv", arguments: "conntrackd", want: "runit", restart: "sv restart conntrackd"},
		{parent: "s6-supervise", arguments: "sync", want: "s6", restart: "s6-svc -r /run/service/sync"},
		{parent: "supervise-daemon", want: "OpenRC's supervise-daemon", restart: "rc-service conntrackd restart"},
		{parent: "watch-it", want: "watch-it"},
		{parent: "systemd"},
		{parent: "procd", detached: true},
	} {
		t.Run(test.parent, func(t *testing.T) {
			at := filepath.Join(dir, test.parent)
			if err := os.WriteFile(at, program, 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(at)
			cmd.Args = append([]string{test.parent}, "/dev/stdin")
			if test.arguments != "" {
				script := filepath.Join(dir, test.arguments)
				if err := os.WriteFile(script, []byte("echo up; read line"), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd.Args[1] = script
			} else {
				cmd.Args = []string{test.parent, "-c", "echo up; read line"}
			}
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer in.Close()
			if _, err := out.Read(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
			got := process{pid: os.Getpid(), parent: cmd.Process.Pid, detached: test.detached}.keeper()
			if got.Name != test.want || got.Restart != test.restart {
				t.Errorf("keeper %+v", got)
			}
		})
	}
	if got := (process{pid: os.Getpid()}).keeper(); got.Name != "the program that runs this container" {
		t.Errorf("without a parent: %v", got)
	}
}

func TestContainerIsNamedByItsControlGroup(t *testing.T) {
	for cgroups, want := range map[string]string{
		"0::/system.slice/docker-0a1b.scope\n":                               "a Docker container",
		"0::/machine.slice/libpod-0a1b.scope/container\n":                    "a Podman container",
		"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-0a1b.scope\n": "a Kubernetes pod",
		"0::/lxc.payload.a\n":                                                "an LXC container",
		"0::/user.slice/session-1.scope\n":                                   "",
	} {
		if got := containerIn(cgroups); got != want {
			t.Errorf("%q: %q, want %q", cgroups, got, want)
		}
	}
}

// likeDaemon makes a directory with what looks like a daemon: a shell of its name, whose
// configuration file is a script that makes the file "up" and waits. The shell "watch-it"
// beside it is for its parent.
func likeDaemon(t *testing.T) (at func(name string) string) {
	t.Helper()
	dir := t.TempDir()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	at = func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"conntrackd", "watch-it"} {
		if err := os.WriteFile(at(name), program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("conf"), []byte(": >"+at("up")+"; trap 'exit 0' TERM; while :; do read line <"+at("never")+"; done"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfifo", at("never")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return at
}

// A daemon that something else runs may be started by that at boot, though no service of
// conntrackd's is.
func TestBootOfAKeptDaemonIsNotKnown(t *testing.T) {
	for _, test := range []struct {
		keeper  string
		command []string
		known   bool
	}{
		{"", []string{"conntrackd", "-C"}, true},
		{"watch-it", []string{"watch-it", "-c"}, false},
	} {
		t.Run(cmp.Or(test.keeper, "none"), func(t *testing.T) {
			at := likeDaemon(t)
			argument := at("conf")
			if !test.known {
				argument = at("conntrackd") + " -C " + at("conf") + " & wait"
			}
			d := &Direct{Binary: at("conntrackd"), Config: at("conf"), LockFile: at("lock"), LogFile: at("log"), NoBoot: true}
			command := exec.Command(at(test.command[0]), test.command[1], argument)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				running, err := d.running()
				for _, p := range running {
					_, _ = killProcess(context.Background(), p)
				}
				_ = command.Wait()
				if err != nil {
					t.Error(err)
				}
			})
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(at("up")); err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("it has not started")
				}
			}
			state, err := d.State(t.Context())
			if boot := state.AtBoot(); err != nil || !state.Active || state.Keeper.Name != test.keeper || (boot != nil) != test.known || test.known && *boot {
				t.Errorf("%v: %+v, at boot %v", err, state, boot)
			}
		})
	}
}

// A daemon that was put into the background and comes back: its parent tells nothing.
func TestDirectTellsADaemonThatComesBack(t *testing.T) {
	at := likeDaemon(t)
	if err := os.WriteFile(at("fails"), []byte("#!/bin/sh\n"+at("conntrackd")+" -C "+at("conf")+" >/dev/null 2>&1 </dev/null &\nuntil [ -e "+at("up")+" ]; do sleep 0.01; done\necho '[ERROR] lock file exists' >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := &Direct{Binary: at("fails"), Config: at("conf"), LockFile: at("lock"), LogFile: at("log")}
	t.Cleanup(func() {
		if running, err := d.running(); err == nil {
			for _, p := range running {
				_, _ = killProcess(t.Context(), p)
			}
		}
	})
	err := d.Restart(t.Context())
	if err == nil || !strings.Contains(err.Error(), "was started again") {
		t.Error(err)
	}
}
