package service_test

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"

	"github.com/google/go-cmp/cmp"
)

const (
	configPath = "/etc/conntrackd/conntrackd.conf"
	syncLink   = "ip link add eth1 type veth peer name far && ip link set far up && ip link set eth1 up && ip addr add 10.0.0.101/24 dev eth1"
)

// save applies settings to the machine as the program does.
func save(t *testing.T, s conntrackd.Settings) apply.Outcome {
	t.Helper()
	return saveEdited(t, s, strings.NewReplacer())
}

// saveEdited is save of a file that was edited since.
func saveEdited(t *testing.T, s conntrackd.Settings, edit *strings.Replacer) apply.Outcome {
	t.Helper()
	host, err := conntrackd.ReadHost()
	if err != nil {
		t.Fatal(err)
	}
	host.UnitNotify = true
	c, err := conntrackd.NewCandidate(configPath, s, host)
	if err != nil {
		t.Fatal(err)
	}
	c.New = []byte(edit.Replace(string(c.New)))
	a := &apply.Applier{Service: service.NewSystemd(""), StateDir: "/var/lib/connsync", RuntimeDir: "/run/connsync", FirstNode: true}
	return a.Apply(t.Context(), c, func(one step.Step) {
		if one.Status != step.Running {
			t.Logf("%-16s %-8s %s", one.ID, one.Status, one.Detail)
		}
	})
}

func syncSettings() conntrackd.Settings {
	s := conntrackd.Defaults()
	s.Enabled, s.Interface = true, "eth1"
	s.Current, s.Peer = netip.MustParsePrefix("10.0.0.101/24"), netip.MustParsePrefix("10.0.0.102/24")
	return s
}

func content(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(configPath)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func saveOnStockHost(t *testing.T) {
	systemd := service.NewSystemd("")
	settings := syncSettings()
	if got := save(t, settings); got.Err != nil || !got.Changed {
		t.Fatalf("outcome: %+v", got)
	}
	running := state(t, systemd)
	if !running.Active || !running.Enabled {
		t.Errorf("saved: %+v", running)
	}
	saved := content(t)
	if got := save(t, settings); got.Err != nil || got.Changed {
		t.Errorf("saved again: %+v", got)
	}
	if diff := cmp.Diff(running, state(t, systemd)); diff != "" {
		t.Error("saving the same again touched the service (-before +after)", diff)
	}
	settings.Enabled = false
	if got := save(t, settings); got.Err != nil || !got.Changed {
		t.Errorf("disabled: %+v", got)
	}
	if got := state(t, systemd); got.Active || got.Enabled || content(t) != saved {
		t.Errorf("disabled: %+v, file kept: %v", got, content(t) == saved)
	}
	settings.Enabled = true
	if got := save(t, settings); got.Err != nil || !got.Changed {
		t.Errorf("enabled again: %+v", got)
	}
	if got := state(t, systemd); !got.Active || !got.Enabled || content(t) != saved {
		t.Errorf("enabled again: %+v, file kept: %v", got, content(t) == saved)
	}
}

func failedSave(t *testing.T) {
	systemd := service.NewSystemd("")
	settings := syncSettings()
	if got := save(t, settings); got.Err != nil {
		t.Fatalf("outcome: %+v", got)
	}
	before, saved := state(t, systemd), content(t)
	got := saveEdited(t, settings, strings.NewReplacer("10.0.0.101", "10.0.0.103")) // not an address of this host
	if got.Err == nil || !got.RolledBack || got.Changed {
		t.Errorf("outcome: %+v", got)
	}
	wantLine(t, got.Err, "can't open channel socket: Cannot assign requested address")
	if content(t) != saved {
		t.Error("the old file is not back")
	}
	after, err := service.SettledState(t.Context(), systemd)
	if err != nil || !after.Active || !after.Enabled || after.MainPID == before.MainPID {
		lines, _ := systemd.Log(t.Context(), time.Time{})
		t.Errorf("rolled back to %+v, %v, before %+v; the daemon said:\n%s", after, err, before, strings.Join(lines, "\n"))
	}
}

func saveWhileMasked(t *testing.T) {
	systemd := service.NewSystemd("")
	before, saved := state(t, systemd), content(t)
	got := save(t, syncSettings())
	if !errors.Is(got.Err, service.ErrMasked) || got.Changed {
		t.Errorf("outcome: %+v", got)
	}
	if content(t) != saved {
		t.Error("the old file is not back")
	}
	if diff := cmp.Diff(before, state(t, systemd)); diff != "" {
		t.Error("state (-before +after)", diff)
	}
}
