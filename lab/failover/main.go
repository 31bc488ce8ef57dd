// Command failover shows what becomes of connections when a node of a pair
// fails and returns, set up by connsync: TCP connections there and back, and
// connections of every kind, old and many, to the other node, beside what
// "connsync status" said of them before. "make failover" builds and runs it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"connsync/lab"
)

func main() {
	program := flag.String("connsync", "bin/connsync", "the connsync program to show")
	parallel := flag.Int("parallel", 4, "how many pairs of nodes at a time")
	long := flag.Bool("long", false, "also use connections for ten minutes, with the kernel's own timeouts")
	random := flag.Bool("random", false, "instead of the tables: random traffic, a random fault, and a failover at once")
	seed := flag.Uint64("seed", 1, "of the first random run; each next one has the next")
	runs := flag.Int("runs", 50, "how many random runs")
	document := flag.String("document", "", "a file, such as docs/measurements.md, that gets the tables between its marks where every row holds")
	only := flag.String("only", "", "only the rows whose scenario has this text, such as ALARM; the tables are not kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *program, *document, *only, *parallel, *long, *random, *seed, *runs)
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
All cables of A are cut, B takes over; A returns and takes the addresses back. How many connections were never lost, and what status on A
said before the failure. Mode FTFW unless said; ALARM has a RefreshTime of %d s, and A waits for two of them before it takes the addresses back.

`

// run shows what was asked for, once what it needs is there.
func run(ctx context.Context, program, document, only string, parallel int, long, random bool, seed uint64, runs int) error {
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
	var tables bytes.Buffer
	out := io.MultiWriter(os.Stdout, &tables)
	if err := errors.Join(
		show(ctx, out, program, parallel, chosen(allRows(), only)),
		showLinks(ctx, out, program, parallel, chosen(allLinks(), only)),
		showMixed(ctx, out, program, parallel, chosen(allMixed(long), only))); err != nil || document == "" || only != "" {
		return err
	}
	return lab.WriteBetween(document, beginMark, endMark, fmt.Appendf(nil, "Measured on %s.\n\n```\n%s```\n", time.Now().UTC().Format(time.DateOnly), tables.Bytes()))
}

// chosen are the rows whose scenario has a text.
func chosen[R fmt.Stringer](rows []R, only string) []R {
	return slices.DeleteFunc(rows, func(r R) bool { return !strings.Contains(r.String(), only) })
}

// The tables stand between these lines of the document.
const (
	beginMark = "<!-- make failover writes from here -->\n"
	endMark   = "<!-- to here; make failover -->\n"
)

func show(ctx context.Context, out io.Writer, program string, parallel int, rows []row) error {
	done := start(ctx, parallel, len(rows), func(ctx context.Context, i int) (result, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return rows[i].run(ctx, program)
	})
	fmt.Fprintf(out, introduction, connections, connections, alarmRefresh)
	fmt.Fprintln(out, heading)
	fmt.Fprintln(out, strings.Repeat("-", len(heading)))
	var errs []error
	for i, r := range rows {
		o := <-done[i]
		fmt.Fprintln(out, line(r, o))
		if o.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r, o.err))
			continue
		}
		for _, problem := range promise(r, o.of) {
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
	add(row{Sync: true, Hook: hookOurs, NAT: true, Mode: modeNotrack})
	add(row{Sync: true, Cache: true, Hook: hookOurs, NAT: true, Mode: modeNotrack})
	add(row{Sync: true, Cache: true, Hook: hookOurs, NAT: true, Mode: modeAlarm}) // it has no other place for the states
	for _, cache := range []bool{false, true} {
		add(row{Sync: true, Cache: cache, Hook: hookOurs, Group: true})
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

// promise says what a result lacks of what is promised, and where it is other than what
// was said before.
func promise(r row, got result) (problems []string) {
	all := result{OverB: connections, Before: connections, Meantime: connections}
	switch {
	case !r.Sync && got.counts() != [3]int{}:
		problems = append(problems, fmt.Sprintf("connections survived without sync: %v; the scenario proves nothing", got.counts()))
	case r.Sync && r.Hook != hookNone && got.counts() != all.counts():
		problems = append(problems, fmt.Sprintf("connections were lost: %v of %d each\n%s", got.counts(), connections, got.Hooks))
	}
	if said := got.Said; said != nil && said.Coverage != nil && said.Coverage.Survive != got.OverB {
		problems = append(problems, fmt.Sprintf("%d connections went on, and status had said %d (%s)", got.OverB, said.Coverage.Survive, said))
	}
	return problems
}

const heading = "sync                                  | addresses moved and conntrackd told by    | NAT | A returns | over B | back on A: before | born on B | status on A had said"

func line(r row, o outcome[result]) string {
	cells := fmt.Sprintf("%-37s | %-41s | %-3s | %-9s | ", r.sync(), r.Hook.words(), yesNo(r.NAT), r.returns())
	if o.err != nil {
		return cells + "could not be run"
	}
	return cells + fmt.Sprintf("%6d | %17d | %9d | %s", o.of.OverB, o.of.Before, o.of.Meantime, o.of.Said)
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
	words := "states in the kernel"
	switch {
	case !r.Sync:
		return "none"
	case r.Group:
		r.Group = false
		return r.sync() + ", multicast"
	case r.Cache:
		words = "states in external cache"
	}
	if r.Mode != "" {
		words += ", " + strings.ToUpper(r.Mode)
	}
	return words
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
