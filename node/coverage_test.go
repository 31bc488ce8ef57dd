package node

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/failover"
	"connsync/netcheck"
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

// An address stays where keepalived does not move it and no other node can have it too; a network
// in which it moves none has this node alone.
func TestWhatStays(t *testing.T) {
	p, hardware := netip.MustParsePrefix, net.HardwareAddr{2, 0, 0, 0, 0, 1}
	all := []netcheck.Interface{
		{Name: "lo", Loopback: true, Addresses: []netip.Prefix{p("127.0.0.1/8"), p("203.0.113.9/32")}},
		{Name: "pool", Kind: "dummy", HardwareAddr: hardware, Addresses: []netip.Prefix{p("203.0.113.10/32")}},
		{Name: "eth0", HardwareAddr: hardware, Addresses: []netip.Prefix{p("10.1.0.2/24"), p("10.1.0.1/32"), p("fe80::1/64")}},
		{Name: "eth2", HardwareAddr: hardware, Addresses: []netip.Prefix{p("198.18.0.2/24")}},
		{Name: "docker0", Kind: "bridge", HardwareAddr: hardware, Addresses: []netip.Prefix{p("172.17.0.1/16")}},
		{Name: "wg0", Kind: "wireguard", Addresses: []netip.Prefix{p("10.9.0.1/24")}},
	}
	want := coverage.Fixed{
		Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("198.18.0.2"), netip.MustParseAddr("172.17.0.1")},
		Behind:    []netip.Prefix{p("198.18.0.0/24"), p("172.17.0.0/16"), p("10.9.0.0/24")},
	}
	if got := fixedOf(all, []netip.Addr{netip.MustParseAddr("10.1.0.1")}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := fixedOf(all, nil); !reflect.DeepEqual(got, coverage.Fixed{}) {
		t.Errorf("without virtual addresses: %+v", got)
	}
}
