package service_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/service"
	"connsync/lab"
)

// insideVariable names the case that this test binary runs as a program of a
// booted Debian, where its Service is the real one.
const insideVariable = "CONNSYNC_TEST_INSIDE"

// debianCase is one machine: what root does to it first, what is tested inside
// and by whom, and what is looked at from outside afterwards.
type debianCase struct {
	setup  string // shell
	stock  bool   // the packaged conntrackd.conf stays
	nobody bool   // run inside as the user nobody
	inside func(*testing.T)
	after  func(*testing.T, *lab.Machine)
}

func debianCases() map[string]debianCase {
	const stopDBus = "systemctl stop dbus.socket dbus.service"
	return map[string]debianCase{
		"save, enable and disable":  {stock: true, setup: syncLink + "; systemctl disable --now conntrackd", inside: saveOnStockHost},
		"save that fails":           {setup: syncLink, inside: failedSave},
		"save while masked":         {setup: syncLink + "; systemctl mask --now conntrackd", inside: saveWhileMasked},
		"save elsewhere":            {stock: true, setup: syncLink, inside: saveElsewhere},
		"restart and enable":        {setup: "systemctl disable --now conntrackd", inside: restartAndEnable, after: runsAfterReboot},
		"bad file":                  {inside: badFile},
		"masked":                    {setup: "systemctl mask conntrackd", inside: masked},
		"absent":                    {setup: "systemctl stop conntrackd; rm /lib/systemd/system/conntrackd.service /etc/systemd/system/*.wants/conntrackd.service /etc/init.d/conntrackd; systemctl daemon-reload", inside: absent},
		"Systemd off":               {inside: systemdOff},
		"dies after two seconds":    {setup: dropIn("Restart=on-failure\nExecStart=/usr/bin/timeout 2 /usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf"), inside: dies},
		"dies and is not restarted": {setup: dropIn("Restart=no\nExecStart=/usr/bin/timeout 0.5 /usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf"), inside: dies},
		"another type":              {setup: dropIn("Type=simple\nRestart=no\nExecStart=/usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf"), inside: anotherType},
		"no [Install]":              {setup: "systemctl disable conntrackd; sed -i '/Install/,$d' /lib/systemd/system/conntrackd.service; systemctl daemon-reload", inside: noInstall},
		"disable and stop":          {inside: disableAndStop},
		"no D-Bus":                  {setup: stopDBus, inside: restarts},
		"silent D-Bus":              {setup: "kill -STOP $(pgrep -x dbus-daemon)", inside: restarts},
		"not root":                  {nobody: true, inside: notRoot},
		"not root and no D-Bus":     {setup: stopDBus, nobody: true, inside: nothingToAsk},
		"hostile journal":           {inside: hostileJournal},
		"a condition":               {setup: "mkdir -p /etc/systemd/system/conntrackd.service.d; printf '[Unit]\\nConditionPathExists=/etc/nope\\n' >/etc/systemd/system/conntrackd.service.d/test.conf; systemctl daemon-reload", inside: condition},
		"other units depend on it":  {setup: dependentUnits, inside: sparesDependents},
	}
}

func dropIn(lines string) string {
	return "mkdir -p /etc/systemd/system/conntrackd.service.d; printf '[Service]\\nNotifyAccess=all\\nExecStart=\\n" +
		strings.ReplaceAll(lines, "\n", "\\n") + "\\n' >/etc/systemd/system/conntrackd.service.d/test.conf; systemctl daemon-reload"
}

func TestSystemdOnDebian(t *testing.T) {
	cases := debianCases()
	if name := os.Getenv(insideVariable); name != "" {
		cases[name].inside(t)
		return
	}
	binary := buildInside(t)
	building, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	if _, err := lab.NewDebian(building); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, name, binary)
		})
	}
}

// buildInside builds this test binary for a machine, which has no Go and need
// not have this host's libraries.
func buildInside(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "inside")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program for the machine: %v\n%s", err, out)
	}
	return binary
}

func (c debianCase) run(t *testing.T, name, binary string) {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	m, err := lab.Boot(ctx, lab.MachineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.CopyIn(binary, "/usr/local/bin/inside"); err != nil {
		t.Fatal(err)
	}
	if !c.stock {
		if err := m.WriteFile("/etc/conntrackd/conntrackd.conf", []byte(goodFile)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Run(ctx, "sh", "-c", "set -e; "+c.setup); err != nil {
		t.Fatal(err)
	}
	line := []string{"env", insideVariable + "=" + name, "/usr/local/bin/inside", "-test.v", "-test.skip=^$", "-test.run=^" + "TestSystemdOnDebian$"}
	if c.nobody {
		line = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}, line...)
	}
	out, err := m.Run(ctx, line[0], line[1:]...)
	if err != nil || !strings.Contains(out, "--- PASS: TestSystemdOnDebian") {
		t.Fatalf("inside the machine: %v", err)
	}
	for _, l := range strings.Split(out, "\n") {
		if strings.Contains(l, "measured") {
			t.Log(strings.TrimSpace(l))
		}
	}
	if c.after != nil {
		c.after(t, m)
	}
}

// goodFile is a sync over loopback: the daemon starts with it on any host.
const goodFile = `Sync {
	Mode FTFW {
		DisableExternalCache on
	}
	UDP {
		IPv4_address 127.0.0.1
		IPv4_Destination_Address 127.0.0.2
		Port 3780
		Interface lo
		Checksum on
	}
}
General {
	Systemd on
	HashSize 8192
	HashLimit 65536
	LockFile /var/lock/conntrackd.lock
	UNIX {
		Path /var/run/conntrackd.ctl
	}
}
`

func write(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile("/etc/conntrackd/conntrackd.conf", []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, s service.Service) service.State {
	t.Helper()
	state, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// command runs a program inside, whose failure is part of the result.
func command(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return strings.TrimSpace(string(out)) + " " + err.Error()
	}
	return strings.TrimSpace(string(out))
}

func wantRefusal(t *testing.T, err, reason error, text string) {
	t.Helper()
	if !errors.Is(err, reason) || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v, want %q with %q", err, reason, text)
	}
}

func wantLine(t *testing.T, err error, text string) {
	t.Helper()
	var refused *service.Error
	if !errors.As(err, &refused) || !slices.ContainsFunc(refused.Lines, func(l string) bool { return strings.Contains(l, text) }) {
		t.Errorf("%v comes without a line %q of the daemon: %+v", err, text, refused)
	}
}

func restartAndEnable(t *testing.T) {
	s := service.NewSystemd("")
	if got := state(t, s); !got.Present || got.Active || got.Enabled || !got.Notify || got.MainPID != 0 || !got.Since.IsZero() {
		t.Errorf("before: %+v", got)
	}
	began := time.Now()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("measured: restart %v, of it %v settling", time.Since(began).Round(time.Millisecond), s.Settle)
	first := state(t, s)
	if !first.Active || first.Enabled || first.MainPID == 0 || first.Restarts != 0 || time.Since(first.Since) > time.Minute || first.Since.After(time.Now()) {
		t.Errorf("restarted: %+v", first)
	}
	if comm := command("cat", "/proc/"+command("systemctl", "show", "-P", "MainPID", "conntrackd")+"/comm"); comm != "conntrackd" {
		t.Errorf("the main process is %q", comm)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if second := state(t, s); second.MainPID == first.MainPID || !second.Active {
		t.Errorf("restarted again: %+v, before %+v", second, first)
	}
	lines, err := s.Log(t.Context(), began)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(lines, "\n")
	if strings.Count(said, "initialization completed") != 2 || strings.Contains(said, "Started conntrackd.service") {
		t.Errorf("the daemon said:\n%s", said)
	}
	if lines, err := s.Log(t.Context(), time.Now()); err != nil || len(lines) != 0 {
		t.Errorf("since just now it said %q, %v", lines, err)
	}
	for range 2 { // the second time nothing is left to do
		began = time.Now()
		if err := s.Enable(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("measured: enable %v", time.Since(began).Round(100*time.Microsecond))
	}
	if got := command("systemctl", "is-enabled", "conntrackd"); got != "enabled" || !state(t, s).Enabled {
		t.Errorf("is-enabled: %q; state %+v", got, state(t, s))
	}
	found, err := service.Find(t.Context(), "auto", &service.Direct{Config: configPath})
	if err != nil || found.Name() != service.DefaultUnit {
		t.Errorf("found %v, %v", found, err)
	}
}

func runsAfterReboot(t *testing.T, m *lab.Machine) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := m.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if out, err := m.Run(ctx, "systemctl", "is-active", "conntrackd"); err != nil {
		t.Errorf("enabled, and after a boot: %s, %v", out, err)
	}
}

func badFile(t *testing.T) {
	s := service.NewSystemd("")
	write(t, strings.Replace(goodFile, "Checksum on", "Banana on", 1))
	began := time.Now()
	err := s.Restart(t.Context())
	t.Logf("measured: refused after %v: %v", time.Since(began).Round(time.Millisecond), err)
	wantRefusal(t, err, service.ErrFailed, "Result: exit-code, status=1")
	wantLine(t, err, "symbol 'Banana'")
	for deadline := time.Now().Add(time.Minute); !strings.HasPrefix(state(t, s).Detail, "failed"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("systemd does not give up: %+v", state(t, s))
		}
	}
	write(t, goodFile)
	if out := command("systemctl", "start", "conntrackd"); !strings.Contains(out, "exit status") {
		t.Errorf("systemd would start it again by itself, so that nothing is shown here: %q", out)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Errorf("within the start limit: %v", err)
	}
	for range 6 { // more manual restarts than the limit allows
		s.Settle = 0
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func systemdOff(t *testing.T) {
	s := service.NewSystemd("")
	s.Wait = 3 * time.Second
	write(t, strings.Replace(goodFile, "Systemd on", "Systemd off", 1))
	began := time.Now()
	err := s.Restart(t.Context())
	wantRefusal(t, err, service.ErrTimeout, `activating (start) after 3s, a Type=notify unit waits for the daemon's word, which "Systemd off"`)
	wantLine(t, err, "initialization completed")
	if took := time.Since(began); took > s.Wait+2*time.Minute {
		t.Errorf("it took %v", took)
	}
	write(t, goodFile)
	began = time.Now()
	if err := s.Restart(t.Context()); err != nil {
		t.Errorf("over the waiting job: %v", err)
	}
	t.Logf("measured: restart over a waiting start %v", time.Since(began).Round(time.Millisecond))
	if got := state(t, s); !got.Active {
		t.Errorf("state %+v", got)
	}
}
