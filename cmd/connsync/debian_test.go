package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"connsync/lab"
	"connsync/node"
)

// On a stock Debian under systemd: saved from the form, enabled at boot,
// restarted and active; disabled from the form, stopped, and the file kept.
func TestDebianIsConfiguredFromTheForm(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	program := build(t)
	machine, peer := machineAndPeer(t, ctx)
	if err := machine.CopyIn(program, "/usr/sbin/connsync"); err != nil {
		t.Fatal(err)
	}
	if out, err := peer.Run(ctx, program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
		"--current-ip", "10.0.0.102/24", "--peer-ip", "10.0.0.101/24", "--send-buffer", "256K", "--receive-buffer", "256K"); err != nil {
		t.Fatalf("apply on the peer: %v\n%s", err, out)
	}
	stock, err := machine.ReadFile(lab.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	before := unit(t, ctx, machine)

	tm := open(t, machine.Command("connsync"), func(start func() error) error { return start() })
	tm.see("Connection Sync Settings", "(*) Disable")
	fillForm(tm, "10.0.0.101/24", "10.0.0.102/24")
	save(tm)
	tm.see("In sync both ways")

	after := unit(t, ctx, machine)
	if after["ActiveState"] != "active" || after["UnitFileState"] != "enabled" || after["MainPID"] == before["MainPID"] {
		t.Errorf("the unit is %v, was %v; want it active, enabled and restarted", after, before)
	}
	if out, err := machine.Run(ctx, "/usr/sbin/connsync", "status"); err != nil {
		t.Errorf("status: %v\n%s", err, out)
	}
	if !kept(t, ctx, machine, stock) {
		t.Error("the package's own file was not kept")
	}
	saved, err := machine.ReadFile(lab.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}

	tm.ponder()
	tm.press(tab, enter) // back to the form
	tm.see("Connection Sync Settings", "(*) Enable")
	for range 7 {
		tm.press(shiftTab)
	}
	tm.see("> Enable Sync")
	tm.press(space)
	tm.see("(*) Disable")
	for range 7 {
		tm.press(tab)
	}
	tm.see("> [ Save Changes ]")
	tm.press(enter)
	tm.see("[1 review]", "> [ Back ]")
	tm.ponder()
	tm.press(tab, enter) // the offer is to go back
	tm.until("says that it is done", func(s string) bool { return strings.Contains(s, "Saved") || strings.Contains(s, "stopped") })

	if got := unit(t, ctx, machine); got["ActiveState"] != "inactive" || got["UnitFileState"] != "disabled" {
		t.Errorf("the unit is %v; want it inactive and disabled", got)
	}
	if now, err := machine.ReadFile(lab.ConfigPath); err != nil || !bytes.Equal(now, saved) {
		t.Errorf("disabling changed the file (%v):\n%s\nwas\n%s", err, now, saved)
	}
}

// machineAndPeer boots a stock Debian and connects it with a node by a sync link.
func machineAndPeer(t *testing.T, ctx context.Context) (*lab.Machine, *lab.Node) {
	t.Helper()
	return debianAndPeer(t, ctx, lab.Debian{})
}

func debianAndPeer(t *testing.T, ctx context.Context, d lab.Debian) (*lab.Machine, *lab.Node) {
	t.Helper()
	machine, err := lab.Boot(ctx, lab.MachineOptions{Name: "fw-a", Debian: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { machine.Close() })
	peer, err := lab.NewNode(ctx, "fw-b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := lab.Veth(machine.Namespace, lab.SyncInterface, peer.Namespace, lab.SyncInterface); err != nil {
		t.Fatal(err)
	}
	for _, command := range []struct {
		on      *lab.Node
		address string
	}{{machine.Node, "10.0.0.101/24"}, {peer, "10.0.0.102/24"}} {
		if out, err := command.on.Run(ctx, "ip", "address", "add", command.address, "dev", lab.SyncInterface); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if out, err := command.on.Run(ctx, "ip", "link", "set", lab.SyncInterface, "up"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return machine, peer
}

// unit is what systemd says of conntrackd.service.
func unit(t *testing.T, ctx context.Context, m *lab.Machine) map[string]string {
	t.Helper()
	out, err := m.Run(ctx, "systemctl", "show", "-p", "ActiveState,UnitFileState,MainPID", "conntrackd.service")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	properties := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		name, value, _ := strings.Cut(line, "=")
		properties[name] = value
	}
	return properties
}

// kept says whether the state directory holds a file with that content.
func kept(t *testing.T, ctx context.Context, m *lab.Machine, content []byte) bool {
	t.Helper()
	out, err := m.Run(ctx, "find", node.DefaultStateDir, "-type", "f")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range strings.Fields(out) {
		if got, err := m.ReadFile(path); err == nil && bytes.Equal(got, content) {
			return true
		}
	}
	return false
}
