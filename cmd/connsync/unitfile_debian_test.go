package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// On a stock Debian the first save can be rolled back, byte for byte, and the file is
// the one that the unit starts conntrackd with.
func TestDebianStockAndUnitsOwnFile(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	program := build(t)
	machine, _ := machineAndPeer(t, ctx)
	if err := machine.CopyIn(program, "/usr/sbin/connsync"); err != nil {
		t.Fatal(err)
	}
	read := func(path string) []byte {
		t.Helper()
		content, err := machine.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	run := func(fails bool, args ...string) string {
		t.Helper()
		out, err := machine.Run(ctx, args[0], args[1:]...)
		if (err != nil) != fails {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	settings := []string{"--first-node", "--enable", "--interface", lab.SyncInterface, "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24"}
	stock, before := read(lab.ConfigPath), unit(t, ctx, machine)
	run(false, append([]string{"/usr/sbin/connsync", "apply", "--prepare-host=false"}, settings...)...)
	for _, line := range strings.Split(string(stock), "\n") {
		if words := strings.Fields(line); len(words) == 2 && (words[0] == "LockFile" || words[0] == "Path") && !bytes.Contains(read(lab.ConfigPath), []byte(line+"\n")) {
			t.Errorf("the distribution's %q went", line)
		}
	}
	run(false, "/usr/sbin/connsync", "rollback", "--first-node")
	if after := unit(t, ctx, machine); !bytes.Equal(read(lab.ConfigPath), stock) || after["ActiveState"] != before["ActiveState"] || after["UnitFileState"] != before["UnitFileState"] {
		t.Errorf("rolled back: the unit is %v, was %v; the file:\n%s", after, before, read(lab.ConfigPath))
	}

	// VyOS' override, with a lock of its own in a directory that the unit makes.
	const own = "/run/conntrackd/conntrackd.conf"
	override := "[Service]\nRuntimeDirectory=ctd\nExecStart=\nExecStart=/usr/sbin/conntrackd -C " + own + "\nExecStopPost=-/bin/rm -f /run/ctd/conntrack.lock\n"
	run(false, "mkdir", "-p", "/etc/systemd/system/conntrackd.service.d", "/run/conntrackd")
	if err := machine.WriteFile("/etc/systemd/system/conntrackd.service.d/override.conf", []byte(override)); err != nil {
		t.Fatal(err)
	}
	run(false, "systemctl", "daemon-reload")
	run(false, append([]string{"/usr/sbin/connsync", "apply", "--prepare-host=false"}, settings...)...)
	if content := string(read(own)); !strings.Contains(content, "LockFile /run/ctd/conntrack.lock\n") || !bytes.Equal(read(lab.ConfigPath), stock) {
		t.Errorf("the unit's file:\n%s\nthe other:\n%s", content, read(lab.ConfigPath))
	}
	if said := run(false, "/usr/sbin/connsync", "show"); !strings.Contains(said, own) || !strings.Contains(said, "(conntrackd.service starts conntrackd with it)") {
		t.Errorf("show:\n%s", said)
	}
	said := run(true, append([]string{"/usr/sbin/connsync", "apply", "--config", lab.ConfigPath}, settings...)...)
	if !strings.Contains(said, "nothing reads "+lab.ConfigPath+"; conntrackd's file is "+own) || !bytes.Equal(read(lab.ConfigPath), stock) {
		t.Errorf("another file:\n%s", said)
	}
	if active := unit(t, ctx, machine)["ActiveState"]; active != "active" {
		t.Errorf("the unit is %s", active)
	}

	// A second daemon of a template's, which connsync does not run.
	template := "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/usr/sbin/conntrackd -C /etc/ha/%i.conf\nRestart=always\n"
	if err := machine.WriteFile("/etc/systemd/system/conntrackd@.service", []byte(template)); err != nil {
		t.Fatal(err)
	}
	run(false, "sh", "-ec", "mkdir /etc/ha; sed 's/Port 3780/Port 3799/; s,LockFile .*,LockFile /run/fw.lock,; s,Path .*,Path /run/fw.ctl,' "+own+" >/etc/ha/fw.conf; systemctl daemon-reload; systemctl start conntrackd@fw")
	process := func() string { return run(false, "systemctl", "show", "-p", "MainPID,NRestarts", "conntrackd@fw") }
	was := process()
	const whose = "/etc/ha/fw.conf is the file of conntrackd, process "
	const restart = " of conntrackd@fw.service, which connsync does not restart; the file of conntrackd.service is " + own + "; what restarts that one is systemctl restart conntrackd@fw.service"
	for _, line := range [][]string{{"show"}, append([]string{"apply"}, settings...)} {
		said := run(line[0] == "apply", append([]string{"/usr/sbin/connsync", line[0], "--config", "/etc/ha/fw.conf"}, line[1:]...)...)
		if !strings.Contains(said, whose) || !strings.Contains(said, restart) {
			t.Errorf("%s:\n%s", line[0], said)
		}
	}
	said = run(true, append([]string{"/usr/sbin/connsync", "apply", "--service", "direct", "--config", "/etc/ha/fw.conf", "--port", "3801"}, settings...)...)
	if !strings.Contains(said, "is run by conntrackd@fw.service, which may start it again after a stop") {
		t.Errorf("started directly:\n%s", said)
	}
	if now := process(); now != was {
		t.Errorf("the template's daemon was %s, and is %s", was, now)
	}
}
