package main

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// figures are what a benchmark reports, by its unit.
type figures map[string]float64

func (f figures) time() time.Duration { return time.Duration(f["ns/op"]) }

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// benchmark runs benchmarks of a package, by their names behind the word: so many times,
// as often as count says, of which the quickest is returned. What else runs on the host
// makes each of them slower and none quicker.
func benchmark(ctx context.Context, pkg, pattern, times string, count int) (map[string]figures, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", times, "-count", strconv.Itoa(count), pkg).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s %s: %w: %s", pattern, pkg, err, out)
	}
	all := map[string]figures{}
	for _, m := range benchmarkLine.FindAllStringSubmatch(string(out), -1) {
		f, words := figures{}, strings.Fields(m[2])
		for i := 0; i+1 < len(words); i += 2 {
			if f[words[i+1]], err = strconv.ParseFloat(words[i], 64); err != nil {
				return nil, fmt.Errorf("%q: %w", m[0], err)
			}
		}
		if before, ok := all[m[1]]; !ok || f.time() < before.time() {
			all[m[1]] = f
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no benchmark of %s is called %s", pkg, pattern)
	}
	return all, nil
}

// interfaces measures the list of all interfaces with their addresses beside the two
// ways that ask for each by itself, and how it grows.
func interfaces(ctx context.Context, b *bench) error {
	found, err := benchmark(ctx, "./netcheck", "^BenchmarkInterfaces$/./^(per-link|standard-library)$", "1x", 1)
	if err != nil {
		return err
	}
	dumps, err := benchmark(ctx, "./netcheck", "^BenchmarkInterfaces$/./^dumps$", "1x", 24)
	if err != nil {
		return err
	}
	maps.Copy(found, dumps)
	of := func(count int, way string) time.Duration {
		return found[fmt.Sprintf("Interfaces/%d/%s", count, way)].time()
	}
	counts := []int{10, 100, 1000, 4000}
	for i, count := range counts {
		name := fmt.Sprintf("list of %d interfaces", count)
		if of(count, "dumps") == 0 {
			return fmt.Errorf("%s: it was not measured", name)
		}
		b.timed(name, of(count, "dumps"), "net.Interfaces", of(count, "standard-library"), 0)
		b.timed(name, of(count, "dumps"), "a dump for each", of(count, "per-link"), 0)
		if i > 1 { // below, the host's own time is most of it
			last := counts[i-1]
			b.timed(name, of(count, "dumps"), fmt.Sprintf("%d times that of %d", count/last, last), of(last, "dumps")*time.Duration(count/last), 1.5)
		}
	}
	b.timed("list of 4000 interfaces", of(4000, "dumps"), "the target of 100 ms", 100*time.Millisecond, 1)
	filter, err := benchmark(ctx, "./tui", "^BenchmarkPickerFilter$", "200x", 1)
	if err != nil {
		return err
	}
	b.timed("two keys of the filter over 4000", filter["PickerFilter"].time(), "the list of them", of(4000, "dumps"), 1)
	return nil
}

// checks measures all checks of a pair beside the slowest of them.
func checks(ctx context.Context, b *bench) error {
	found, err := benchmark(ctx, "./netcheck", "^BenchmarkPlan$/^healthy$", "1x", 5)
	if err != nil {
		return err
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		f, ok := found["Plan/healthy/"+family]
		if !ok {
			return fmt.Errorf("%s was not measured", family)
		}
		whole := time.Duration(f["ms/plan"] * float64(time.Millisecond))
		b.timed("checks of a healthy pair, "+family, whole, "the slowest of them", time.Duration(float64(whole)/f["x-slowest"]), 1.1)
	}
	return nil
}
