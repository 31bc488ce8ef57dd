package conntrackd

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Paths that a new file names. The socket's is not that of Debian's file, which is
// for a daemon that gathers statistics.
const (
	DefaultLockFile   = "/var/lock/conntrackd.lock"
	DefaultSocketPath = "/var/run/conntrackd.ctl"
)

// conntrackMax is what is assumed where the kernel does not say: its default on
// hosts with 4 GiB of memory and more.
const conntrackMax = 262144

// Host is what a configuration file has to know of the node it is for.
type Host struct {
	// ConntrackMax is net.netfilter.nf_conntrack_max; zero means unknown.
	ConntrackMax int
	// OwnAddresses are the node's addresses on all interfaces, virtual ones
	// included. Connections of the node itself are not replicated.
	OwnAddresses []netip.Addr
	// Helpers are the conntrack helpers that the host's rules assign. Their
	// expectations are synchronised.
	Helpers []string
	// UnitNotify says that the service manager waits for sd_notify.
	UnitNotify bool
	// LockFile and SocketPath are for a file which does not name its own;
	// blank means [DefaultLockFile] and [DefaultSocketPath]. The daemon removes
	// whatever stands at its socket path: neither is ever free text.
	LockFile   string
	SocketPath string
	// Binary is the daemon's program; blank means the one in PATH.
	Binary string
}

// ReadHost returns what the kernel says. The addresses and the unit are the
// caller's to fill in. A kernel without connection tracking is no error:
// ConntrackMax is zero then.
func ReadHost() (Host, error) { return readHost("/proc/sys/net/netfilter/nf_conntrack_max") }

func readHost(path string) (Host, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Host{}, nil
	}
	if err != nil {
		return Host{}, fmt.Errorf("read the size of the connection table: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return Host{}, fmt.Errorf("read the size of the connection table: %w", err)
	}
	return Host{ConntrackMax: n}, nil
}

func (h Host) lockFile() string {
	if h.LockFile == "" {
		return DefaultLockFile
	}
	return h.LockFile
}

func (h Host) socketPath() string {
	if h.SocketPath == "" {
		return DefaultSocketPath
	}
	return h.SocketPath
}

func (h Host) table() int {
	if h.ConntrackMax <= 0 {
		return conntrackMax
	}
	return h.ConntrackMax
}

// hashSize is a quarter of the kernel's table as a power of two. The daemon
// takes 64 bytes a bucket, and multiplies by 16 in an int: a far larger one
// crashes it.
func (h Host) hashSize() int {
	// With 8192 and less the daemon refuses to flush after a commit; see [CommitStep].
	const least, most = 2 * CommitStep, 1 << 20
	n := least
	for n < most && n < h.table()/4 {
		n *= 2
	}
	return n
}

// hashLimit is twice the kernel's table, as conntrackd.conf(5) asks: a cache
// that is full loses states without a word.
func (h Host) hashLimit() int { return min(2*h.table(), 1<<30) }

// ignored are the addresses whose connections are the node's own: loopback, the
// sync link, and every own address; each once, for the daemon warns of a
// second time. There are no prefixes among them: a network in the list would
// not be replicated.
func (h Host) ignored(s Settings) []netip.Addr {
	all := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	all = append(all, s.linkAddresses()...)
	all = append(all, h.OwnAddresses...)
	seen := map[netip.Addr]bool{}
	var unique []netip.Addr
	for _, a := range all {
		a = a.Unmap().WithZone("")
		if a.IsValid() && !a.IsUnspecified() && !seen[a] {
			seen[a] = true
			unique = append(unique, a)
		}
	}
	return unique
}

// CommitStep is how many buckets of the cache are committed at once. After a
// commit that is done in one go conntrackd 1.4.7 thinks for the rest of its
// life that it still commits (the client's descriptor is forgotten), and
// refuses to flush.
const CommitStep = 8192
