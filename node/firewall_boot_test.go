package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
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
