package node

import (
	"fmt"
	"io"
	"os"
	"time"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// mayAsk says whether the peer was not asked yet in this run of the daemon, and
// remembers that it is now: status may be called every minute, by a monitor.
func (n *Node) mayAsk(run service.State) bool {
	// The file's name is the one of connsync 1.0.0, which may have asked before. A
	// torn file only has the peer asked once more.
	f, err := hostfile.OpenOwn(n.RuntimeDir, "asked", os.O_RDWR)
	if err != nil {
		// Where it cannot be remembered the peer is asked once more, which does no harm.
		return true
	}
	defer f.Close()
	var pid int
	var since int64
	_, err = fmt.Fscan(io.LimitReader(f, 64), &pid, &since)
	// A daemon's start is computed from clocks that drift.
	if err == nil && pid == run.MainPID && run.Since.Sub(time.Unix(since, 0)).Abs() < 10*time.Second {
		return false
	}
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d %d\n", run.MainPID, run.Since.Unix()), 0)
	}
	return true
}
