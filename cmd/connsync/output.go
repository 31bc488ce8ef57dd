package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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

// replaceFile gives the file new content for everybody to read. At every instant
// it is the whole old one or the whole new one; what is written on the way is
// named so that nobody takes it for the file. A link stays, and what is no
// regular file, such as /dev/null, is not replaced by one.
func replaceFile(path string, content []byte) (err error) {
	path, err = replaceable(path)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--output: there is no directory %s", dir)
	} else if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
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
