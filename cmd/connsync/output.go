package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

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

// printJSON prints v for programs. People look at it too, on terminals: what is
// not printable, in a file's text for example, stands there as an escape.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	var out bytes.Buffer
	for _, r := range b.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

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
// what is no regular file, such as /dev/null, is not replaced by one.
func replaceFile(path string, content []byte) error {
	path, err := replaceable(path)
	if err == nil {
		err = hostfile.Publish(path, content)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--output: there is no directory %s", filepath.Dir(path))
	case err != nil:
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}

// replaceable is the file that is meant by path, behind any links.
func replaceable(path string) (string, error) {
	if err := trust.Link(path); err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	}
	info, err := os.Stat(real)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w; without --output it is printed", trust.NotRegularError(path))
	}
	return real, err
}
