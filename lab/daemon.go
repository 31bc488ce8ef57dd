package lab

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// ConfigPath is where conntrackd and connsync look for the configuration.
const ConfigPath = "/etc/conntrackd/conntrackd.conf"

// StartDaemons configures and starts conntrackd on both nodes by a file of the
// lab's own, FTFW with the states straight into the kernel table, and returns
// when each has heard the other. It owes nothing to connsync: what a test sees
// with it is the lab and the daemon alone.
func (p *Pair) StartDaemons(ctx context.Context) error {
	for _, m := range []*Member{p.A, p.B} {
		if err := m.WriteFile(ConfigPath, []byte(m.config(p.Other(m)))); err != nil {
			return err
		}
		if _, err := m.Run(ctx, "conntrackd", "-d", "-C", ConfigPath); err != nil {
			return err
		}
	}
	return p.WaitHeard(ctx)
}

// WaitHeard waits until the daemon of each node has received something from
// the other, as its control socket counts it, or the context ends.
func (p *Pair) WaitHeard(ctx context.Context) error {
	for _, m := range []*Member{p.A, p.B} {
		for {
			out, err := m.Run(ctx, "conntrackd", "-s", "network")
			if err != nil {
				return err
			}
			if _, received, ok := traffic(out); ok && received > 0 {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s has heard nothing from its peer: %w", m.Name(), context.Cause(ctx))
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

func (m *Member) config(peer *Member) string {
	return fmt.Sprintf(`Sync {
	Mode FTFW {
		DisableExternalCache on
		StartupResync on
	}
	UDP {
		IPv4_address %[1]s
		IPv4_Destination_Address %[2]s
		Port 3780
		Interface %[3]s
		SndSocketBuffer 1249280
		RcvSocketBuffer 1249280
		Checksum on
	}
}
General {
	HashSize 8192
	HashLimit 131072
	LockFile /var/lock/conntrackd.lock
	UNIX {
		Path /var/run/conntrackd.ctl
	}
	NetlinkBufferSize 2097152
	NetlinkBufferSizeMaxGrowth 8388608
	Filter From Userspace {
		Address Ignore {
			IPv4_address 127.0.0.1
			IPv4_address %[1]s
			IPv4_address %[2]s
		}
	}
}
`, m.Sync.Addr(), peer.Sync.Addr(), SyncInterface)
}

var packets = regexp.MustCompile(`(\d+) Pckts sent\s+(\d+) Pckts recv`)

// traffic reads the messages sent and received out of "conntrackd -s network".
func traffic(statistics string) (sent, received uint64, ok bool) {
	m := packets.FindStringSubmatch(statistics)
	if m == nil {
		return 0, 0, false
	}
	sent, err1 := strconv.ParseUint(m[1], 10, 64)
	received, err2 := strconv.ParseUint(m[2], 10, 64)
	return sent, received, err1 == nil && err2 == nil
}
