package health

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"connsync/conntrackd/service"
)

// Version is that of a running daemon, which is asked once in its run. The zero value is
// ready, and may be used at once.
type Version struct {
	mu     sync.Mutex
	run    service.State
	number [3]uint8 // zeros where it cannot be told
}

func (v *Version) of(ctx context.Context, run service.State) [3]uint8 {
	v.mu.Lock()
	defer v.mu.Unlock()
	// A daemon's start is computed from clocks that drift.
	if v.number == [3]uint8{} || run.MainPID != v.run.MainPID || run.Since.Sub(v.run.Since).Abs() >= 10*time.Second {
		v.run, v.number = run, daemonVersion(ctx, run.MainPID)
	}
	return v.number
}

// ownVersion is the version of the running daemon.
func (o *Observer) ownVersion(ctx context.Context, run service.State) [3]uint8 {
	o.mu.Lock()
	if o.Version == nil {
		o.Version = new(Version)
	}
	v := o.Version
	o.mu.Unlock()
	return v.of(ctx, run)
}

// daemonVersion is the version of a running daemon; zeros where it cannot be told.
func daemonVersion(ctx context.Context, pid int) (v [3]uint8) {
	text, err := service.Version(ctx, fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return v
	}
	for i, part := range strings.SplitN(text, ".", len(v)) {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return [3]uint8{}
		}
		v[i] = uint8(n)
	}
	return v
}

// mended is the version that mended the byte order of NAT addresses, and sends zones.
var mended = [3]uint8{1, 4, 7}

func before(v, other [3]uint8) bool { return slices.Compare(v[:], other[:]) < 0 }

// sendsNoZone says that the running daemon has no place for a zone in its messages.
func (o *Observer) sendsNoZone(ctx context.Context) bool {
	o.mu.Lock()
	run := o.run
	o.mu.Unlock()
	v := o.ownVersion(ctx, run)
	return v != [3]uint8{} && before(v, mended)
}

// natSwapped says that one of two conntrackds reads the NAT addresses of the other the
// other way round.
func natSwapped(a, b [3]uint8) bool {
	unknown := [3]uint8{}
	return a != unknown && b != unknown && before(a, mended) != before(b, mended)
}

// judgeVersions is for two versions of conntrackd that do not understand each other.
func (e evidence) judgeVersions() (judgement, bool) {
	h := e.holding
	if h.Told == nil || !natSwapped(h.Daemon, h.Told.Daemon) {
		return judgement{}, false
	}
	return judgement{VerdictMismatch,
		fmt.Sprintf("this node runs conntrackd %s and the peer %s: NAT addresses arrive with their bytes the other way round, and translated connections would not survive",
			versionText(h.Daemon), versionText(h.Told.Daemon)),
		"install the same version of conntrackd on both nodes, 1.4.7 or later"}, true
}

func versionText(v [3]uint8) string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }
