package uart

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// kernelModules are the contents of kernel modules, as the kernel loads them, each
// after those that it depends on. One that is built into the kernel has none.
func kernelModules(tree string, names ...string) ([][]byte, error) {
	files, err := moduleFiles(tree)
	if err != nil {
		return nil, err
	}
	builtin, err := builtinModules(tree)
	if err != nil {
		return nil, err
	}
	var contents [][]byte
	added := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		name = moduleName(name)
		if added[name] || builtin[name] {
			return nil
		}
		added[name] = true
		file, ok := files[name]
		if !ok {
			return fmt.Errorf("module %s: %w below %s", name, os.ErrNotExist, tree)
		}
		content, err := moduleContent(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		needed, err := dependencies(content)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, n := range needed {
			if err := add(n); err != nil {
				return fmt.Errorf("%s needs %w", name, err)
			}
		}
		contents = append(contents, content)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

// moduleFiles finds the modules in a tree, by name. Debian compresses them since 13.
func moduleFiles(tree string) (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(tree, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, compression, ok := strings.Cut(d.Name(), ".ko")
		if ok && slices.Contains([]string{"", ".gz", ".xz", ".zst"}, compression) {
			found[moduleName(name)] = file
		}
		return nil
	})
	return found, err
}

// builtinModules reads modules.builtin, which names them as the files that they would be.
func builtinModules(tree string) (map[string]bool, error) {
	names := map[string]bool{}
	content, err := os.ReadFile(filepath.Join(tree, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(content)) {
		names[moduleName(strings.TrimSuffix(path.Base(strings.TrimSpace(line)), ".ko"))] = true
	}
	return names, nil
}

// moduleName is the name as the kernel has it, whatever its file's.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// moduleContent reads a module. Programs of the host take off what Go's library cannot.
func moduleContent(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	switch filepath.Ext(file) {
	case ".gz":
		r, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case ".xz":
		return filtered(content, "xz", "--decompress", "--stdout")
	case ".zst":
		return filtered(content, "zstd", "--decompress", "--stdout", "--quiet")
	default:
		return content, nil
	}
}

// filtered is what a program makes of its input.
func filtered(input []byte, name string, args ...string) ([]byte, error) {
	var complaint bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &complaint
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(complaint.Bytes()))
	}
	return output, nil
}

func dependencies(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
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
