// Command planted says whether the fuzz targets find anything: it plants a defect
// into what each of them is about, in a copy of the tree, and runs the target there.
// "make planted" builds and runs it. That they find nothing without a defect is
// what "make fuzz" says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"
)

func main() {
	o := options{tell: os.Stdout}
	flag.StringVar(&o.only, "only", "", "the targets to run, a pattern of their names or packages; blank for all")
	flag.DurationVar(&o.each, "for", time.Minute, "how long a target may look for its defect")
	flag.BoolVar(&o.verbose, "v", false, "show what each run printed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	missed, err := run(ctx, o)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	case missed > 0:
		os.Exit(1)
	}
}

type options struct {
	only    string
	each    time.Duration
	verbose bool      // what each run printed stands beneath its row
	tell    io.Writer // gets the table
}

// run plants each defect in a copy of the tree in the current directory, and returns
// how many were not found, for whatever reason.
func run(ctx context.Context, o options) (missed int, err error) {
	chosen, err := choose(o.only)
	if err != nil {
		return 0, err
	}
	c, err := newCopy(ctx, ".")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	counts := map[how]int{}
	fmt.Fprintf(o.tell, row, "target", "package", "found by", "planted")
	for _, d := range chosen {
		r, err := c.try(ctx, d, o.each)
		if err != nil {
			return len(chosen), err
		}
		counts[r.how]++
		fmt.Fprintf(o.tell, row, d.target, d.dir, r, d.what)
		if o.verbose || r.how == failed || r.how == genuine {
			fmt.Fprintln(o.tell, r.log)
		}
	}
	fmt.Fprintf(o.tell, "%d defects: %d found by a seed, %d by fuzzing, %d not found, %d could not be tried, %d real ones found instead\n",
		len(chosen), counts[bySeed], counts[byFuzzing], counts[notFound], counts[failed], counts[genuine])
	return len(chosen) - counts[bySeed] - counts[byFuzzing], nil
}

// row is the form of a row of the table.
const row = "%-16s %-22s %-20s %s\n"

// choose returns the defects whose target or package has the pattern.
func choose(only string) ([]defect, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(slices.Clone(defects), func(d defect) bool {
		return !pattern.MatchString(d.target) && !pattern.MatchString(d.dir)
	})
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no fuzz target has %q in its name or package", only)
	}
	return chosen, nil
}
