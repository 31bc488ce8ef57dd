package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/failover"
)

func TestLastRole(t *testing.T) {
	const (
		primary = "2026-11-28T14:02:10Z [4711] failover primary: read the kernel's table\n"
		backup  = "2026-11-28T14:03:10Z [4712] failover backup: asked for 20 states\n"
		fault   = "2026-11-28T14:04:10Z [4713] failover fault: nothing to do\n"
	)
	for _, tt := range []struct {
		name, log, older string
		want             coverage.Role
	}{
		{"no log", "", "", coverage.RoleUnknown},
		{"primary", backup + primary, "", coverage.RolePrimary},
		{"backup", primary + backup, "", coverage.RoleBackup},
		{"fault", primary + fault, "", coverage.RoleUnknown},
		{"log was rotated", "\n", primary, coverage.RolePrimary},
		{"newer log counts", backup, primary, coverage.RoleBackup},
		{"long log", strings.Repeat(primary, 1000) + backup, "", coverage.RoleBackup},
		{"hostile", "x\x00 failover primary\nfailover\n2026 [1] failover root: x\n", "", coverage.RoleUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range map[string]string{failover.LogName: tt.log, failover.LogName + ".1": tt.older} {
				if content == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := lastRole(dir); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
