// Command failover shows what becomes of connections when a node of a pair
// fails and returns, set up by connsync: TCP connections there and back, and
// connections of every kind, old and many, to the other node, beside what
// "connsync status" said of them before. "make failover" builds and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	program := flag.String("connsync", "bin/connsync", "the connsync program to show")
	parallel := flag.Int("parallel", 4, "how many pairs of nodes at a time")
	long := flag.Bool("long", false, "also use connections for ten minutes, with the kernel's own timeouts")
	random := flag.Bool("random", false, "instead of the tables: random traffic, a random fault, and a failover at once")
	seed := flag.Uint64("seed", 1, "of the first random run; each next one has the next")
	runs := flag.Int("runs", 50, "how many random runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *program, *parallel, *long, *random, *seed, *runs)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "\nfailover: interrupted; nothing is left behind")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "\nfailover:", err)
		os.Exit(1)
	}
}

const introduction = `%d TCP connections through node A, %d born on node B meanwhile; strict stateful rules, nf_conntrack_tcp_loose=0.
All cables of A are cut, B takes over; A returns and takes the addresses back. How many connections were never lost:

`

// run shows what was asked for, once what it needs is there.
func run(ctx context.Context, program string, parallel int, long, random bool, seed uint64, runs int) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("the program to show is not built: %w", err)
	}
	for _, needed := range []string{"conntrackd", "conntrack", "nft", "keepalived"} {
		if _, err := exec.LookPath(needed); err != nil {
			return fmt.Errorf("%s is not installed (apt-get install conntrackd conntrack nftables keepalived): %w", needed, err)
		}
	}
	if random {
		return showRandom(ctx, os.Stdout, program, parallel, seed, runs)
	}
	return errors.Join(show(ctx, os.Stdout, program, parallel), showLinks(ctx, os.Stdout, program, parallel), showMixed(ctx, os.Stdout, program, parallel, long))
}

func show(ctx context.Context, out io.Writer, program string, parallel int) error {
	rows := allRows()
	done := start(ctx, parallel, len(rows), func(ctx context.Context, i int) (result, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return rows[i].run(ctx, program)
	})
	fmt.Fprintf(out, introduction, connections, connections)
	fmt.Fprintln(out, heading)
	fmt.Fprintln(out, strings.Repeat("-", len(heading)))
	var errs []error
	for i, r := range rows {
		o := <-done[i]
		fmt.Fprintln(out, line(r, o))
		if o.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r, o.err))
		} else if problem := promise(r, o.of); problem != "" {
			errs = append(errs, fmt.Errorf("%s: %s", r, problem))
		}
	}
	return errors.Join(errs...)
}

// allRows are the scenarios, those without sync first.
func allRows() []row {
	var rows []row
	add := func(r row) {
		for _, crashed := range []bool{false, true} {
			r.Crashed = crashed
			rows = append(rows, r)
		}
	}
	for _, nat := range []bool{false, true} {
		add(row{Hook: hookNone, NAT: nat})
	}
	for _, h := range []hook{hookNone, hookOurs} {
		for _, cache := range []bool{false, true} {
			for _, nat := range []bool{false, true} {
				add(row{Sync: true, Cache: cache, Hook: h, NAT: nat})
			}
		}
	}
	for _, cache := range []bool{false, true} {
		add(row{Sync: true, Cache: cache, Hook: hookKeepalived, NAT: true})
	}
	return rows
}

// outcome is a finished scenario.
type outcome[R any] struct {
	of   R
	err  error
	took time.Duration
}

// limit bounds a scenario, beside the time for which its connections are used.
const limit = 3 * time.Minute

// start runs as many scenarios, so many at a time, and returns where each outcome
// arrives.
func start[R any](ctx context.Context, parallel, count int, run func(context.Context, int) (R, error)) []chan outcome[R] {
	done := make([]chan outcome[R], count)
	next := make(chan int, count)
	for i := range count {
		done[i] = make(chan outcome[R], 1)
		next <- i
	}
	close(next)
	for range max(1, parallel) {
		go func() {
			for i := range next {
				began := time.Now()
				res, err := run(ctx, i)
				done[i] <- outcome[R]{res, err, time.Since(began)}
			}
		}()
	}
	return done
}

// promise says what a result lacks of what is promised; blank where it lacks
// nothing, or nothing is promised.
func promise(r row, got result) string {
	all := result{connections, connections, connections}
	switch {
	case !r.Sync && (got.OverB != 0 || got.Before != 0 || got.Meantime != 0):
		return fmt.Sprintf("connections survived without sync: %+v; the scenario proves nothing", got)
	case r.Sync && r.Hook != hookNone && got != all:
		return fmt.Sprintf("connections were lost: %+v of %d each", got, connections)
	}
	return ""
}

const heading = "sync                        | addresses moved and conntrackd told by    | NAT | A returns | over B | back on A: before | born on B"

func line(r row, o outcome[result]) string {
	cells := fmt.Sprintf("%-27s | %-41s | %-3s | %-9s | ", r.sync(), r.Hook.words(), yesNo(r.NAT), r.returns())
	if o.err != nil {
		return cells + "could not be run"
	}
	return cells + fmt.Sprintf("%6d | %17d | %9d", o.of.OverB, o.of.Before, o.of.Meantime)
}

func (h hook) words() string {
	switch h {
	case hookNone:
		return "the lab; conntrackd is not told"
	case hookOurs:
		return "the lab; connsync failover"
	}
	return string(h)
}

func (r row) sync() string {
	switch {
	case !r.Sync:
		return "none"
	case r.Cache:
		return "states in external cache"
	}
	return "states in the kernel"
}

func (r row) returns() string {
	if r.Crashed {
		return "empty"
	}
	return "intact"
}

func (r row) String() string {
	return fmt.Sprintf("sync %s, %s, NAT %s, A returns %s", r.sync(), r.Hook, yesNo(r.NAT), r.returns())
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
