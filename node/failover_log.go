package node

import (
	"fmt"
	"log/syslog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/failover"
)

// FailoverLog keeps what a failover did, which nobody watches: keepalived
// throws away what its scripts print. Neither log is needed for the failover,
// so that one which cannot be written is left out.
type FailoverLog struct {
	role failover.Role
	file *os.File       // nil when there is none
	sys  *syslog.Writer // nil where it is not written to
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
		l.file, _ = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	}
	if toSystem {
		l.sys, _ = syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "connsync")
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
		_ = l.sys.Notice(line)
	}
}

// Close closes both logs.
func (l *FailoverLog) Close() {
	if l.file != nil {
		l.file.Close()
	}
	if l.sys != nil {
		l.sys.Close()
	}
}
