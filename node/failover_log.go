package node

import (
	"bytes"
	"context"
	"fmt"
	"log/syslog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/failover"
	"connsync/outlet"
)

// FailoverLog keeps what a failover did, which nobody watches: keepalived
// throws away what its scripts print. Neither log is needed for the failover,
// so that one which cannot be written is left out.
type FailoverLog struct {
	role failover.Role
	file *os.File       // nil when there is none
	sys  *syslog.Writer // nil where it is not written to
	// A system log that is stuck holds up no failover.
	beside *outlet.Outlet
}

// systemLog makes a message of each line.
type systemLog struct{ *syslog.Writer }

func (s systemLog) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if err := s.Notice(string(bytes.TrimSuffix(line, []byte("\n")))); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

const failoverLogName = "failover.log"

// failoverLogMax is where the log begins anew; the full one is kept as .1.
const failoverLogMax = 256 << 10

// OpenFailoverLog opens failover.log in the state directory and, with toSystem,
// the system log, for what is done in a role.
func OpenFailoverLog(stateDir string, role failover.Role, toSystem bool) *FailoverLog {
	l := &FailoverLog{role: role}
	path := filepath.Join(stateDir, failoverLogName)
	if info, err := os.Stat(path); err == nil && info.Size() > failoverLogMax {
		_ = os.Rename(path, path+".1")
	}
	if err := os.MkdirAll(stateDir, 0o700); err == nil {
		// A nil file is what the other methods take for none.
		l.file, _ = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	}
	if toSystem {
		l.sys, _ = syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "connsync")
	}
	if l.sys != nil {
		l.beside = outlet.New(context.Background(), systemLog{l.sys}, nil)
		l.beside.Beside()
	}
	return l
}

// Write adds a line, which must have no line end and be safe for a terminal.
func (l *FailoverLog) Write(line string) {
	line = "failover " + string(l.role) + ": " + line
	if l.file != nil {
		fmt.Fprintf(l.file, "%s [%d] %s\n", time.Now().Format(time.RFC3339), os.Getpid(), line)
	}
	if l.sys != nil {
		fmt.Fprintln(l.beside, line)
	}
}

// Close closes both logs.
func (l *FailoverLog) Close() {
	if l.file != nil {
		l.file.Close()
	}
	if l.sys != nil && l.beside.Close() == nil { // one that is stuck ends with the process
		l.sys.Close()
	}
}
