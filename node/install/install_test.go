package install

import (
	"strings"
	"testing"
)

// The command is that of the manager which the host has, with its name of the package.
func TestCommand(t *testing.T) {
	for _, tt := range []struct {
		has   string
		p     Package
		again bool
		want  string
	}{
		{"apt-get", Conntrackd, false, "apt-get install conntrackd"},
		{"apt-get", Conntrackd, true, "apt-get install --reinstall conntrackd"},
		{"apt-get dnf", Netbase, false, "apt-get install netbase"},
		{"dnf yum", Conntrackd, false, "dnf install conntrack-tools"},
		{"yum", Conntrackd, true, "yum reinstall conntrack-tools"},
		{"zypper", Conntrackd, false, "zypper install /usr/sbin/conntrackd"},
		{"apk", Conntrackd, false, "apk add conntrack-tools"},
		{"apk", Netbase, false, "add the protocol to /etc/protocols: its name, a blank and its number"},
		{"pacman", Netbase, false, "pacman -S iana-etc"},
		{"emerge", Conntrackd, false, "emerge net-firewall/conntrack-tools"},
		{"opkg", Conntrackd, true, "opkg install --force-reinstall conntrackd"},
		{"", Conntrackd, false, "install the conntrack-tools, with conntrackd, below one of these directories: /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin"},
	} {
		got := command(tt.p, tt.again, func(program string) bool {
			for name := range strings.FieldsSeq(tt.has) {
				if name == program {
					return true
				}
			}
			return false
		})
		if got != tt.want {
			t.Errorf("%s with %q, again %t: %q, want %q", tt.p, tt.has, tt.again, got, tt.want)
		}
	}
}
