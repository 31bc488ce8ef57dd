// Command systems sets pairs of booted systems up with connsync and prints what works
// on each as a matrix: Debian 11 to sid, mixed pairs, OpenRC, units and scripts as VyOS
// and Alpine have them, and a loop that starts conntrackd again. "make test-systems"
// builds and runs it.
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
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "comma-separated rows, such as debian13,openrc12; blank is all")
	program := flag.String("connsync", "bin/connsync", "the program for the row whose nodes have no package")
	deb := flag.String("deb", "", "the package to install; blank builds it")
	parallel := flag.Int("parallel", 2, "how many pairs at a time")
	verbose := flag.Bool("v", false, "print each cell as it ends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Stdout, *only, *program, *deb, *parallel, *verbose)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "systems:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, only, program, deb string, parallel int, verbose bool) error {
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "systems")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &programs{}
	if p.program, err = filepath.Abs(program); err != nil {
		return err
	}
	if deb == "" {
		if deb, err = build(ctx, dir); err != nil {
			return err
		}
	}
	if err := p.repack(ctx, deb, dir); err != nil {
		return err
	}
	fmt.Fprintf(out, "%-14s", "")
	for _, c := range cells {
		fmt.Fprintf(out, " %-9s", c.name)
	}
	fmt.Fprintln(out)
	var notes []string
	failed := 0
	done := start(chosen, parallel, func(r row) []result {
		return r.run(ctx, p, func(cell string, res result) {
			if verbose {
				fmt.Fprintf(os.Stderr, "%s %s: %s\n", r.name, cell, res)
			}
		})
	})
	for i, r := range chosen {
		results := <-done[i]
		fmt.Fprintf(out, "%-14s", r.name)
		for i, res := range results {
			word := res.word()
			fmt.Fprintf(out, " %-9s", word)
			if word == wordFailed {
				failed++
			}
			switch {
			case res.err == nil:
			case i > 0 && results[i-1].err != nil && results[i-1].String() == res.String(): // for the same reason
				notes[len(notes)-1] = strings.Replace(notes[len(notes)-1], ": ", ", "+cells[i].name+": ", 1)
			default:
				notes = append(notes, fmt.Sprintf("%s, %s: %s", r.name, cells[i].name, res))
			}
		}
		fmt.Fprintln(out)
	}
	for _, n := range notes {
		fmt.Fprintln(out, "\n"+n)
	}
	if failed > 0 {
		return fmt.Errorf("%d cells failed", failed)
	}
	return ctx.Err()
}

// start runs the rows, so many at a time, and returns where the results of each arrive.
func start(rows []row, parallel int, run func(row) []result) []chan []result {
	done := make([]chan []result, len(rows))
	free := make(chan struct{}, max(1, parallel))
	for i, r := range rows {
		done[i] = make(chan []result, 1)
		go func() {
			free <- struct{}{}
			done[i] <- run(r)
			<-free
		}()
	}
	return done
}

// choose returns the rows of a list of names.
func choose(only string) ([]row, error) {
	if only == "" {
		return rows(), nil
	}
	var chosen []row
	for _, name := range strings.Split(only, ",") {
		found := false
		var known []string
		for _, r := range rows() {
			known = append(known, r.name)
			if r.name == name {
				chosen, found = append(chosen, r), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no row is called %q; rows: %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// programs are what is installed.
type programs struct {
	program    string
	deb, newer string // packages
}

func build(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "packaging/build", dir)
	cmd.Env = append(os.Environ(), "ARCHS="+runtime.GOARCH)
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the package: %w\n%s", err, said)
	}
	found, err := filepath.Glob(filepath.Join(dir, "connsync_*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("build the package: it left %v (%w)", found, err)
	}
	return found[0], nil
}

// repack makes a newer version of a package, with the same content.
func (p *programs) repack(ctx context.Context, deb, dir string) error {
	content := filepath.Join(dir, "content")
	p.deb, p.newer = deb, filepath.Join(dir, "newer.deb")
	for _, line := range [][]string{
		{"dpkg-deb", "-R", deb, content},
		{"sed", "-i", "s/^Version: .*/Version: 99.0-1/", filepath.Join(content, "DEBIAN/control")},
		{"dpkg-deb", "-Znone", "-b", content, p.newer},
	} {
		if said, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", line[0], err, said)
		}
	}
	return nil
}

// result is what became of a cell.
type result struct {
	err  error // why it failed, or was not run: a skipped
	took time.Duration
}

// skipped says why a cell could not run.
type skipped string

func (s skipped) Error() string { return "could not run: " + string(s) }

const wordFailed = "FAIL"

func (r result) word() string {
	var why skipped
	switch {
	case r.err == nil:
		return fmt.Sprintf("ok %.0fs", r.took.Seconds())
	case errors.As(r.err, &why):
		return "-"
	}
	return wordFailed
}

func (r result) String() string {
	if r.err == nil {
		return r.word()
	}
	return r.err.Error()
}
