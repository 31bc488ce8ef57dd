package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
	"connsync/netcheck/check"
)

func TestFirewallNotesWhatLoadsItAtBoot(t *testing.T) {
	for _, tt := range []struct {
		name, systemctl string
		want            []string
	}{
		{"enabled", "echo enabled", nil},
		{"disabled", "echo disabled; exit 1", []string{"nftables.service is disabled, so /etc/nftables.conf is not loaded at boot: systemctl enable nftables.service"}},
		{"not there", "echo not-found; exit 4", []string{"there is no nftables.service, so /etc/nftables.conf is not loaded at boot"}},
		{"not there, of systemd 252", "echo 'Failed to get unit file state for nftables.service: No such file or directory' >&2; exit 1",
			[]string{"there is no nftables.service, so /etc/nftables.conf is not loaded at boot"}},
		{"masked", "echo masked; exit 1", []string{"nftables.service is masked, so /etc/nftables.conf is not loaded at boot: systemctl unmask nftables.service, then systemctl enable nftables.service"}},
		{"no answer", "echo 'Failed to connect to bus:\n No such file' >&2; exit 1", []string{
			"whether nftables.service loads /etc/nftables.conf at boot is unknown: systemctl is-enabled nftables.service: exit status 1: Failed to connect to bus: No such file"}},
		{"no word", "true", []string{
			"whether nftables.service loads /etc/nftables.conf at boot is unknown: systemctl is-enabled nftables.service: it gave no state"}},
		{"no systemctl", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &FirewallChange{HostFile: "/etc/nftables.conf"}
			if err := withSystemctl(tt.systemctl, func() error { return c.noteBoot(t.Context()) }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirewallAsksSystemctlNoLongerThanItsCaller(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := withSystemctl("exec sleep 60", func() error { return (&FirewallChange{}).noteBoot(ctx) })
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// withSystemctl runs f with a script in systemctl's place; blank means that there is
// none.
func withSystemctl(script string, f func() error) error {
	if script != "" {
		script = "#!/bin/sh\n" + script + "\n"
	}
	return lab.Covered(script, f, "/usr/bin/systemctl")
}

// Installed rules that are gone after a boot do not simply let the sync through.
func TestFirewallCheckSaysNotAtBoot(t *testing.T) {
	found := check.Pass("the rules admit the sync")
	for _, tt := range []struct {
		name, systemctl string
		installed       bool
		want            check.Finding
	}{
		{"enabled", "echo enabled", true, found},
		{"disabled", "echo disabled; exit 1", true, check.Fail("systemctl enable nftables.service",
			"the rules admit the sync, but not at boot: nftables.service is disabled, so /etc/nftables.conf is not loaded at boot")},
		{"rules of somebody else", "echo disabled; exit 1", false, found},
		{"no answer", "echo 'Failed to connect to bus' >&2; exit 1", true, check.Pass(
			"the rules admit the sync; whether nftables.service loads /etc/nftables.conf at boot is unknown: systemctl is-enabled nftables.service: exit status 1: Failed to connect to bus")},
		{"no systemctl", "", true, found},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &Node{Options: Options{StateDir: t.TempDir()}}
			if tt.installed {
				if err := os.WriteFile(filepath.Join(n.StateDir, "firewall.json"), []byte(`{"file": "/etc/nftables.conf"}`), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var got check.Finding
			if err := withSystemctl(tt.systemctl, func() error { got = n.atBoot(t.Context(), found); return nil }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}
