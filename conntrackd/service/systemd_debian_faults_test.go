package service_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/service"
)

func masked(t *testing.T) {
	s := service.NewSystemd("")
	wantRefusal(t, s.Restart(t.Context()), service.ErrMasked, "systemctl unmask conntrackd.service")
	wantRefusal(t, s.Enable(t.Context()), service.ErrMasked, "systemctl unmask conntrackd.service")
	if got := state(t, s); !got.Present || !got.Active || got.Enabled || !strings.HasPrefix(got.Detail, "masked") {
		t.Errorf("masked while it runs: %+v", got)
	}
	if err := s.Disable(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if got := state(t, s); got.Active || got.Detail != "masked" {
		t.Errorf("stopped: %+v", got)
	}
}

func absent(t *testing.T) {
	s := service.NewSystemd("")
	wantRefusal(t, s.Restart(t.Context()), service.ErrNotFound, "restart conntrackd.service")
	wantRefusal(t, s.Enable(t.Context()), service.ErrNotFound, "enable conntrackd.service")
	if err := s.Disable(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if got := state(t, s); got.Present || got.Detail != "not-found" {
		t.Errorf("state %+v", got)
	}
	direct := &service.Direct{Config: configPath}
	found, err := service.Find(t.Context(), "auto", direct)
	if err != nil || found != service.Service(direct) {
		t.Errorf("found %v, %v; want the direct one", found, err)
	}
}

func dies(t *testing.T) {
	err := service.NewSystemd("").Restart(t.Context())
	want := "Result: exit-code, status=124"
	if again := "ended and was started again as process"; err != nil && strings.Contains(err.Error(), again) {
		want = again // seen late: systemd has forgotten how it ended
	}
	wantRefusal(t, err, service.ErrUnstable, want)
	wantLine(t, err, "initialization completed")
}

func anotherType(t *testing.T) {
	s := service.NewSystemd("")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := state(t, s); !got.Active || got.Notify {
		t.Errorf("state %+v", got)
	}
	// Without notification the job succeeds before the daemon has read its
	// file; only watching it finds out.
	write(t, "Banana\n")
	err := s.Restart(t.Context())
	wantRefusal(t, err, service.ErrUnstable, "status=1")
	wantLine(t, err, "symbol 'Banana'")
}

func noInstall(t *testing.T) {
	s := service.NewSystemd("")
	wantRefusal(t, s.Enable(t.Context()), service.ErrRefused, "[Install]")
	if err := s.Disable(t.Context()); err != nil {
		t.Error(err)
	}
}

func disableAndStop(t *testing.T) {
	s := service.NewSystemd("")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := state(t, s); !got.Active || !got.Enabled || got.StartedBy != "" {
		t.Errorf("before: %+v", got)
	}
	if err := s.Disable(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ change, by string }{
		{"d=/usr/lib/systemd/system/multi-user.target.wants; mkdir -p $d; ln -s ../conntrackd.service $d/; systemctl daemon-reload", "multi-user.target"},
		{"rm /usr/lib/systemd/system/multi-user.target.wants/conntrackd.service", ""}, // which systemd has not seen yet
		{"mkdir /etc/systemd/system/multi-user.target.d; printf '[Unit]\\nWants=conntrackd.service\\n' >/etc/systemd/system/multi-user.target.d/x.conf; systemctl daemon-reload", "multi-user.target"},
		{"rm -r /etc/systemd/system/multi-user.target.d; systemctl daemon-reload; systemctl enable --runtime conntrackd", ""},
		{"systemctl disable --runtime conntrackd", ""},
	} {
		shell(t, test.change)
		if got := state(t, s); got.StartedBy != test.by || *got.AtBoot() != (test.by != "") {
			t.Errorf("%s: at boot %v, %+v", test.change, *got.AtBoot(), got)
		}
	}
	if got := state(t, s); !got.Active || got.Enabled || command("systemctl", "is-enabled", "conntrackd") != "disabled exit status 1" {
		t.Errorf("disabled: %+v, %s", got, command("systemctl", "is-enabled", "conntrackd"))
	}
	for range 2 { // a stopped daemon can be stopped again
		began := time.Now()
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("measured: stop %v", time.Since(began).Round(time.Millisecond))
	}
	if got := state(t, s); got.Active || got.Enabled || got.MainPID != 0 || got.Detail != "inactive (dead)" {
		t.Errorf("stopped: %+v", got)
	}
	if out := command("pgrep", "-x", "conntrackd"); out != "exit status 1" && out != " exit status 1" {
		t.Errorf("conntrackd still runs: %q", out)
	}
}

// restarts is for hosts whose system bus does not work for root.
func restarts(t *testing.T) {
	s := service.NewSystemd("")
	began := time.Now()
	before := state(t, s)
	t.Logf("measured: state without the system bus %v", time.Since(began).Round(time.Millisecond))
	if !before.Active {
		t.Errorf("state %+v", before)
	}
	for _, call := range []func(context.Context) error{s.Disable, s.Enable, s.Restart} {
		if err := call(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := state(t, s); !got.Active || !got.Enabled || got.MainPID == before.MainPID {
		t.Errorf("state %+v, before %+v", got, before)
	}
}

func notRoot(t *testing.T) {
	s := service.NewSystemd("")
	if got := state(t, s); !got.Active || !got.Enabled {
		t.Errorf("state %+v", got)
	}
	for name, call := range map[string]func(context.Context) error{"restart": s.Restart, "stop": s.Stop, "disable": s.Disable} {
		wantRefusal(t, call(t.Context()), service.ErrDenied, name+" conntrackd.service")
	}
	if lines, err := s.Log(t.Context(), time.Time{}); err == nil || !strings.Contains(err.Error(), "permissions") {
		t.Errorf("the journal: %q, %v", lines, err)
	}
}

func nothingToAsk(t *testing.T) {
	s := service.NewSystemd("")
	_, err := s.State(t.Context())
	wantRefusal(t, err, service.ErrDenied, "private socket")
	wantRefusal(t, s.Restart(t.Context()), service.ErrDenied, "system bus")
	// Not being allowed to ask is no reason to start a daemon beside it.
	found, err := service.Find(t.Context(), "auto", &service.Direct{Config: configPath})
	if err != nil || found.Name() != service.DefaultUnit {
		t.Errorf("found %v, %v", found, err)
	}
}

func hostileJournal(t *testing.T) {
	const noise = `printf 'red \033[31m\nbad \377 byte\nnul \000 byte\n'; head -c 1048576 /dev/zero | tr '\000' x; echo
i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done`
	began := time.Now()
	if out, err := exec.Command("systemd-run", "--unit=noise", "--wait", "--property=LogRateLimitIntervalSec=0",
		"sh", "-c", "sleep 0.2; "+noise).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := service.NewSystemd("noise")
	start := time.Now()
	lines, err := s.Log(t.Context(), began)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("measured: %d of the journal's lines in %v", len(lines), time.Since(start).Round(time.Millisecond))
	if len(lines) > 500 || len(lines) < 400 || lines[len(lines)-1] != "line 999" {
		t.Errorf("%d lines, the last %q", len(lines), lines[max(0, len(lines)-1):])
	}
	if out, err := exec.Command("systemd-run", "--unit=noise2", "--wait", "sh", "-c", strings.SplitN(noise, "\n", 2)[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines, err = service.NewSystemd("noise2").Log(t.Context(), began)
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for _, l := range lines {
		longest = max(longest, len(l))
	}
	if len(lines) < 4 || lines[0] != "red \x1b[31m" || lines[1] != "bad \xff byte" || longest > 8192 {
		t.Errorf("%d lines, the longest has %d bytes, the first are %q", len(lines), longest, lines[:min(3, len(lines))])
	}
}

func condition(t *testing.T) {
	s := service.NewSystemd("")
	wantRefusal(t, s.Restart(t.Context()), service.ErrFailed, "inactive (dead): ConditionPathExists=/etc/nope of the unit is not met")
	command("sh", "-c", `printf '[Service]\nExecCondition=/bin/false now\n' >/etc/systemd/system/conntrackd.service.d/test.conf; systemctl daemon-reload`)
	wantRefusal(t, s.Restart(t.Context()), service.ErrFailed, "ExecCondition=/bin/false now of the unit ended with status 1")
	command("sh", "-c", `printf '[Unit]\nAssertPathExists=/etc/nope\n' >/etc/systemd/system/conntrackd.service.d/test.conf; systemctl daemon-reload`)
	wantRefusal(t, s.Restart(t.Context()), service.ErrFailed, "AssertPathExists=/etc/nope of the unit is not met")
}

// dependentUnits starts a unit of each kind that a plain job would stop with the daemon's.
const dependentUnits = `for kind in Requires BindsTo PartOf; do
	printf "[Unit]\\n$kind=conntrackd.service\\nAfter=conntrackd.service\\n[Service]\\nExecStart=/bin/sleep 1000\\n" >/etc/systemd/system/$kind.service
done; systemctl daemon-reload; systemctl start conntrackd Requires BindsTo PartOf`

func sparesDependents(t *testing.T) {
	s := service.NewSystemd("")
	if found, err := s.Dependents(t.Context()); err != nil || len(found) != 3 {
		t.Errorf("found %+v (%v)", found, err)
	}
	process := func(unit string) string { return command("systemctl", "show", "-P", "MainPID", unit) }
	before := map[string]string{}
	note := func() {
		for _, unit := range []string{"Requires", "BindsTo", "PartOf"} {
			before[unit] = process(unit)
		}
	}
	note()
	same := func(when string, units ...string) {
		t.Helper()
		for _, unit := range units {
			if now := process(unit); now != before[unit] || now == "0" {
				t.Errorf("%s, %s is process %s, and was %s", when, unit, now, before[unit])
			}
		}
	}
	daemon := state(t, s).MainPID
	if err := s.Restart(t.Context()); err != nil || state(t, s).MainPID == daemon {
		t.Fatalf("%v: process %d, before %d", err, state(t, s).MainPID, daemon)
	}
	same("restarted", "Requires", "BindsTo", "PartOf")
	write(t, "Banana\n")
	wantRefusal(t, s.Restart(t.Context()), service.ErrFailed, "status=1")
	write(t, goodFile)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// systemd's automatic restarts of the daemon took them along, which Restart=no alone prevents.
	again := func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if note(); before["Requires"] != "0" && before["BindsTo"] != "0" && before["PartOf"] != "0" {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("not all units run again: %v", before)
			}
		}
	}
	again()
	same("failed and restarted", "Requires", "BindsTo", "PartOf")
	if err := s.Stop(t.Context()); err != nil || state(t, s).Active {
		t.Fatalf("stop: %v, %+v", err, state(t, s))
	}
	same("stopped", "Requires", "PartOf")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	same("started", "Requires", "PartOf")
	again() // with the one that is bound
	write(t, "Banana\n")
	wantRefusal(t, s.Restart(t.Context()), service.ErrFailed, "status=1")
	for deadline := time.Now().Add(time.Minute); process("Requires") != "0"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no automatic restart of the daemon ended the unit that requires it")
		}
	}
	if err := s.Stop(t.Context()); err != nil || state(t, s).Active {
		t.Fatalf("stop: %v, %+v", err, state(t, s))
	}
	for deadline := time.Now().Add(time.Minute); process("Requires") == "0"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the unit that requires the daemon has not come back")
		}
	}
	if state(t, s).Active {
		t.Fatal("the unit that has come back started the daemon")
	}
}
