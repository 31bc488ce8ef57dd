// Command bench measures connsync beside what does the same, or a part of it, in one
// run, and prints one report: as text and as a picture, into docs/measurements.md and
// docs/pictures. "make bench" builds and runs it; it needs root, and the Go command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.program, "connsync", "bin/connsync", "the connsync program to measure")
	flag.StringVar(&o.document, "document", "docs/measurements.md", "the page whose table is written again")
	flag.StringVar(&o.picture, "picture", "docs/pictures/bench.svg", "the picture of the report")
	flag.StringVar(&o.only, "only", "", "the sections to measure, a regular expression; then nothing is written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	missed, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if missed > 0 {
		fmt.Printf("\nFAIL: %d rows miss their target or could not be measured\n", missed)
		os.Exit(1)
	}
	fmt.Println("\nEvery target is met.")
}

type options struct{ program, document, picture, only string }

// sectionLimit is how long a section may take: all of them, and what they wait for, end
// within twenty minutes.
const sectionLimit = 5 * time.Minute

// section is rows that are measured together.
type section struct {
	name    string
	measure func(ctx context.Context, b *bench) error
}

func sections() []section {
	return []section{
		{"screens", screens},
		{"program", programSize},
		{"interfaces", interfaces},
		{"file", configFile},
		{"checks", checks},
		{"save", save},
		{"tables", tables},
		{"replication", replication},
	}
}

// bench collects the rows of a run.
type bench struct {
	program string
	rows    []row
}

func run(ctx context.Context, o options) (missed int, err error) {
	b := &bench{}
	if b.program, err = filepath.Abs(o.program); err != nil {
		return 0, err
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return 0, fmt.Errorf("-only: %w", err)
	}
	began := time.Now()
	for _, s := range sections() {
		if !only.MatchString(s.name) {
			continue
		}
		first := len(b.rows)
		limited, cancel := context.WithTimeout(ctx, sectionLimit)
		err := s.measure(limited, b)
		if limited.Err() != nil && ctx.Err() == nil {
			err = errors.Join(fmt.Errorf("it took longer than %v", sectionLimit), err)
		}
		cancel()
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err != nil {
			b.rows = append(b.rows, row{name: "the rest of this section", why: err.Error()})
		}
		for i := first; i < len(b.rows); i++ {
			b.rows[i].section = s.name
			fmt.Println(b.rows[i])
			if b.rows[i].bad() {
				missed++
			}
		}
	}
	if o.only != "" {
		return missed, nil
	}
	return missed, write(o, b.rows, time.Since(began))
}
