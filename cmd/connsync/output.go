package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"connsync/conntrackd/hostfile"
	"connsync/outlet"
	"connsync/trust"
)

// screen is the standard output as a terminal to draw on, where it is a file.
func (s streams) screen() (*os.File, bool) {
	out := s.out
	if o, ok := out.(*outlet.Outlet); ok {
		out = o.Unwrap()
	}
	f, ok := out.(*os.File)
	return f, ok
}

// sayLines prints lines made here; what is from outside in them was cleaned.
func sayLines(w io.Writer, lines []string) error {
	_, err := io.WriteString(w, strings.Join(slices.Concat(lines, []string{""}), "\n"))
	return err
}

// cleaned makes lines from outside fit for a terminal.
type cleaned struct{ io.Writer }

func (c cleaned) Write(p []byte) (int, error) {
	return len(p), sayLines(c.Writer, cleanLines(string(p)))
}

// printJSON is [outlet.PrintJSON].
func printJSON(w io.Writer, v any) error { return outlet.PrintJSON(w, v) }

// printTo prints to w, or into the file where one is given.
func printTo(w io.Writer, file string, text func(io.Writer) error) error {
	if file == "" {
		return text(w)
	}
	var b bytes.Buffer
	if err := text(&b); err != nil {
		return err
	}
	return replaceFile(file, b.Bytes())
}

// replaceFile gives the file new content for everybody to read. A link stays, and
// what is not a regular file, such as /dev/null, is not replaced by one.
func replaceFile(path string, content []byte) error {
	target, err := trust.Replaceable(path)
	if err == nil {
		err = hostfile.Publish(target, content)
	}
	if err != nil {
		return fmt.Errorf("--output: %w", hostfile.Explain(path, err))
	}
	return nil
}
