package lab

import (
	"bytes"
	"fmt"
	"os"
	"slices"
)

// WriteBetween puts text between two lines of a document, in place of what stands there.
func WriteBetween(path, begin, end string, text []byte) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(old, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte(end))
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table between %q and %q", path, begin, end)
	}
	return os.WriteFile(path, slices.Concat(before, []byte(begin), text, []byte(end), after), 0o644)
}
