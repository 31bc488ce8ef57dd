package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// place is what a machine has on the host: a directory to mount its files on,
// which looks empty from outside, and control groups. Its lock is held by the
// process that made it, so that a place without a holder is known for a
// leftover.
type place struct {
	name   string // of the machine for nspawn; unique on the host
	dir    string
	groups []string // directories
	lock   *os.File
	guard  *exec.Cmd // nil for a leftover
	hold   io.Closer // the guard's input
}

// guardScript waits for the end of its input, which comes with the end of the
// process that made the place, and ends what runs in the groups. nspawn's own
// end does not end its machine.
const guardScript = `cat >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
	pids=$(find "$@" -name cgroup.procs -exec cat {} + 2>/dev/null)
	[ -n "$pids" ] || exit 0
	kill -KILL $pids 2>/dev/null
	sleep 0.1
done
exit 1
`

const (
	placePrefix = "connsync-lab-"
	// removedPrefix is before the name of a place that is being removed.
	removedPrefix = "removed-"
)

// newPlace makes a place under dir, after it has removed what killed
// processes left there.
func newPlace(ctx context.Context, dir string) (*place, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	parents, err := ownGroups()
	if err != nil {
		return nil, err
	}
	if err := sweep(dir, parents); err != nil {
		return nil, fmt.Errorf("remove the leftovers of a killed lab: %w", err)
	}
	p := &place{}
	if p.dir, err = os.MkdirTemp(dir, placePrefix); err != nil {
		return nil, err
	}
	p.name = filepath.Base(p.dir)
	err = p.furnish(parents)
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

func (p *place) furnish(parents []string) (err error) {
	if p.lock, err = tryLock(p.path("lock")); err != nil {
		return err
	}
	if err := os.Mkdir(p.path("layer"), 0o755); err != nil {
		return err
	}
	for _, parent := range parents {
		group := filepath.Join(parent, p.name)
		if err := os.Mkdir(group, 0o755); err != nil {
			return fmt.Errorf("make control group: %w", err)
		}
		p.groups = append(p.groups, group)
	}
	p.guard = exec.Command("/bin/sh", append([]string{"-c", guardScript, "guard"}, p.groups...)...)
	p.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of Ctrl+C's way
	p.guard.Dir = "/"
	if p.hold, err = p.guard.StdinPipe(); err != nil {
		return err
	}
	return p.guard.Start()
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// kill ends every process in the place's control groups but one, and returns
// how many there were.
func (p *place) kill(but int) (killed int) {
	for _, pid := range p.processes() {
		if pid == but {
			continue
		}
		// It may be gone by now; its number is not given away again so soon.
		if unix.Kill(pid, unix.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

func (p *place) processes() []int {
	var pids []int
	for _, group := range p.groups {
		filepath.WalkDir(group, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Base(path) != "cgroup.procs" {
				return nil // the group may vanish while it is walked
			}
			content, _ := os.ReadFile(path)
			for _, word := range strings.Fields(string(content)) {
				if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// remove ends what still runs in the place and removes it from the host.
func (p *place) remove() error {
	deadline := time.Now().Add(5 * time.Second)
	for len(p.processes()) > 0 && time.Now().Before(deadline) {
		p.kill(0)
		time.Sleep(10 * time.Millisecond)
	}
	var errs []error
	if p.guard != nil && p.guard.Process != nil {
		errs = append(errs, p.hold.Close(), p.guard.Wait())
	}
	for _, group := range p.groups {
		errs = append(errs, removeGroup(group))
	}
	// nspawn's end of a mount tunnel into the machine.
	if err := os.Remove("/run/systemd/nspawn/propagate/" + p.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	// Under another name first: a sweep would lock a place whose lock is gone.
	removed := filepath.Join(filepath.Dir(p.dir), removedPrefix+p.name)
	errs = append(errs, os.Rename(p.dir, removed), os.RemoveAll(removed))
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	return errors.Join(errs...)
}

// removeGroup removes a control group and those in it, which have to be empty.
func removeGroup(group string) error {
	var groups []string
	err := filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, path := range slices.Backward(groups) {
		// A process that has just ended keeps its group busy for a moment.
		for try := 0; ; try++ {
			err := os.Remove(path)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if try == 100 {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// sweep removes the places under dir whose holder is gone.
func sweep(dir string, parents []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), removedPrefix) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
			continue
		}
		if !strings.HasPrefix(e.Name(), placePrefix) {
			continue
		}
		p := &place{name: e.Name(), dir: filepath.Join(dir, e.Name())}
		if p.lock, err = tryLock(p.path("lock")); err != nil {
			// Its holder may have removed it since it was listed.
			if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
			continue
		}
		if _, err := os.Stat(p.dir); errors.Is(err, fs.ErrNotExist) { // its holder has been through with it
			errs = append(errs, p.lock.Close())
			continue
		}
		for _, parent := range parents {
			p.groups = append(p.groups, filepath.Join(parent, p.name))
		}
		errs = append(errs, p.remove())
	}
	return errors.Join(errs...)
}

// ownGroups returns the directories of this process's control groups in the
// hierarchies that systemd uses: the unified one, systemd's own old one, or
// both (systemd's "hybrid" set-up). See cgroups(7).
func ownGroups() ([]string, error) {
	mounts, err := groupMounts()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, line := range strings.Split(string(content), "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			continue
		}
		if mount, ok := mounts[f[1]]; ok {
			groups = append(groups, filepath.Join(mount, f[2]))
		}
	}
	if len(groups) == 0 {
		return nil, errors.New("systemd needs control groups, and none of its hierarchies is mounted")
	}
	return groups, nil
}

// groupMounts returns the mount points by their name in /proc/self/cgroup,
// which is blank for the unified hierarchy.
func groupMounts() (map[string]string, error) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mounts := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) < 4:
		case f[2] == "cgroup2":
			mounts[""] = f[1]
		case f[2] == "cgroup" && slices.Contains(strings.Split(f[3], ","), "name=systemd"):
			mounts["name=systemd"] = f[1]
		}
	}
	return mounts, lines.Err()
}
