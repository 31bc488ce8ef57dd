package sdunit

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"

	"connsync/trust"
)

// Dirs are where systemd looks for units, the first one that has a file wins;
// systemd.unit(5).
func Dirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// maxUnitBytes is above any unit file.
const maxUnitBytes = 1 << 20

// StartIn are the words of the unit's ExecStart= as the files in dirs have it, which systemd
// may not have read: it does not even know of a drop-in in a directory that is new. ok is
// false where they cannot be read.
func StartIn(dirs []string, name string) (words []string, ok bool) {
	for _, path := range unitFiles(dirs, name) {
		content, err := trust.ReadFile(path, maxUnitBytes)
		if err != nil {
			return nil, false
		}
		options, err := unit.DeserializeOptions(strings.NewReader(string(content)))
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
func unitFiles(dirs []string, name string) []string {
	var files []string
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			files = append(files, path)
			break
		}
	}
	dropIns := map[string]string{}
	for _, own := range []string{"service.d", name + ".d"} {
		for _, dir := range slices.Backward(dirs) {
			paths, _ := filepath.Glob(filepath.Join(dir, own, "*.conf")) // a good pattern
			for _, path := range paths {
				dropIns[filepath.Base(path)] = path
			}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(dropIns)) {
		if !trust.Masked(dropIns[base]) {
			files = append(files, dropIns[base])
		}
	}
	return files
}

// pulls says whether the files in dirs have one unit start another one at every boot, be that
// disabled: by a vendor's link beside its own file, or by a line of that. The links in /etc are
// those that enable a unit, those in /run are of this boot, and systemd remembers some that are
// gone.
func pulls(dirs []string, by, name string) bool {
	for _, dir := range dirs {
		if strings.HasPrefix(dir, "/etc/") || strings.HasPrefix(dir, "/run/") {
			continue
		}
		for _, kind := range []string{".wants", ".requires", ".upholds"} {
			if _, err := os.Lstat(filepath.Join(dir, by+kind, name)); err == nil {
				return true
			}
		}
	}
	for _, path := range unitFiles(dirs, by) {
		content, err := trust.ReadFile(path, maxUnitBytes)
		if err != nil {
			continue
		}
		options, _ := unit.DeserializeOptions(strings.NewReader(string(content)))
		if slices.ContainsFunc(options, func(o *unit.UnitOption) bool {
			return slices.Contains([]string{"Wants", "Requires", "BindsTo", "Upholds"}, o.Name) && slices.Contains(strings.Fields(o.Value), name)
		}) {
			return true
		}
	}
	return false
}
