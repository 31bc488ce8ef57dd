package service

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	sdunit "github.com/coreos/go-systemd/v22/unit"

	"connsync/trust"
)

// unitDirs are where systemd looks for units, the first one that has a file wins;
// systemd.unit(5).
var unitDirs = [...]string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// maxUnitBytes is above any unit file.
const maxUnitBytes = 1 << 20

// startIn are the words of the unit's ExecStart= as the files in dirs have it, which systemd
// may not have read: it does not even know of a drop-in in a directory that is new. ok is
// false where they cannot be read.
func startIn(dirs []string, unit string) (words []string, ok bool) {
	for _, path := range unitFiles(dirs, unit) {
		content, err := trust.ReadFile(path, maxUnitBytes)
		if err != nil {
			return nil, false
		}
		options, err := sdunit.DeserializeOptions(strings.NewReader(string(content)))
		if err != nil {
			return nil, false
		}
		for _, o := range options {
			switch {
			case o.Section != "Service" || o.Name != "ExecStart":
			case o.Value == "":
				words = nil
			case words == nil:
				// The marks before a command, continued lines, and quotes around a word.
				words = strings.Fields(strings.NewReplacer("\\\n", " ", `"`, "", "'", "").Replace(strings.TrimLeft(o.Value, "@-:+!")))
			}
		}
	}
	return words, words != nil
}

// unitFiles are the unit's own file and its drop-ins, in the order in which they count.
func unitFiles(dirs []string, unit string) []string {
	var files []string
	for _, dir := range dirs {
		path := filepath.Join(dir, unit)
		if _, err := os.Stat(path); err == nil {
			files = append(files, path)
			break
		}
	}
	dropIns := map[string]string{}
	for _, name := range []string{"service.d", unit + ".d"} {
		for _, dir := range slices.Backward(dirs) {
			paths, _ := filepath.Glob(filepath.Join(dir, name, "*.conf")) // a good pattern
			for _, path := range paths {
				dropIns[filepath.Base(path)] = path
			}
		}
	}
	names := make([]string, 0, len(dropIns))
	for name := range dropIns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !trust.Masked(dropIns[name]) {
			files = append(files, dropIns[name])
		}
	}
	return files
}
