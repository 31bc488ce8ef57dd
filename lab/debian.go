package lab

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cacheDirectory holds the Debian trees between runs, and what machines need
// while they run.
const cacheDirectory = "/var/cache/connsync-lab"

// Init is the first process of a Debian, and who starts its services.
type Init string

const (
	Systemd Init = "" // as Debian installs it
	SysV    Init = "sysv"
	OpenRC  Init = "openrc" // started by SysV's init, as Debian does it
)

// Debian says what is installed beyond Debian's essential packages and what
// every machine has. The zero value is a stock node of this host's release.
type Debian struct {
	Release  string // its code name, such as trixie; blank is that of [ReleaseVariable], or this host's
	Init     Init
	Packages []string
}

// ManagedDebian is a node that Ansible reaches by SSH.
func ManagedDebian() Debian { return Debian{Packages: []string{"openssh-server", "python3"}} }

// Debians are those that tests boot. The lab's command trees makes them before
// the tests do, since that wants the machine for itself.
func Debians() []Debian {
	return []Debian{{}, {Init: SysV}, {Init: OpenRC}, ManagedDebian(), OldDebian(), {Release: "bookworm"}, {Release: "trixie"}}
}

// debianPackages is what a machine has beyond Debian's essential packages:
// what a stock node has, and what a test looks at it with.
func debianPackages() []string {
	return []string{
		"systemd", "systemd-sysv", "dbus", "logrotate", "netbase", "procps",
		"conntrackd", "conntrack", "iproute2", "nftables",
	}
}

// added is what apt installs over a stock node; a minus at the end removes.
func (d Debian) added() []string {
	var list []string
	switch d.Init {
	case SysV:
		list = []string{"sysvinit-core", "sysv-rc", "systemd-sysv-", "systemd-", "dbus-"}
	case OpenRC:
		list = []string{"sysvinit-core", "openrc", "systemd-sysv-", "systemd-", "dbus-"}
	}
	return append(list, d.Packages...)
}

// ReleaseVariable names the release of the Debians that name none: so the tests that
// boot one run on any. It is this host's where the variable is not set.
const ReleaseVariable = "CONNSYNC_LAB_RELEASE"

// OldDebian has the newest conntrackd of those that swap the bytes of the NAT
// addresses of conntrackd 1.4.7 and later: 1.4.6.
func OldDebian() Debian { return Debian{Release: "bullseye"} }

// NewDebian returns the root directory of a stock Debian
// with systemd and the packaged conntrackd. The first call on a host builds it
// with debootstrap, from the mirror that apt uses here, which takes about a
// minute; later ones find it in /var/cache/connsync-lab. Nobody may write to
// it: a [Machine] runs on a layer above it.
func NewDebian(ctx context.Context) (root string, err error) { return Debian{}.Tree(ctx) }

// Tree is [NewDebian] for another Debian: a copy of the stock one in which apt
// has installed more, kept beside it.
func (d Debian) Tree(ctx context.Context) (root string, err error) {
	root, err = d.tree(ctx, cacheDirectory)
	if err != nil {
		return "", fmt.Errorf("make a Debian tree: %w", err)
	}
	return root, nil
}

func (d Debian) tree(ctx context.Context, cache string) (string, error) {
	if os.Geteuid() != 0 {
		return "", errors.New("debootstrap needs root")
	}
	host, err := hostArchive()
	if err != nil {
		return "", err
	}
	release := cmp.Or(d.Release, os.Getenv(ReleaseVariable), host.release)
	arch, err := output(ctx, "dpkg", "--print-architecture")
	if err != nil {
		return "", err
	}
	recipe := "1 " + release + " " + arch + " " + strings.Join(debianPackages(), " ")
	build := func(dir string) error { return bootstrapDebian(ctx, release, dir, host.mirror) }
	if added := d.added(); len(added) > 0 {
		stock, err := Debian{Release: d.Release}.tree(ctx, cache)
		if err != nil {
			return "", err
		}
		recipe += " and " + strings.Join(added, " ")
		build = func(dir string) error { return extendDebian(ctx, stock, dir, release == host.release, added) }
	}
	sum := sha256.Sum256([]byte(recipe))
	root := filepath.Join(cache, fmt.Sprintf("debian-%s-%x", release, sum[:6]))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	return root, buildOnce(ctx, cache, root, build)
}

// buildOnce builds in a directory that only the holder of the lock uses, and
// gives it its name when it is whole. What a crashed build left is removed
// first: it holds no mounts, they went with their namespace.
func buildOnce(ctx context.Context, cache, root string, build func(dir string) error) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(cache, "build.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(root); err == nil {
		return nil // somebody else has built it meanwhile
	}
	dir := filepath.Join(cache, "build")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return err
	}
	return os.Rename(dir, root)
}

// bootstrapDebian makes a stock node. debootstrap has a script for each release that
// was known when it was made; all of today's are made as sid is.
func bootstrapDebian(ctx context.Context, release, dir, mirror string) error {
	line := []string{"debootstrap", "--variant=minbase", "--include=" + strings.Join(debianPackages(), ","), release, dir, mirror}
	if _, err := os.Stat("/usr/share/debootstrap/scripts/" + release); errors.Is(err, fs.ErrNotExist) {
		line = append(line, "sid")
	}
	return apart(ctx, line...)
}

// extendScript installs packages in a tree: in one of this host's release with the
// package lists of this host, or newer ones where those are too old. No service
// starts there. The init that the tree came with goes where another one comes.
const extendScript = `set -e
root=$1
own=$2
shift 2
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
if [ "$own" = own ]; then
	mount --bind /var/lib/apt/lists "$root/var/lib/apt/lists"
	for sources in sources.list sources.list.d; do
		[ ! -e "/etc/apt/$sources" ] || [ ! -e "$root/etc/apt/$sources" ] || mount --bind "/etc/apt/$sources" "$root/etc/apt/$sources"
	done
fi
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
install() {
	chroot "$root" apt-get -q -y --allow-remove-essential --no-install-recommends -o DPkg::Options::=--force-unsafe-io install "$@" </dev/null
}
[ "$own" = own ] && install "$@" || {
	[ "$own" != own ] || umount "$root/var/lib/apt/lists"
	# A mirror may have stood still for longer than a release says that it is valid.
	chroot "$root" apt-get -q -o Acquire::Check-Valid-Until=false update </dev/null
	install "$@"
}
rm "$root/usr/sbin/policy-rc.d"
chroot "$root" apt-get clean
`

func extendDebian(ctx context.Context, stock, dir string, own bool, added []string) error {
	if _, err := output(ctx, "cp", "--archive", stock, dir); err != nil {
		return err
	}
	lists := "its own"
	if own {
		lists = "own"
	}
	return apart(ctx, append([]string{"sh", "-c", extendScript, "extend", dir, lists}, added...)...)
}

// apart runs a program to its end with mounts and processes of its own, which
// end with it.
func apart(ctx context.Context, line ...string) error {
	proxy, err := aptProxy(ctx)
	if err != nil {
		return err
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--"}, line...)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if proxy != "" {
		cmd.Env = append(cmd.Env, "http_proxy="+proxy, "https_proxy="+proxy)
	}
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Pdeathsig is about the thread that started the process: it has to last.
	if err := onThread(cmd.Run); err != nil {
		return fmt.Errorf("%s: %w: %s", line[0], err, tail(log.Bytes(), 2000))
	}
	return nil
}

// archive is a release and the mirror that this host has it from.
type archive struct{ release, mirror string }

// hostArchive is this host's. apt takes a second of the processor to say it, so it is
// asked once.
var hostArchive = sync.OnceValues(func() (archive, error) {
	codename, err := debianCodename()
	if err != nil {
		return archive{}, err
	}
	// What apt's sources say, such as stable, and, after apt-get update, the code name.
	targets, err := output(context.Background(), "apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)", "Created-By: Packages")
	if err != nil {
		return archive{}, err
	}
	return findRelease(codename, targets)
})

// debianCodename is what this host calls its release, such as bookworm.
func debianCodename() (string, error) {
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "VERSION_CODENAME="); ok {
			return strings.Trim(name, `"'`), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", errors.New("/etc/os-release names no VERSION_CODENAME: this is no Debian release")
}

// findRelease finds a release in apt's list. sid calls itself by the name of the release
// that it is to become.
func findRelease(codename, targets string) (archive, error) {
	for _, name := range []string{codename, "sid", "unstable"} {
		for line := range strings.Lines(targets) {
			f := strings.Split(strings.TrimSpace(line), "|")
			if len(f) == 4 && (f[1] == name || f[2] == name) && f[3] == "main" {
				return archive{strings.Replace(name, "unstable", "sid", 1), f[0]}, nil
			}
		}
	}
	return archive{}, fmt.Errorf("apt has no source for the main component of %s", codename)
}

func aptProxy(ctx context.Context) (string, error) {
	out, err := output(ctx, "apt-config", "dump", "--format", "%v", "Acquire::http::Proxy")
	if out == "DIRECT" {
		return "", err
	}
	return out, err
}

// output runs a program and returns what it printed, trimmed.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, tail(complaint.Bytes(), 500))
	}
	return strings.TrimSpace(string(out)), nil
}

func tail(b []byte, most int) string {
	return strings.TrimSpace(string(b[max(0, len(b)-most):]))
}

// lockFile takes the lock that ends with this process at the latest, waiting
// for another's as long as ctx lasts.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	for {
		f, err := tryLock(path)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tryLock returns the locked file, or an error that is EWOULDBLOCK when
// somebody else has the lock.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}
