package main

import (
	"errors"
	"strings"
	"testing"

	"connsync/conntrackd/failover"
)

func TestFailoverRole(t *testing.T) {
	for args, want := range map[string]failover.Role{
		"primary": failover.RolePrimary, "backup": failover.RoleBackup, "fault": failover.RoleFault,
		"GROUP VG MASTER 150": failover.RolePrimary, "INSTANCE V1 BACKUP 100": failover.RoleBackup,
		"GROUP VG FAULT 0": failover.RoleFault, "INSTANCE V1 STOP 0": failover.RoleFault, "INSTANCE V1 DELETED 0": failover.RoleFault,
		"master": failover.RolePrimary, "MASTER": failover.RolePrimary, "": "", "slave": "", "master x": "", "primary GROUP VG MASTER 0": "", "GROUP VG MASTER": "", "GROUP VG MASTER 1 2": "",
		"OTHER VG MASTER 1": "", "INSTANCE V1 MASTER_RX_LOWER_PRI 1": "", "primary primary": "",
	} {
		got, err := failoverRole(strings.Fields(args))
		var exit *exitError
		if got != want || (want == "") != (err != nil) || err != nil && (!errors.As(err, &exit) || exit.status != exitUsage) {
			t.Errorf("failover %s: %q, %v; want %q", args, got, err, want)
		}
	}
}
