// Package rcdeps reads which services of OpenRC start another one with them.
package rcdeps

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"connsync/trust"
)

// maxTreeBytes is above what a host with many services has.
const maxTreeBytes = 4 << 20

// entry is a line of the tree that OpenRC keeps of its services (librc-depend.c), such as
// depinfo_9_ineed_0='conntrackd'.
var entry = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^depinfo_([0-9]+)_(service|ineed|iwant)(?:_[0-9]+)?='(.*)'$`)
})

// Starter is a service that starts at boot and starts the named one with it, since it needs
// or wants it, be it by others in between; blank where there is none, or the tree cannot be
// read. A service that only uses another one starts none.
func Starter(tree, name string, atBoot func(service string) bool) string {
	content, err := trust.ReadFile(tree, maxTreeBytes)
	if err != nil {
		return ""
	}
	names, starts := map[string]string{}, map[string][]string{} // by number; who starts a service
	for line := range strings.Lines(string(content)) {
		m := entry().FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil:
		case m[2] == "service":
			names[m[1]] = m[3]
		default:
			starts[m[3]] = append(starts[m[3]], m[1])
		}
	}
	seen := []string{name}
	for i := 0; i < len(seen); i++ {
		if i > 0 && atBoot(seen[i]) {
			return seen[i]
		}
		for _, number := range starts[seen[i]] {
			if by := names[number]; by != "" && !slices.Contains(seen, by) {
				seen = append(seen, by)
			}
		}
	}
	return ""
}
