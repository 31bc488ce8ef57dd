package service_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/pairtest"
)

// A start that has brought no daemon names another one of the same network namespace, whatever
// its mount namespace, and none of another network.
func TestScriptNamesTheOtherDaemonOfItsNetwork(t *testing.T) {
	a, b := pairtest.New(t)
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir) + "wrong\n")
	b.WriteConfig(conntracktest.Config(b.Settings, b.Dir))
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	start := func() (err error) {
		a.Do(func() error {
			err = a.Service.StartByScript(t.Context())
			return nil
		})
		return err
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "symbol 'wrong'") || strings.Contains(err.Error(), "another file") {
		t.Errorf("beside a conntrackd of another network namespace: %v", err)
	}
	other := filepath.Join(t.TempDir(), "conntrackd.conf")
	if err := os.WriteFile(other, []byte(conntracktest.Config(a.Settings, filepath.Dir(other))), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "conntrackd", "-C", other)
	a.Do(func() error { return cmd.Start() })
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	client := control.NewClient(filepath.Join(filepath.Dir(other), "ctl"))
	for deadline := time.Now().Add(time.Minute); !client.Alive(t.Context()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other conntrackd has not started")
		}
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("a conntrackd with another file runs, process %d with %s", cmd.Process.Pid, other)) {
		t.Errorf("beside another conntrackd of this network namespace: %v", err)
	}
}
