package service_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/service"
)

// What needs the daemon goes on without it, and starts the daemon at boot.
func (i initService) needed(t *testing.T, s service.Service) {
	write(t, initFile)
	if err := errors.Join(s.Restart(t.Context()), s.Disable(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/etc/init.d/ha", []byte("#!/sbin/openrc-run\ndepend() {\n\tneed conntrackd\n}\nstart() {\n\t:\n}\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	command("rc-service", "ha", "start")
	if got := state(t, s); got.StartedBy != "" || *got.AtBoot() {
		t.Errorf("started by %q, at boot %v", got.StartedBy, *got.AtBoot())
	}
	command("rc-update", "add", "ha", "default")
	if got := state(t, s); got.StartedBy != "ha" || !*got.AtBoot() || got.Enabled {
		t.Errorf("started by %q, at boot %v: %+v", got.StartedBy, *got.AtBoot(), got)
	}
	process := state(t, s).MainPID
	if err := s.Restart(t.Context()); err != nil || state(t, s).MainPID == process {
		t.Errorf("restart: %v, %+v", err, state(t, s))
	}
	if err := s.Stop(t.Context()); err != nil || state(t, s).Active {
		t.Errorf("stop: %v, %+v", err, state(t, s))
	}
	if got := command("rc-service", "ha", "status"); !strings.Contains(got, "started") {
		t.Errorf("what needs it: %s", got)
	}
	if err := errors.Join(s.Enable(t.Context()), s.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// What OpenRC has started with another file is not taken for what is left of ours.
func (i initService) ownOtherFile(t *testing.T, s service.Service) {
	const other = "/etc/conntrackd/ha.conf"
	if err := errors.Join(s.Stop(t.Context()), os.WriteFile(other, []byte(initFile), 0o600)); err != nil {
		t.Fatal(err)
	}
	shell(t, "sed -i s,/etc/conntrackd/conntrackd.conf,"+other+", /etc/init.d/conntrackd; rc-service conntrackd start")
	defer func() {
		shell(t, "rc-service conntrackd stop; sed -i s,"+other+",/etc/conntrackd/conntrackd.conf, /etc/init.d/conntrackd")
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if d, ok := service.Stranger(configPath, 0); ok && d.Config == other {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no daemon with the other file runs")
		}
	}
	err := service.Misplaced(t.Context(), s, state(t, s), configPath)
	if err == nil || !strings.Contains(err.Error(), "runs with another file, "+other+", and not with "+configPath+"; save that one (connsync --config "+other+")") {
		t.Errorf("before a save: %v", err)
	}
	if err := service.Misplaced(t.Context(), s, state(t, s), other); err != nil {
		t.Errorf("with its own file: %v", err)
	}
}
