package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// how a defect was found.
type how int

const (
	failed    how = iota // the target could not run, such as one that does not compile
	notFound             // it ran for its time and found nothing
	bySeed               // an input that is checked in breaks the law
	byFuzzing            // an input that was made does
	genuine              // such an input breaks the law without the planted defect, too
)

// result is what became of a run of a target.
type result struct {
	how   how
	execs int    // executions, those of the seeds among them
	log   string // what the run printed
}

func (r result) String() string {
	switch r.how {
	case bySeed:
		return "a seed"
	case byFuzzing:
		return fmt.Sprintf("%d executions", r.execs)
	case notFound:
		return "NOT FOUND"
	case genuine:
		return "A REAL DEFECT"
	}
	return "COULD NOT RUN"
}

var (
	// What go test prints of an input that breaks a law (internal/fuzz).
	seedFails = regexp.MustCompile(`(?m)failure while testing seed corpus entry: `)
	madeFails = regexp.MustCompile(`(?m)^\s+Failing input written to testdata/fuzz/`)
	progress  = regexp.MustCompile(`(?m)^fuzz: elapsed: .* execs: (\d+) `)
)

// judge reads what a run of go test -fuzz printed; passed says that it ended well.
// Without an input that breaks the law, a run that ended badly has found nothing:
// the package does not compile, or something else went wrong.
func judge(log string, passed bool) result {
	r := result{log: strings.TrimSpace(log)}
	for _, m := range progress.FindAllStringSubmatch(log, -1) {
		r.execs, _ = strconv.Atoi(m[1])
	}
	switch {
	case passed && r.execs > 0:
		r.how = notFound
	case passed:
		r.how = failed // nothing ran
	case madeFails.MatchString(log):
		r.how = byFuzzing
	case seedFails.MatchString(log):
		r.how = bySeed
	}
	return r
}
