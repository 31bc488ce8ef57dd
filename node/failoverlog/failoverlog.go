// Package failoverlog keeps what a failover did: in failover.log of the state directory, and
// in the system log.
package failoverlog

import (
	"bytes"
	"context"
	"fmt"
	"log/syslog"
	"os"
	"path/filepath"
	"time"

	"connsync/conntrackd/failover"
	"connsync/conntrackd/hostfile"
	"connsync/outlet"
)

// Log keeps what a failover did, which nobody watches: keepalived
// throws away what its scripts print. Neither log is needed for the failover,
// so that one which cannot be written is left out.
type Log struct {
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

// maxBytes is the size at which the log is rotated; the full one is kept as .1.
const maxBytes = 256 << 10

// Open opens failover.log in the state directory and, with toSystem,
// the system log, for what is done in a role.
func Open(stateDir string, role failover.Role, toSystem bool) *Log {
	l := &Log{role: role}
	if toSystem {
		l.sys, _ = syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "connsync")
	}
	var err error
	if l.file, err = openFile(stateDir); err != nil && l.sys != nil {
		_ = l.sys.Notice(fmt.Sprintf("failover %s: failover.log is not written: %v", role, err))
	}
	if l.sys != nil {
		l.beside = outlet.New(context.Background(), systemLog{l.sys}, nil)
		l.beside.Beside()
	}
	return l
}

// openFile opens the file, nil with an error, and begins a new one where it
// is full.
func openFile(stateDir string) (*os.File, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, hostfile.Explain(stateDir, err)
	}
	const flag = os.O_WRONLY | os.O_APPEND
	f, err := hostfile.OpenOwn(stateDir, failover.LogName, flag)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(stateDir, failover.LogName)
	info, err := f.Stat()
	if err != nil || info.Size() <= maxBytes || os.Rename(path, path+".1") != nil {
		return f, nil
	}
	f.Close()
	return hostfile.OpenOwn(stateDir, failover.LogName, flag)
}

// Write adds a line, which must have no line end and be safe for a terminal.
func (l *Log) Write(line string) {
	line = "failover " + string(l.role) + ": " + line
	if l.file != nil {
		fmt.Fprintf(l.file, "%s [%d] %s\n", time.Now().Format(time.RFC3339), os.Getpid(), line)
	}
	if l.sys != nil {
		fmt.Fprintln(l.beside, line)
	}
}

// Close closes both logs.
func (l *Log) Close() {
	if l.file != nil {
		l.file.Close()
	}
	if l.sys != nil && l.beside.Close() == nil { // one that is stuck ends with the process
		l.sys.Close()
	}
}
