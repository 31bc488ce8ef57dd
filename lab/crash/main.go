// Command crash ends connsync at random instants of real saves on nodes of the
// lab, and looks at what is left: the file whole, the daemon with it, no litter,
// the terminal as it was. "make crash" builds and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.program, "connsync", "bin/connsync", "the connsync program to end")
	flag.IntVar(&o.kills, "kills", 1000, "how often it is ended")
	flag.Uint64Var(&o.seed, "seed", 1, "which instants; the same seed has the same")
	flag.IntVar(&o.first, "first", 0, "begin with this kill, to repeat one")
	flag.IntVar(&o.nodes, "nodes", 3, "how many nodes it runs on beside each other")
	flag.Parse()
	o.tell = os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	figures, err := crash(ctx, o)
	interrupted := ctx.Err() != nil
	stop()
	fmt.Print(figures)
	switch {
	case err != nil && !interrupted:
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	case interrupted:
		os.Exit(130)
	case len(figures.failures) > 0:
		os.Exit(1)
	}
}

type options struct {
	program string
	kills   int
	seed    uint64
	first   int
	nodes   int
	tell    io.Writer // gets failures and how far it is; nil for nobody
}

// crash does it and returns what was seen.
func crash(ctx context.Context, o options) (*figures, error) {
	f := &figures{options: o, counts: map[string]int{}}
	var err error
	if o.program, err = filepath.Abs(o.program); err != nil {
		return f, err
	}
	if _, err := os.Stat(o.program); err != nil {
		return f, fmt.Errorf("the program to end is not built: %w", err)
	}
	numbers := make(chan int)
	go func() {
		defer close(numbers)
		for i := range o.kills {
			select {
			case numbers <- o.first + i:
			case <-ctx.Done():
				return
			}
		}
	}()
	failed := make(chan error, o.nodes)
	for range o.nodes {
		go func() { failed <- f.onNode(ctx, o, numbers) }()
	}
	for range o.nodes {
		if nodeErr := <-failed; nodeErr != nil && err == nil {
			err = nodeErr
		}
	}
	return f, err
}
