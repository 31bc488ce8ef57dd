package uart

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// addProgram adds a program of the host, at its place there, with the loader
// and the libraries that it needs.
func (a *archive) addProgram(name string) error {
	program, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	files, err := withLibraries(program)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := a.add(file, file); err != nil {
			return err
		}
	}
	return nil
}

// withLibraries is a program and all that the loader would load for it. The
// names are as the loader looks for them.
func withLibraries(program string) ([]string, error) {
	files := []string{program}
	for i := 0; i < len(files); i++ {
		f, err := elf.Open(files[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", files[i], err)
		}
		needed, err := f.ImportedLibraries()
		loader := interpreter(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", files[i], err)
		}
		if loader != "" && !slices.Contains(files, loader) {
			files = append(files, loader)
		}
		for _, name := range needed {
			path, err := library(name)
			if err != nil {
				return nil, fmt.Errorf("%s needs %w", files[i], err)
			}
			if !slices.Contains(files, path) {
				files = append(files, path)
			}
		}
	}
	return files, nil
}

func interpreter(f *elf.File) string {
	section := f.Section(".interp")
	if section == nil {
		return ""
	}
	name, err := section.Data()
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(name), "\x00")
}

// library finds a library where Debian's loader looks.
func library(name string) (string, error) {
	for _, dir := range []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("library %s: %w", name, os.ErrNotExist)
}
