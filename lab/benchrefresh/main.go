// Command benchrefresh measures what it costs to bring all connections in use to
// the peer again, by conntrackd's bulk send and by connsync refresh, and what a report to
// the peer costs. "make bench-refresh" builds it, runs it and writes its tables into
// docs/measurements.md.
package main

import (
	"bytes"
	"context"
	"errors"
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
	sizes := flag.String("sizes", "20000,100000,200000", "numbers of connections to bring to the peer again; blank for none")
	reports := flag.String("reports", "10000,100000", "numbers of connections to report on; blank for none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	path, err := filepath.Abs(*program)
	if err == nil {
		b := bench{ctx, path, *document}
		err = errors.Join(
			b.table(*sizes, beginMark, heading, run),
			b.table(*reports, beginReports, reportHeading, measureReports))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchrefresh:", err)
		os.Exit(1)
	}
}

type bench struct {
	ctx               context.Context
	program, document string
}

// table measures for each of the sizes and writes the rows after the mark.
func (b bench) table(sizes, mark, heading string, measure func(ctx context.Context, program string, count int) (rows string, err error)) error {
	if sizes == "" {
		return nil
	}
	var table bytes.Buffer
	fmt.Fprintf(&table, "Measured on %s.\n\n%s", time.Now().UTC().Format(time.DateOnly), heading)
	for size := range strings.SplitSeq(sizes, ",") {
		var count int
		if _, err := fmt.Sscan(size, &count); err != nil {
			return fmt.Errorf("size %q: %w", size, err)
		}
		rows, err := measure(b.ctx, b.program, count)
		if err != nil {
			return fmt.Errorf("%d connections: %w", count, err)
		}
		fmt.Fprintln(&table, rows)
		fmt.Fprintln(os.Stderr, rows)
		if b.document != "" {
			if err := replaceTable(b.document, mark, table.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// The tables stand between such a line of the document and the next end.
const (
	beginMark    = "<!-- make bench-refresh writes from here -->\n"
	beginReports = "<!-- make bench-refresh writes its reports from here -->\n"
	endMark      = "<!-- to here -->\n"
)

func replaceTable(path, mark string, table []byte) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(old, []byte(mark))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, []byte(mark), table, []byte(endMark), after}, nil), 0o644)
}
