package trust

import "testing"

func TestServiceOf(t *testing.T) {
	for _, tt := range []struct{ cgroups, want string }{
		{"0::/system.slice/keepalived.service\n", "keepalived.service"},
		{"1:name=systemd:/x\n0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"},
		{"4:memory:/system.slice/cron.service\n1:name=systemd:/system.slice/keepalived.service\n0::/\n", "keepalived.service"},
		{"0::/system.slice/docker.service/payload\n", "docker.service"},
		{"0::/system.slice/delegated.service/keepalived.service\n", "delegated.service"},
		{"0::/user.slice/user-0.slice/user@0.service/app.slice/keepalived.service\n", ""},
		{"0::/\n", ""},
		{"", ""},
	} {
		if got := serviceOf(tt.cgroups); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.cgroups, got, tt.want)
		}
	}
}

func TestOtherService(t *testing.T) {
	for _, tt := range []struct{ theirs, own, want string }{
		{"conntrackd.service", "", "conntrackd.service"},
		{"conntrackd.service", "cron.service", "conntrackd.service"},
		{"ssh.service", "ssh.service", ""},
		{"", "ssh.service", ""},
		{"", "", ""},
	} {
		if got := otherService(tt.theirs, tt.own); got != tt.want {
			t.Errorf("%q beside %q: %q, want %q", tt.theirs, tt.own, got, tt.want)
		}
	}
}
