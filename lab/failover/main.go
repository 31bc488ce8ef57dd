// Command failover shows what becomes of connections when a node of a pair
// fails and returns: 200 TCP connections through node A, which fails; B takes
// over, and 200 more are born there; A returns, as it was or empty, and takes
// all of them back. Both nodes are set up by connsync. "make failover" builds
// and runs it.
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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := show(ctx, os.Stdout, *program, *parallel)
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

func show(ctx context.Context, out io.Writer, program string, parallel int) error {
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
	rows := allRows()
	done := start(ctx, program, rows, parallel)
	fmt.Fprintf(out, introduction, connections, connections)
	fmt.Fprintln(out, heading)
	fmt.Fprintln(out, strings.Repeat("-", len(heading)))
	var errs []error
	for i, r := range rows {
		o := <-done[i]
		fmt.Fprintln(out, line(r, o))
		if o.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r, o.err))
		} else if problem := promise(r, o.result); problem != "" {
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
type outcome struct {
	result
	err  error
	took time.Duration
}

// start runs the scenarios, so many at a time, and returns where each outcome
// arrives.
func start(ctx context.Context, program string, rows []row, parallel int) []chan outcome {
	done := make([]chan outcome, len(rows))
	for i := range rows {
		done[i] = make(chan outcome, 1)
	}
	next := make(chan int, len(rows))
	for i := range rows {
		next <- i
	}
	close(next)
	for range max(1, parallel) {
		go func() {
			for i := range next {
				began := time.Now()
				limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
				res, err := rows[i].run(limited, program)
				cancel()
				done[i] <- outcome{res, err, time.Since(began)}
			}
		}()
	}
	return done
}

// promise says what a result lacks of what is promised; blank where there is
// nothing to complain of, or nothing is promised.
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

func line(r row, o outcome) string {
	cells := fmt.Sprintf("%-27s | %-41s | %-3s | %-9s | ", r.sync(), r.Hook.words(), yesNo(r.NAT), r.returns())
	if o.err != nil {
		return cells + "could not be run"
	}
	return cells + fmt.Sprintf("%6d | %17d | %9d", o.OverB, o.Before, o.Meantime)
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
