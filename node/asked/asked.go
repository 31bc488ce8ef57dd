// Package asked remembers when the peer was last asked for its states, so that it is asked
// once for what this node lacks, by whoever looks.
package asked

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// Memory is a file in Dir, the runtime directory of connsync. Its methods may be called at
// once.
type Memory struct{ Dir string }

// every is the least time between two questions to the peer: a table that refuses
// some for good would have all of them sent again and again.
const every = 10 * time.Second

// name is the file that remembers when the peer was asked. Its name is the one of
// connsync 1.0.0, which may have asked before.
const name = "asked"

// Last returns what had come of the peer when it was last asked in this run of the
// daemon; nil means never. A torn file only has the peer asked once more.
func (m Memory) Last(run service.State) *health.Received {
	content, err := hostfile.ReadOwn(filepath.Join(m.Dir, name), 128)
	if err != nil {
		return nil
	}
	var pid int
	var since int64
	var r health.Received
	// The two numbers of the run stand there since 1.0.0; those of the peer may be missing.
	if fields, _ := fmt.Sscan(string(content), &pid, &since, &r.Taken, &r.Refused); fields < 2 {
		return nil
	}
	// A daemon's start is computed from clocks that drift.
	if pid != run.MainPID || run.Since.Sub(time.Unix(since, 0)).Abs() >= 10*time.Second {
		return nil
	}
	return &r
}

// May says whether the peer may be asked now, and remembers that it is.
func (m Memory) May(run service.State, now health.Received) bool {
	before := m.Last(run)
	if before != nil && *before == now {
		return false
	}
	f, err := hostfile.OpenOwn(m.Dir, name, os.O_RDWR)
	if err != nil {
		// Where it cannot be remembered the peer is asked once more, which does no harm.
		return true
	}
	defer f.Close()
	if before != nil {
		if info, err := f.Stat(); err == nil && time.Since(info.ModTime()).Abs() < every {
			return false
		}
	}
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d %d %d %d\n", run.MainPID, run.Since.Unix(), now.Taken, now.Refused), 0)
	}
	return true
}
