package refresh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Kind is a sort of entry whose lifetime is one setting of the kernel: the
// part of net.netfilter.nf_conntrack_*_timeout* behind "nf_conntrack_".
type Kind string

// Kinds of entries that packets keep alive without changing their state.
const (
	KindTCP       Kind = "tcp_timeout_established"
	KindTCPFin    Kind = "tcp_timeout_fin_wait"
	KindTCPClose  Kind = "tcp_timeout_close_wait"
	KindUDP       Kind = "udp_timeout"
	KindUDPStream Kind = "udp_timeout_stream"
	KindICMP      Kind = "icmp_timeout"
	KindICMPv6    Kind = "icmpv6_timeout"
	KindSCTP      Kind = "sctp_timeout_established"
	KindGRE       Kind = "gre_timeout"
	KindGREStream Kind = "gre_timeout_stream"
	KindGeneric   Kind = "generic_timeout"
)

// kinds are all of them.
func kinds() []Kind {
	return []Kind{KindTCP, KindTCPFin, KindTCPClose, KindUDP, KindUDPStream, KindICMP, KindICMPv6, KindSCTP, KindGRE, KindGREStream, KindGeneric}
}

// Sysctl is the setting's name.
func (k Kind) Sysctl() string { return "net.netfilter.nf_conntrack_" + string(k) }

// Timeout reads how long an entry of the kind lives without a packet, in the
// calling thread's network namespace. Where the kernel has no such setting the
// error is an [fs.ErrNotExist].
func (k Kind) Timeout() (time.Duration, error) {
	content, err := os.ReadFile(filepath.Join("/proc/sys/net/netfilter", "nf_conntrack_"+string(k)))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", k.Sysctl(), err)
	}
	seconds, err := strconv.ParseUint(strings.TrimSpace(string(content)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", k.Sysctl(), err)
	}
	return time.Duration(seconds) * time.Second, nil
}

// Shortest returns the kind whose entries live shortest in this kernel, blank
// where it has none of the settings: nf_conntrack is not loaded.
func Shortest() (shortest Kind, timeout time.Duration, err error) {
	for _, k := range kinds() {
		t, err := k.Timeout()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", 0, err
		case shortest == "" || t < timeout:
			shortest, timeout = k, t
		}
	}
	return shortest, timeout, nil
}

const (
	// MinInterval and MaxInterval bound [Interval].
	MinInterval = time.Second
	MaxInterval = time.Minute
)

// Interval is how often to look where entries live that long without a packet. An
// entry is known to be in use at the second look after it began, and the third
// comes before the peer lets it expire.
func Interval(timeout time.Duration) time.Duration {
	return min(max(timeout/4, MinInterval), MaxInterval)
}
