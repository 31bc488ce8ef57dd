package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// figures count what was seen. Its methods are safe for concurrent use.
type figures struct {
	options options

	mu       sync.Mutex
	counts   map[string]int
	failures []string
}

func (f *figures) count(what ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range what {
		f.counts[w]++
	}
	if done := f.counts[kills]; f.options.tell != nil && slices.Contains(what, kills) && done%100 == 0 {
		fmt.Fprintln(f.options.tell, done, "kills")
	}
}

func (f *figures) of(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[what]
}

// fail notes what is wrong after a kill.
func (f *figures) fail(k kill, problem string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	failure := fmt.Sprintf("%v: %s\n    to repeat: make crash ARGS='-seed %d -first %d -kills 1 -nodes 1'", k, problem, f.options.seed, k.number)
	f.failures = append(f.failures, failure)
	if f.options.tell != nil { // at once: the rest takes long
		fmt.Fprintln(f.options.tell, "FAIL", failure)
	}
}

func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(f.counts)) {
		fmt.Fprintf(&b, "%-40s %6d\n", what, f.counts[what])
	}
	fmt.Fprintf(&b, "%d kills with seed %d, %d failures\n", f.counts[kills], f.options.seed, len(f.failures))
	return b.String()
}
