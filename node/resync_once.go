package node

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connsync/conntrackd/service"
)

// mayAsk says whether the peer was not asked yet in this run of the daemon, and
// remembers that it is now: status may be called every minute, by a monitor.
func (n *Node) mayAsk(run service.State) bool {
	// The file's name is the one of connsync 1.0.0, which may have asked before. A
	// torn file only has the peer asked once more.
	path := filepath.Join(n.RuntimeDir, "asked")
	if content, err := os.ReadFile(path); err == nil {
		var pid int
		var since int64
		// A daemon's start is computed from clocks that drift.
		if _, err := fmt.Sscan(string(content), &pid, &since); err == nil && pid == run.MainPID && run.Since.Sub(time.Unix(since, 0)).Abs() < 10*time.Second {
			return false
		}
	}
	// Where it cannot be remembered the peer is asked once more, which does no harm.
	if os.MkdirAll(n.RuntimeDir, 0o755) == nil {
		_ = os.WriteFile(path, fmt.Appendf(nil, "%d %d\n", run.MainPID, run.Since.Unix()), 0o600)
	}
	return true
}
