package conntrackd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// defaultHashLimit is the daemon's own, since 1.4.7 (read_config_yy.y).
const defaultHashLimit = 262144

// HashLimit is how many states each table of a daemon with this configuration
// holds; what comes beyond is lost without a word.
func HashLimit(content []byte) int {
	n, err := strconv.Atoi(argument(content, "HashLimit"))
	if err != nil || n <= 0 {
		return defaultHashLimit
	}
	return n
}

// StartupResync says whether a daemon with this configuration asks the peer for
// its states when it starts. It asks once.
func StartupResync(content []byte) bool {
	f, _ := Parse("", content)
	n := f.modeSetting("StartupResync")
	return n != nil && f.argKind(n) == kindOn
}

// ProtocolFilter returns the names in the Protocol lists of the daemon's
// filter, and whether one of them is an Accept list: what is not on it is not
// synchronised.
func ProtocolFilter(content []byte) (names []string, accept bool) {
	list, _ := words(content)
	for i := 0; i+2 < len(list); i++ {
		if list[i].text != "Protocol" || list[i+2].text != "{" {
			continue
		}
		accept = accept || list[i+1].text == "Accept"
		for i += 3; i < len(list) && list[i].text != "}"; i++ {
			names = append(names, list[i].text)
		}
	}
	return names, accept
}

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
		if p.pid != mainPID && p.network == network {
			others = append(others, Daemon{PID: p.pid, Config: p.config})
		}
	}
	return others, nil
}
