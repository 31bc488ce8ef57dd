package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/lab"
)

// configFile measures reading, editing and printing a file of so many lines beside
// conntrackd's own parser, whose time is that of a client that finds no daemon.
func configFile(ctx context.Context, b *bench) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := conntracktest.Settings()
	here, err := lab.NewNamespace()
	if err != nil {
		return err
	}
	defer here.Close()
	if err := lab.Veth(here, s.Interface, here, "other"); err != nil { // which the parser looks for
		return err
	}
	var last time.Duration
	for _, lines := range []int{10, 100, 1000, 10_000, 100_000} {
		text := longFile(conntracktest.Config(s, dir), lines)
		path := filepath.Join(dir, "conntrackd.conf")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
		var ours, theirs []time.Duration
		for range max(3, min(5, 20_000/lines)) { // the daemon takes a second for the longest
			took, err := edited(path, text, s)
			if err != nil {
				return fmt.Errorf("%d lines: %w", lines, err)
			}
			var read time.Duration
			err = here.Do(func() error {
				began := time.Now()
				defer func() { read = time.Since(began) }()
				return exec.CommandContext(ctx, "conntrackd", "-C", path, "-s").Run()
			})
			var ended *exec.ExitError
			if err != nil && !errors.As(err, &ended) {
				return err
			}
			ours, theirs = append(ours, took), append(theirs, read)
		}
		name, took := fmt.Sprintf("read, edit, print %d lines", bytes.Count(text, []byte("\n"))), slices.Min(ours)
		b.timed(name, took, "conntrackd reads them", slices.Min(theirs), 0)
		if lines > 1000 { // below, the rest of the file counts
			b.timed(name, took, "10 times a tenth of it", last*10, 1.5)
		}
		last = took
	}
	return nil
}

func edited(path string, text []byte, s conntrackd.Settings) (time.Duration, error) {
	s.Port++
	began := time.Now()
	f, _ := conntrackd.Parse(path, text)
	if _, _, err := f.Apply(s, conntrackd.Host{}); err != nil {
		return 0, err
	}
	after := f.Bytes()
	took := time.Since(began)
	if bytes.Equal(after, text) {
		return 0, errors.New("the edit changed nothing")
	}
	return took, nil
}

// longFile is config with so many addresses more that the daemon's filter leaves out.
func longFile(config string, lines int) []byte {
	var b bytes.Buffer
	b.WriteString(config)
	b.WriteString("\nGeneral {\n\tFilter From Userspace {\n\t\tAddress Ignore {\n")
	for i := range lines {
		fmt.Fprintf(&b, "\t\t\tIPv4_address 10.%d.%d.%d\n", i>>16&255, i>>8&255, i&255)
	}
	b.WriteString("\t\t}\n\t}\n}\n")
	return b.Bytes()
}
