package failover

import (
	"strings"
	"testing"
)

func TestParseRole(t *testing.T) {
	for args, want := range map[string]Role{
		"primary": RolePrimary, "backup": RoleBackup, "fault": RoleFault,
		"GROUP VG MASTER 150": RolePrimary, "INSTANCE V1 BACKUP 100": RoleBackup,
		"GROUP VG FAULT 0": RoleFault, "INSTANCE V1 STOP 0": RoleFault, "INSTANCE V1 DELETED 0": RoleFault,
		"master": RolePrimary, "MASTER": RolePrimary, "": "", "slave": "", "master x": "", "primary GROUP VG MASTER 0": "", "GROUP VG MASTER": "", "GROUP VG MASTER 1 2": "",
		"OTHER VG MASTER 1": "", "INSTANCE V1 MASTER_RX_LOWER_PRI 1": "", "primary primary": "",
	} {
		if got, err := ParseRole(strings.Fields(args)); got != want || (want == "") != (err != nil) {
			t.Errorf("failover %s: %q, %v; want %q", args, got, err, want)
		}
	}
}
