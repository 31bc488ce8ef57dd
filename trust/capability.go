package trust

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Capability is a privilege that the kernel asks for; capabilities(7).
type Capability int

// The capabilities of which this program may say that it lacks them.
const (
	NetAdmin Capability = unix.CAP_NET_ADMIN
	NetRaw   Capability = unix.CAP_NET_RAW
	NetBind  Capability = unix.CAP_NET_BIND_SERVICE
	Ptrace   Capability = unix.CAP_SYS_PTRACE
)

var capabilityNames = map[Capability]string{NetAdmin: "NET_ADMIN", NetRaw: "NET_RAW", NetBind: "NET_BIND_SERVICE", Ptrace: "SYS_PTRACE"}

// String is its name as in capabilities(7).
func (c Capability) String() string { return "CAP_" + capabilityNames[c] }

// Denied says why this process was refused what takes c, to stand after what was refused,
// and what gives it to the process. To become root is the remedy only of who is not root.
func (c Capability) Denied() (cause, remedy string) { return ownPrivileges(c).denied(c) }

// AsRoot is the remedy of Denied.
func (c Capability) AsRoot() string {
	_, remedy := c.Denied()
	return remedy
}

// privileges are those of this process that decide about what takes a capability.
type privileges struct {
	root       bool
	namespaced bool // of a user namespace, whose root is not the host's
	capable    bool // the capability is in force
}

func ownPrivileges(c Capability) privileges {
	p := privileges{root: os.Geteuid() == 0, namespaced: !wholeUserMap("/proc/self/uid_map")}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) == nil {
		p.capable = data[c/32].Effective&(1<<(c%32)) != 0
	}
	return p
}

// wholeUserMap says whether a uid_map is that of the host: every user is itself. One that
// cannot be read is taken for the host's.
func wholeUserMap(path string) bool {
	content, err := os.ReadFile(path)
	return err != nil || strings.Join(strings.Fields(string(content)), " ") == "0 0 4294967295"
}

func (p privileges) denied(c Capability) (cause, remedy string) {
	switch {
	case !p.root:
		return "is only for root with " + c.String(), "run connsync as root"
	case p.namespaced:
		return "is only for root of the host, not of a user namespace", "run connsync on the host, outside the user namespace"
	case !p.capable:
		return "is only for root with " + c.String() + ", which was taken from this process",
			"start connsync with " + c.String() + " (docker run --cap-add " + capabilityNames[c] + ", CapabilityBoundingSet= of a unit)"
	}
	return "is denied to root with " + c.String() + ", as by a security module (SELinux, AppArmor)", "journalctl -k -g denied"
}
