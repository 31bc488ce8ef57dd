// Package install names the command that installs a package on this host: with the
// package manager that the host has, and by the name that the package has there.
package install

import (
	"strings"

	"connsync/trust"
)

// Package is what can be installed.
type Package string

// The packages, by their names on Debian.
const (
	Conntrackd Package = "conntrackd"
	Netbase    Package = "netbase" // it has /etc/protocols
)

// manager is a package manager: its program, its commands, and the packages that have another
// name there. A blank name is none that is known.
type manager struct {
	program, install, again string
	names                   map[Package]string
}

// managers are those that are looked for, in this order.
func managers() []manager {
	return []manager{
		{"apt-get", "apt-get install", "apt-get install --reinstall", nil},
		{"dnf", "dnf install", "dnf reinstall", map[Package]string{Conntrackd: "conntrack-tools", Netbase: "setup"}},
		{"yum", "yum install", "yum reinstall", map[Package]string{Conntrackd: "conntrack-tools", Netbase: "setup"}},
		{"zypper", "zypper install", "zypper install --force", map[Package]string{Conntrackd: "/usr/sbin/conntrackd", Netbase: "/etc/protocols"}},
		{"apk", "apk add", "apk fix", map[Package]string{Conntrackd: "conntrack-tools", Netbase: ""}},
		{"pacman", "pacman -S", "pacman -S", map[Package]string{Conntrackd: "conntrack-tools", Netbase: "iana-etc"}},
		{"emerge", "emerge", "emerge", map[Package]string{Conntrackd: "net-firewall/conntrack-tools", Netbase: ""}},
		{"opkg", "opkg install", "opkg install --force-reinstall", map[Package]string{Netbase: ""}},
	}
}

// Command installs p, or installs it again. Where no manager of this host is known to have
// it, it says in words what is missing.
func Command(p Package, again bool) string {
	return command(p, again, func(program string) bool { _, err := trust.Program(program); return err == nil })
}

func command(p Package, again bool, has func(program string) bool) string {
	for _, m := range managers() {
		if !has(m.program) {
			continue
		}
		name, other := m.names[p]
		if !other {
			name = string(p)
		}
		if name == "" {
			break
		}
		words := m.install
		if again {
			words = m.again
		}
		return words + " " + name
	}
	if p == Netbase {
		return "add the protocol to /etc/protocols: its name, a blank and its number"
	}
	return "install the conntrack-tools, with conntrackd, below one of these directories: " + strings.ReplaceAll(trust.SystemPath, ":", ", ")
}
