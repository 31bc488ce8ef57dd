package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Kernel is Debian's kernel for virtual machines, as files; it is not
// installed.
type Kernel struct {
	Image   string // what a boot loader loads
	Modules string // the directory with the modules, at any depth
}

// NewKernel returns the cloud kernel of this host's own release. The first
// call on a host downloads its package from where apt gets it; later ones find
// it in /var/cache/connsync-lab. Nobody may write to it.
func NewKernel(ctx context.Context) (Kernel, error) {
	k, err := newKernel(ctx, cacheDirectory)
	if err != nil {
		return Kernel{}, fmt.Errorf("get a kernel: %w", err)
	}
	return k, nil
}

func newKernel(ctx context.Context, cache string) (Kernel, error) {
	release, err := debianCodename()
	if err != nil {
		return Kernel{}, err
	}
	arch, err := output(ctx, "dpkg", "--print-architecture")
	if err != nil {
		return Kernel{}, err
	}
	tree := filepath.Join(cache, "kernel-1-"+release+"-"+arch)
	if _, err := os.Stat(tree); err == nil {
		return kernelIn(tree)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Kernel{}, err
	}
	unlock, err := lockFile(ctx, filepath.Join(cache, "kernel.lock"))
	if err != nil {
		return Kernel{}, err
	}
	defer unlock()
	if _, err := os.Stat(tree); err == nil {
		return kernelIn(tree) // somebody else has fetched it meanwhile
	}
	if err := fetchKernel(ctx, arch, filepath.Join(cache, "kernel-build"), tree); err != nil {
		return Kernel{}, err
	}
	return kernelIn(tree)
}

// kernelIn finds what a kernel's package holds, whatever its version.
func kernelIn(tree string) (Kernel, error) {
	images, _ := filepath.Glob(filepath.Join(tree, "boot", "vmlinuz-*"))
	modules, _ := filepath.Glob(filepath.Join(tree, "lib", "modules", "*"))
	if len(modules) == 0 { // Debian 13 and later
		modules, _ = filepath.Glob(filepath.Join(tree, "usr", "lib", "modules", "*"))
	}
	if len(images) != 1 || len(modules) != 1 {
		return Kernel{}, fmt.Errorf("%s holds kernels %q with modules %q; remove it, and it is fetched again", tree, images, modules)
	}
	return Kernel{images[0], modules[0]}, nil
}

// fetchKernel works in a directory that only the holder of the lock uses, and
// gives it its name when it is whole.
func fetchKernel(ctx context.Context, arch, build, tree string) error {
	if err := os.RemoveAll(build); err != nil {
		return err
	}
	defer os.RemoveAll(build)
	// _apt, as whom apt downloads, has to get there.
	for _, dir := range []string{build, filepath.Join(build, "tree")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	name, err := kernelPackage(ctx, arch)
	if err != nil {
		return err
	}
	err = inDirectory(ctx, build, "apt-get", "download", name)
	if err != nil { // the list of packages may be older than the mirror's
		if err := inDirectory(ctx, build, "apt-get", "update", "-q"); err != nil {
			return err
		}
		if name, err = kernelPackage(ctx, arch); err != nil {
			return err
		}
		if err := inDirectory(ctx, build, "apt-get", "download", name); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(build, "*.deb"))
	if err != nil || len(packages) != 1 {
		return errors.Join(err, fmt.Errorf("apt-get download %s left %q", name, packages))
	}
	if err := inDirectory(ctx, build, "dpkg-deb", "-x", packages[0], "tree"); err != nil {
		return err
	}
	return os.Rename(filepath.Join(build, "tree"), tree)
}

// kernelPackage is the package that Debian's package for the newest cloud
// kernel stands for.
func kernelPackage(ctx context.Context, arch string) (string, error) {
	newest := "linux-image-cloud-" + arch
	out, err := output(ctx, "apt-cache", "depends", "--no-recommends", "--no-suggests", newest)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok {
			return name, nil
		}
	}
	return "", fmt.Errorf("apt knows no package that %s depends on: %s", newest, out)
}

func inDirectory(ctx context.Context, dir, name string, args ...string) error {
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Pdeathsig is about the thread that started the process: it has to last.
	if err := onThread(cmd.Run); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, tail(log.Bytes(), 1000))
	}
	return nil
}
