package conntrackd

import (
	"fmt"
	"slices"
	"strings"
)

// UnknownProtocols returns those of the names that this host does not know. The
// daemon drops them from its lists, and an Accept list that is empty lets
// nothing through.
func UnknownProtocols(names []string) ([]string, error) {
	return unknownProtocols("/etc/protocols", names)
}

func unknownProtocols(path string, names []string) ([]string, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(content)) {
		line, _, _ = strings.Cut(line, "#")
		// "tcp 6 TCP": a name, its number, its other names.
		if fields := strings.Fields(line); len(fields) >= 2 {
			for _, name := range slices.Delete(fields, 1, 2) {
				known[name] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return known[n] }), nil
}

// Daemon is a running conntrackd.
type Daemon struct {
	PID    int
	Config string // its configuration file, as it was given
}

// OtherDaemons returns the conntrackd daemons in this network namespace but the
// one with process mainPID. Two of them on one port both start, and the newer
// one gets all messages. An error is an [ErrCannotLook].
func OtherDaemons(mainPID int) ([]Daemon, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	network, _, err := ownNamespaces()
	if err != nil {
		return nil, err
	}
	var others []Daemon
	for _, p := range all {
		if p.pid == mainPID {
			continue
		}
		if p.hidden {
			return nil, fmt.Errorf("%w: only root can see whether conntrackd, process %d, is this host's", ErrCannotLook, p.pid)
		}
		if p.network == network {
			others = append(others, Daemon{PID: p.pid, Config: p.config})
		}
	}
	return others, nil
}
