package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"connsync/conntrackd/hostfile"
)

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
	real, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	}
	info, err := os.Stat(real)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file; without --output it is printed", path)
	}
	return real, err
}
