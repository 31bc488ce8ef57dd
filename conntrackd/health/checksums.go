package health

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"connsync/plural"
)

// checksumErrors is how many UDP datagrams the kernel has dropped for their checksum, in the
// network namespace of the calling thread, whoever they were for; those of the family of an
// address. Zero where it does not tell.
func checksumErrors(of netip.Addr) uint64 {
	if of.Is6() {
		content, _ := os.ReadFile("/proc/thread-self/net/snmp6")
		return snmp6Counter(string(content), "Udp6InCsumErrors")
	}
	content, _ := os.ReadFile("/proc/thread-self/net/snmp")
	return snmpCounter(string(content), "Udp:", "InCsumErrors")
}

// snmpCounter reads a counter of /proc/net/snmp, which has a line of names and one of
// numbers for each protocol.
func snmpCounter(content, protocol, name string) uint64 {
	var names []string
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != protocol:
		case names == nil:
			names = fields
		default:
			for i, n := range names[:min(len(names), len(fields))] {
				if n == name {
					return counter(fields[i])
				}
			}
		}
	}
	return 0
}

// snmp6Counter reads a counter of /proc/net/snmp6, which has a line for each.
func snmp6Counter(content, name string) uint64 {
	for line := range strings.Lines(content) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == name {
			return counter(fields[1])
		}
	}
	return 0
}

func counter(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0 // as where the kernel does not tell
	}
	return n
}

// checksumsAreWrong says that datagrams are dropped for their checksum while messages of the peer
// do not arrive. One alone may be anybody's.
func (e evidence) checksumsAreWrong() bool { return e.badChecksums >= fewMessages }

// fillChecksums is what to do where it is the peer's.
const fillChecksums = "on the peer, have checksums filled in before its messages leave (ethtool -K INTERFACE tx off, with its sync interface), and see what between the nodes forwards or changes them, such as a virtual network"

func (e evidence) droppedForChecksum() string {
	return fmt.Sprintf("this node's kernel dropped %s for a wrong UDP checksum", plural.Of(e.badChecksums, "datagram", "datagrams"))
}

// judgeChecksums is for messages that arrive with a checksum which was never filled in, or
// is broken on the way.
func (e evidence) judgeChecksums() judgement {
	return judgement{VerdictSilent, fmt.Sprintf("the peer's messages arrive at %s but do not reach conntrackd: %s", e.arrivingAt(), e.droppedForChecksum()), fillChecksums}
}
