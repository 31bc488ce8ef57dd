package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// Directories are what a service does about the directories that its daemon
// writes to. The zero value does nothing about them.
type Directories struct {
	made     []string // made before each start
	once     string   // made before the next start; blank is none
	script   string   // that makes some before it starts the daemon
	readOnly []string // to the daemon
	writable []string // below those
}

// DirectoriesOf reads them. A unit that cannot be used has none.
func DirectoriesOf(ctx context.Context, s Service) (Directories, error) {
	switch s := s.(type) {
	case *Systemd:
		setup, err := s.Setup(ctx)
		return setup.Directories, err
	case *OpenRC:
		return scriptDirectories(s.path), nil
	case *SysV:
		return scriptDirectories(s.path), nil
	}
	return Directories{}, nil
}

// Making returns d where a directory is made before the next start, by who asks for it.
func (d Directories) Making(dir string) Directories {
	d.once = realDirectory(dir)
	return d
}

// maxScriptBytes is above any init script.
const maxScriptBytes = 1 << 20

// scriptDirectories reads an init script; without one, nothing makes a directory.
func scriptDirectories(path string) Directories {
	content, _ := trust.ReadFile(path, maxScriptBytes)
	return Directories{script: string(content)}
}

// lockName and socketName are conntrackd's, as a unit or an init script names them.
var (
	lockName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`/(?:var/lock|run/lock|var/run|run)/[A-Za-z0-9_./-]*conntrack[A-Za-z0-9_.-]*\.lock\b`)
	})
	socketName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`/(?:var/run|run)/[A-Za-z0-9_./-]*conntrack[A-Za-z0-9_.-]*\.(?:ctl|sock)\b`)
	})
)

// LockFile and Socket are the names that what runs before the daemon has for its
// lock file and its control socket, blank where it has none: a file that names
// others would leave it with the wrong ones.
func (d Directories) LockFile() string { return lockName().FindString(d.script) }

// Socket is as [Directories.LockFile].
func (d Directories) Socket() string { return socketName().FindString(d.script) }

// unitDirectories reads what systemd.exec(5) says of directories.
func unitDirectories(all map[string]any) Directories {
	var d Directories
	for _, kind := range []struct{ property, below string }{
		{"RuntimeDirectory", "/run"}, {"StateDirectory", "/var/lib"}, {"CacheDirectory", "/var/cache"}, {"LogsDirectory", "/var/log"},
	} {
		for _, name := range property[[]string](all, kind.property) {
			name, _, _ = strings.Cut(name, ":")
			d.made = append(d.made, filepath.Join(kind.below, name))
		}
	}
	d.script = strings.Join(append(commandLines(all, "ExecStartPre"), commandLines(all, "ExecStopPost")...), "\n")
	switch property[string](all, "ProtectSystem") {
	case "yes":
		d.readOnly = []string{"/usr", "/boot", "/efi"}
	case "full":
		d.readOnly = []string{"/usr", "/boot", "/efi", "/etc"}
	case "strict":
		d.readOnly = []string{"/"}
		d.writable = []string{"/dev", "/proc", "/sys"}
	}
	for _, name := range append(property[[]string](all, "ReadOnlyPaths"), property[[]string](all, "InaccessiblePaths")...) {
		d.readOnly = append(d.readOnly, strings.TrimLeft(name, "-+"))
	}
	for _, name := range property[[]string](all, "ReadWritePaths") {
		d.writable = append(d.writable, strings.TrimLeft(name, "-+"))
	}
	return d
}

// Problem says why the daemon could not make a file in a directory, blank where it
// can. It tries, and leaves no trace.
func (d Directories) Problem(dir string) string {
	dir = realDirectory(dir)
	if slices.ContainsFunc(d.made, func(made string) bool { return made == dir || strings.HasPrefix(made, dir+"/") }) {
		return ""
	}
	if d.forbids(dir) {
		return fmt.Sprintf("its service may not write to %s", dir)
	}
	err := tryDirectory(dir)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, unix.ENOENT) && (d.scriptMakes(dir) || d.once == dir):
		return ""
	case errors.Is(err, unix.ENOENT):
		return fmt.Sprintf("the directory %s does not exist", dir)
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Sprintf("%s is not a directory", dir)
	case errors.Is(err, unix.EROFS):
		return fmt.Sprintf("%s is read-only", dir)
	}
	return fmt.Sprintf("no file can be made in %s: %v", dir, err)
}

// Lost says that a directory is in RAM, and that nothing which starts the daemon makes it,
// so that it is missing after the next boot. What else makes it then is not seen.
func (d Directories) Lost(dir string) bool {
	dir = realDirectory(dir)
	if slices.Contains(d.made, dir) || d.scriptMakes(dir) {
		return false
	}
	var fs unix.Statfs_t
	err := unix.Statfs(dir, &fs)
	for above := dir; errors.Is(err, unix.ENOENT) && above != "/"; {
		above = filepath.Dir(above)
		err = unix.Statfs(above, &fs)
	}
	return err == nil && (int64(fs.Type) == unix.TMPFS_MAGIC || int64(fs.Type) == unix.RAMFS_MAGIC)
}

// forbids compares the nearest of the paths above a directory, as systemd does.
func (d Directories) forbids(dir string) bool {
	nearest, forbidden := -1, false
	for _, list := range []struct {
		paths  []string
		forbid bool
	}{{d.readOnly, true}, {append(slices.Clone(d.writable), d.made...), false}} {
		for _, path := range list.paths {
			path = realDirectory(path)
			if dir != path && !strings.HasPrefix(dir, strings.TrimSuffix(path, "/")+"/") {
				continue
			}
			if len(path) > nearest {
				nearest, forbidden = len(path), list.forbid
			}
		}
	}
	return forbidden
}

// scriptMakes says whether what runs before the daemon makes the directory, as far
// as its words tell.
func (d Directories) scriptMakes(dir string) bool {
	for line := range strings.Lines(d.script) {
		for _, word := range []string{"mkdir", "checkpath", "install -d"} {
			if strings.Contains(line, word) && (strings.Contains(line, dir) || strings.Contains(line, strings.Replace(dir, "/run/", "/var/run/", 1))) {
				return true
			}
		}
	}
	return false
}

// realDirectory follows the links above a path whose end need not exist.
func realDirectory(path string) string {
	if full, err := trust.Absolute(path); err == nil {
		path = full
	}
	for above := path; above != "/" && above != "."; above = filepath.Dir(above) {
		if real, err := filepath.EvalSymlinks(above); err == nil {
			return filepath.Join(real, strings.TrimPrefix(path, above))
		}
	}
	return path
}

// tryDirectory makes a file without a name, which goes with its descriptor. Where
// the file system has no such thing it asks.
func tryDirectory(dir string) error {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR):
		return unix.Access(dir, unix.W_OK|unix.X_OK)
	}
	if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
		return unix.ENOTDIR
	}
	return err
}
