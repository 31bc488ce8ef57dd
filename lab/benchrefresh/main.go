// Command benchrefresh measures what it costs to bring all connections in use to
// the peer again: by conntrackd's bulk send, and by connsync refresh. "make
// bench-refresh" builds it, runs it and writes its table into docs/measurements.md.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	program := flag.String("connsync", "bin/connsync", "the connsync program to measure")
	document := flag.String("document", "docs/measurements.md", "the file whose table is written again; blank writes none")
	sizes := flag.String("sizes", "20000,100000,200000", "numbers of connections")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, *program, *document, *sizes); err != nil {
		fmt.Fprintln(os.Stderr, "benchrefresh:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, program, document, sizes string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	var table bytes.Buffer
	fmt.Fprintf(&table, "Measured on %s.\n\n%s", time.Now().UTC().Format(time.DateOnly), heading)
	for size := range strings.SplitSeq(sizes, ",") {
		var count int
		if _, err := fmt.Sscan(size, &count); err != nil {
			return fmt.Errorf("size %q: %w", size, err)
		}
		costs, err := run(ctx, program, count)
		if err != nil {
			return fmt.Errorf("%d connections: %w", count, err)
		}
		for _, c := range costs {
			fmt.Fprintln(&table, c)
			fmt.Fprintln(os.Stderr, c)
		}
		if document != "" {
			if err := replaceTable(document, table.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// The table stands between these lines of the document.
const (
	beginMark = "<!-- make bench-refresh writes from here -->\n"
	endMark   = "<!-- to here -->\n"
)

func replaceTable(path string, table []byte) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(old, []byte(beginMark))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, []byte(beginMark), table, []byte(endMark), after}, nil), 0o644)
}
