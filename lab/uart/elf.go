package uart

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
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

// moduleFiles are the files of kernel modules, each after those that it
// depends on. A module that is built into the kernel has none.
func moduleFiles(tree string, names ...string) ([]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(d.Name(), ".ko"); ok {
			found[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var files []string
	var add func(name string) error
	add = func(name string) error {
		path, ok := found[moduleName(name)]
		if !ok {
			return fmt.Errorf("module %s: %w", name, os.ErrNotExist)
		}
		if slices.Contains(files, path) {
			return nil
		}
		needed, err := dependencies(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, n := range needed {
			if err := add(n); err != nil {
				return fmt.Errorf("%s needs %w", name, err)
			}
		}
		files = append(files, path)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// moduleName is the name as the kernel has it, whatever its file's.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

func dependencies(module string) ([]string, error) {
	f, err := elf.Open(module)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for _, entry := range strings.Split(string(info), "\x00") {
		if names, ok := strings.CutPrefix(entry, "depends="); ok && names != "" {
			return strings.Split(names, ","), nil
		}
	}
	return nil, nil
}
