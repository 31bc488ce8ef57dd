package events

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd/failover"
	"connsync/conntrackd/hostfile"
)

// maxLog is more than the size that a record of connsync may reach.
const maxLog = 1 << 20

// ownLines are the lines of a record of connsync and of the full file before it, the
// oldest first; none if there is no such file.
func ownLines(dir, name string) ([]string, error) {
	var lines []string
	for _, file := range []string{name + ".1", name} {
		content, err := hostfile.ReadOwn(filepath.Join(dir, file), maxLog)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(content)) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines, nil
}

// failovers are the calls of connsync failover: each wrote several lines, and the last one
// says how it ended.
func (l *Log) failovers(stateDir string) {
	lines, err := ownLines(stateDir, failover.LogName)
	l.unread(failover.LogName, err)
	calls := map[string]int{} // the event of each process
	for _, line := range lines {
		call, said, ok := parseFailover(line)
		if !ok {
			continue
		}
		key := strings.Fields(line)[1] + string(call.Role)
		if i, begun := calls[key]; begun && call.Time.Sub(l.Events[i].Time) < time.Minute {
			l.Events[i].Cause = said
			continue
		}
		call.Cause = said
		calls[key] = len(l.Events)
		l.Events = append(l.Events, call)
	}
}

// LastRole is the role of the newest call of connsync failover on record; blank where there
// is none.
func LastRole(stateDir string) (failover.Role, error) {
	lines, err := ownLines(stateDir, failover.LogName)
	for _, line := range slices.Backward(lines) {
		if call, _, ok := parseFailover(line); ok {
			return call.Role, nil
		}
	}
	return "", err
}

// parseFailover reads "2026-11-28T14:02:10Z [4711] failover primary: committed 20 states".
func parseFailover(line string) (e Event, said string, ok bool) {
	words := strings.SplitN(line, " ", 5)
	if len(words) < 5 || words[2] != "failover" {
		return e, "", false
	}
	at, err := time.Parse(time.RFC3339, words[0])
	role, colon := strings.CutSuffix(words[3], ":")
	if err != nil || !colon {
		return e, "", false
	}
	return Event{Time: at, Kind: KindFailover, Role: failover.Role(role)}, words[4], true
}
