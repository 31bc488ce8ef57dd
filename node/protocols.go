package node

import (
	"fmt"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
)

// unknownProtocols returns those of the names that are not in a file such as
// /etc/protocols. The daemon drops them from its lists, and an Accept list that is
// empty lets nothing through.
func unknownProtocols(path string, names []string) ([]string, error) {
	content, err := hostfile.Read(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, err)
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
