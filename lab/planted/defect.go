package main

import (
	"fmt"
	"path"
	"strings"
)

// defect is a mistake that somebody could make, in what a fuzz target is about.
type defect struct {
	target   string // such as FuzzParse
	dir      string // of its package, from the module's root
	file     string // that the mistake is in, from the module's root
	old, new string // what stands in it once, and what the mistake makes of that
	what     string // the mistake in words
}

// plant returns a file with the defect in the place of what is right.
func (d defect) plant(content string) (string, error) {
	if n := strings.Count(content, d.old); n != 1 {
		return "", fmt.Errorf("%s %s: %s has the text %d times, want 1: %q", d.dir, d.target, d.file, n, d.old)
	}
	return strings.Replace(content, d.old, d.new, 1), nil
}

// in makes a defect of the package in a directory.
func in(dir, target, file, old, new, what string) defect {
	return defect{target: target, dir: dir, file: path.Join(dir, file), old: old, new: new, what: what}
}
