package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"connsync/lab"
)

// keepalivedConfig is a node's: one group of both sides, the hook on it, and A
// before B.
const keepalivedConfig = `global_defs {
	enable_script_security
}
vrrp_sync_group VG {
	group {
		LAN
		WAN
	}
	notify_master "%[1]s failover primary" root
	notify_backup "%[1]s failover backup" root
	notify_fault "%[1]s failover fault" root
}
vrrp_instance LAN {
	state BACKUP
	interface eth0
	virtual_router_id 51
	priority %[2]d
	advert_int 1
	virtual_ipaddress {
		10.1.0.1/32 dev eth0
	}
}
vrrp_instance WAN {
	state BACKUP
	interface eth2
	virtual_router_id 52
	priority %[2]d
	advert_int 1
	virtual_ipaddress {
		10.2.0.1/32 dev eth2
	}
}
`

// installed is where the program is in a node with keepalived: in a directory
// that is root's, or keepalived would not run it.
const installed = "/var/lib/connsync-bin/connsync"

// setUpKeepalived writes what keepalived needs to move the addresses. The user that it
// would run its scripts as, if it were not told otherwise, exists.
func (s *stage) setUpKeepalived(ctx context.Context) error {
	for priority, m := range map[int]*lab.Member{150: s.pair.A, 100: s.pair.B} {
		script := strings.Join([]string{
			"set -e",
			"echo keepalived_script:x:990:990::/:/usr/sbin/nologin >>/etc/passwd",
			"echo keepalived_script:x:990: >>/etc/group",
			"echo 127.0.0.1 " + m.Name() + " >>/etc/hosts", // or keepalived asks a name server, which is not there
			"nft add rule inet filter input meta l4proto 112 accept",
			"install -D " + s.program + " " + installed,
		}, "\n")
		if out, err := m.Run(ctx, "sh", "-c", script); err != nil {
			return fmt.Errorf("%s: %w\n%s", m.Name(), err, out)
		}
		if err := m.WriteFile("/etc/keepalived/keepalived.conf", fmt.Appendf(nil, keepalivedConfig, installed, priority)); err != nil {
			return err
		}
	}
	return nil
}

// startKeepalived has keepalived move the addresses.
func (s *stage) startKeepalived(ctx context.Context) error {
	if err := s.pair.A.DropVirtual(); err != nil {
		return err
	}
	for _, m := range []*lab.Member{s.pair.A, s.pair.B} {
		if s.row.Sync {
			out, err := m.Run(ctx, installed, "check")
			if err != nil || !strings.Contains(out, "connsync failover as root whenever VG") {
				return fmt.Errorf("%s: connsync check does not see keepalived's hook: %w\n%s", m.Name(), err, out)
			}
		}
		if err := s.runKeepalived(ctx, m); err != nil {
			return err
		}
	}
	return s.awaitVirtual(ctx, s.pair.A)
}

func (s *stage) runKeepalived(ctx context.Context, m *lab.Member) error {
	if out, err := m.Run(ctx, "keepalived"); err != nil {
		return fmt.Errorf("%s: keepalived: %w\n%s", m.Name(), err, out)
	}
	return nil
}

// stopKeepalived is a part of the crash: no script of its is called.
func (s *stage) stopKeepalived(ctx context.Context, m *lab.Member) error {
	if err := m.Signal(ctx, "keepalived", syscall.SIGKILL); err != nil {
		return err
	}
	if out, err := m.Run(ctx, "sh", "-c", "rm -f /run/keepalived*.pid"); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return m.DropVirtual()
}

// awaitVirtual waits until keepalived has given a node the virtual addresses.
func (s *stage) awaitVirtual(ctx context.Context, m *lab.Member) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		has, err := m.HasVirtual()
		if err != nil || has {
			return err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("keepalived does not give %s the addresses: %w", m.Name(), err)
		}
	}
}
