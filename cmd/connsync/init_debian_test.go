package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"connsync/lab"
	"connsync/tui/text"
)

// The whole job on Debians without systemd: found, applied, two-way, unchanged
// the second time, rolled back where the daemon does not start, running after a
// reboot and disabled.
func TestDebianWithoutSystemd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		init     lab.Init
		commands []string // of the review; the package has enabled conntrackd
	}{
		{lab.SysV, []string{"/etc/init.d/conntrackd stop", "/etc/init.d/conntrackd start"}},
		{lab.OpenRC, []string{"rc-service --nodeps conntrackd stop", "rc-service conntrackd start"}},
	} {
		t.Run(string(test.init), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
			defer cancel()
			program := build(t)
			machine, peer := debianAndPeer(t, ctx, lab.Debian{Init: test.init})
			if err := machine.CopyIn(program, "/usr/sbin/connsync"); err != nil {
				t.Fatal(err)
			}
			j := initJob{t, ctx, machine}
			if out, err := peer.Run(ctx, program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
				"--current-ip", "10.0.0.102/24", "--peer-ip", "10.0.0.101/24"); err != nil {
				t.Fatalf("apply on the peer: %v\n%s", err, out)
			}
			apply := []string{"apply", "--json", "--enable", "--interface", lab.SyncInterface, "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24"}

			var dry reviewed
			j.json(0, &dry, append(apply, "--dry-run")...)
			if !dry.Changed || !slices.Equal(dry.Commands[1:], test.commands) {
				t.Errorf("the review has the commands %q", dry.Commands)
			}
			var first, second text.Applied
			j.json(0, &first, apply...)
			if !first.Changed || first.Verdict != "two-way" {
				t.Errorf("first apply: %+v", first)
			}
			saved := j.file()
			pid := j.shell("pidof conntrackd")
			j.json(0, &second, apply...)
			if second.Changed || j.shell("pidof conntrackd") != pid {
				t.Errorf("second apply: %+v", second)
			}

			// Another start than the dry one fails: the old file and daemon are back.
			j.shell("sed -i 's/^DAEMON=.*/DAEMON=\\/opt\\/conntrackd/' /etc/init.d/conntrackd")
			j.shell("printf '#!/bin/sh\\n! grep -q 3790 /etc/conntrackd/conntrackd.conf || exit 1\\nexec /usr/sbin/conntrackd \"$@\"\\n' >/opt/conntrackd; chmod +x /opt/conntrackd")
			var failed text.Applied
			j.json(1, &failed, append(apply, "--port", "3790", "--first-node")...)
			if failed.Changed || !failed.RolledBack || j.file() != saved || j.shell("pidof conntrackd") == pid {
				t.Errorf("an apply whose start fails: %+v", failed)
			}
			j.run(0, "status")

			if err := machine.Reboot(ctx); err != nil {
				t.Fatal(err)
			}
			// These inits end with the interfaces down, and nothing on this host
			// sets them up at boot.
			j.shell("ip link set " + lab.SyncInterface + " up")
			j.await("status")
			j.awaitShell("! timeout 1 connsync refresh --every auto && test -n \"$(pidof connsync)\"") // it runs from boot on
			if said := j.run(0, "unprepare"); !strings.Contains(said, "connsync-refresh: stop, and do not start at boot") {
				t.Errorf("unprepare says:\n%s", said)
			}
			if left := j.shell("ls -d /etc/init.d/connsync-* /etc/rc?.d/*connsync-refresh /etc/runlevels/*/connsync-refresh 2>/dev/null || true; pidof connsync || true"); left != "" {
				t.Errorf("unprepare left %s", left)
			}
			var disabled text.Applied
			j.json(0, &disabled, "apply", "--json", "--disable")
			if !disabled.Changed || j.file() != saved {
				t.Errorf("disabled: %+v", disabled)
			}
			var now struct{ Enabled *bool }
			j.json(0, &now, "show", "--json")
			if now.Enabled == nil || *now.Enabled || j.shell("pidof conntrackd || true") != "" {
				t.Errorf("after disabling: %+v", now)
			}
		})
	}
}

// initJob runs the program on a machine.
type initJob struct {
	t       *testing.T
	ctx     context.Context
	machine *lab.Machine
}

func (j initJob) run(status int, args ...string) string {
	j.t.Helper()
	cmd := j.machine.CommandContext(j.ctx, "/usr/sbin/connsync", args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		j.t.Fatalf("connsync %s: %v, want status %d\n%s%s", strings.Join(args, " "), err, status, out, &complaint)
	}
	return string(out)
}

func (j initJob) json(status int, into any, args ...string) {
	j.t.Helper()
	out := j.run(status, args...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		j.t.Fatalf("connsync %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// await runs a command until it succeeds.
func (j initJob) await(args ...string) { j.awaitShell("/usr/sbin/connsync " + strings.Join(args, " ")) }

func (j initJob) awaitShell(script string) {
	j.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		out, err := j.machine.Run(j.ctx, "sh", "-c", script)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			j.t.Fatalf("%s: %v\n%s", script, err, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (j initJob) shell(script string) string {
	j.t.Helper()
	out, err := j.machine.Run(j.ctx, "sh", "-c", script)
	if err != nil {
		j.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (j initJob) file() string {
	j.t.Helper()
	content, err := j.machine.ReadFile(lab.ConfigPath)
	if err != nil {
		j.t.Fatal(err)
	}
	return string(content)
}
