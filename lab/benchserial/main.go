// Command benchserial measures what screens cost on a serial line, in bytes:
// connsync's and, beside it, those of dialog, whiptail and nmtui on an equal
// form. It fails where connsync misses its targets. "make bench-serial" builds
// and runs it; it needs root and the Debian packages named in scripts/deps.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"connsync/lab/tty"
)

func main() {
	program := flag.String("connsync", "bin/connsync", "the connsync program to measure")
	quick := flag.Bool("quick", false, "idle for 5 seconds and scale that to a minute")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	idle := time.Minute
	if *quick {
		idle = 5 * time.Second
	}
	missed, err := run(ctx, *program, idle)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchserial:", err)
		os.Exit(1)
	case missed > 0:
		fmt.Printf("\nFAIL: %d targets missed\n", missed)
		os.Exit(1)
	}
	fmt.Println("\nEvery target is met.")
}

// terminal is one kind of line to measure on.
type terminal struct {
	name string
	line tty.Line
	// serial says whether connsync's targets hold: on a terminal emulator it
	// may draw more.
	serial bool
}

func terminals() []terminal {
	var all []terminal
	for _, term := range []string{"vt100", "vt220", "linux", "xterm-256color"} {
		all = append(all, terminal{term, tty.Line{Width: 80, Height: 24, Environ: []string{"TERM=" + term, "LC_ALL=C"}}, term != "xterm-256color"})
	}
	return append(all, terminal{"vt100 at 0x0", tty.Line{Environ: []string{"TERM=vt100", "LC_ALL=C"}}, true})
}

func run(ctx context.Context, program string, idle time.Duration) (missed int, err error) {
	program, err = filepath.Abs(program)
	if err != nil {
		return 0, err
	}
	stand, err := newStand(ctx, program)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stand.close()) }()

	programs := stand.programs(idle)
	fmt.Printf("Bytes on the line, measured on pseudo-terminals; idle: %v", idle)
	if idle != time.Minute {
		fmt.Print(", scaled to a minute")
	}
	fmt.Println(".\nA byte takes 1.04 ms at 9600 baud and 0.087 ms at 115200.")
	lines := terminals()
	results := make([][]result, len(lines))
	var all sync.WaitGroup // most of it is waiting
	for l := range lines {
		results[l] = make([]result, len(programs))
		for i, p := range programs {
			all.Go(func() { results[l][i] = p.measure(ctx, lines[l]) })
		}
	}
	all.Wait()
	for i, p := range programs { // one after the other: now time counts
		for l := range lines {
			all.Go(func() { results[l][i].add(p.slow(lines[l])) })
		}
		all.Wait()
	}
	for l, t := range lines {
		for i, r := range results[l] {
			if r.err != nil {
				return missed, fmt.Errorf("%s at %s: %w", programs[i].name, t.name, r.err)
			}
		}
		missed += printTable(os.Stdout, t, programs, results[l])
	}
	still, err := stand.stillStatus(ctx)
	if err != nil {
		return missed, err
	}
	fmt.Printf("\nstatus refresh when no number changes: %d bytes in %v (target 0)\n", still, stillTime)
	if still != 0 {
		missed++
	}
	return missed, nil
}
