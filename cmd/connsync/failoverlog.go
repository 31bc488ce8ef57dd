package main

import (
	"fmt"
	"log/syslog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/failover"
	"connsync/tui/text"
)

// failoverLog keeps what a failover did, which nobody watches: keepalived
// throws away what its scripts print. Neither log is needed for the failover,
// so that one which cannot be written is left out.
type failoverLog struct {
	role failover.Role
	file *os.File       // nil when there is none
	sys  *syslog.Writer // nil when a person sees the output, or there is none
}

// failoverLogSize is where the log begins anew; the full one is kept as .1.
const failoverLogSize = 256 << 10

func openFailoverLog(s streams, stateDir string, role failover.Role) *failoverLog {
	l := &failoverLog{role: role}
	path := filepath.Join(stateDir, "failover.log")
	if info, err := os.Stat(path); err == nil && info.Size() > failoverLogSize {
		_ = os.Rename(path, path+".1")
	}
	if err := os.MkdirAll(stateDir, 0o700); err == nil {
		// A nil file is what the other methods take for none.
		l.file, _ = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	}
	if !watched(s) {
		l.sys, _ = syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "connsync")
	}
	return l
}

// watched says that what is printed is seen or kept: on a terminal, or in the
// journal, to which systemd connects the output of its units.
func watched(s streams) bool {
	out, ok := s.screen()
	if !ok {
		return false
	}
	if _, err := unix.IoctlGetTermios(int(out.Fd()), unix.TCGETS); err == nil {
		return true
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(out.Fd()), &stat); err != nil {
		return false
	}
	for _, v := range s.environ {
		if v == fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino) {
			return true
		}
	}
	return false
}

func (l *failoverLog) write(line string) {
	line = "failover " + string(l.role) + ": " + text.Clean(line)
	if l.file != nil {
		fmt.Fprintf(l.file, "%s [%d] %s\n", time.Now().Format(time.RFC3339), os.Getpid(), line)
	}
	if l.sys != nil {
		_ = l.sys.Notice(line)
	}
}

func (l *failoverLog) close() {
	if l.file != nil {
		l.file.Close()
	}
	if l.sys != nil {
		l.sys.Close()
	}
}
