package main

import (
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"connsync/conntrackd"
	"connsync/node"
)

// The shell waits for no service manager to learn the numbers of the saves.
func TestSavesAskNoService(t *testing.T) {
	dir := t.TempDir()
	bus, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	var asked atomic.Bool
	go func() {
		for {
			c, err := bus.Accept()
			if err != nil {
				return
			}
			asked.Store(true)
			c.Close()
		}
	}()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "bus"))
	g := globals{Options: node.Options{Config: filepath.Join(dir, "conntrackd.conf"), RuntimeDir: dir, StateDir: dir, RunBy: "systemd"}, table: conntrackd.NewSettingTable()}
	if saves, err := g.saves(); err != nil || len(saves) != 0 || asked.Load() {
		t.Errorf("%v: %v, the service manager was asked: %t", err, saves, asked.Load())
	}
}
