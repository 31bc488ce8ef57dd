package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// kernelIn finds what a kernel's packages hold, whatever its version.
func kernelIn(tree string) (Kernel, error) {
	find := func(patterns ...string) (found []string) {
		for _, p := range patterns {
			files, _ := filepath.Glob(filepath.Join(tree, p))
			found = append(found, files...)
		}
		return found
	}
	// Debian has the modules in /usr since 13, and the image beside them since 14.
	images := find("boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz")
	modules := find("lib/modules/*", "usr/lib/modules/*")
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
	err := downloadKernel(ctx, arch, build)
	if err != nil { // the list of packages may be older than the mirror's
		if err := inDirectory(ctx, build, "sh", "-c", "rm -f *.deb; exec apt-get update -q"); err != nil {
			return err
		}
		if err := downloadKernel(ctx, arch, build); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(build, "*.deb"))
	if err != nil || len(packages) == 0 {
		return errors.Join(err, errors.New("apt-get download left no package"))
	}
	for _, p := range packages {
		if err := inDirectory(ctx, build, "dpkg-deb", "-x", p, "tree"); err != nil {
			return err
		}
	}
	if _, err := kernelIn(filepath.Join(build, "tree")); err != nil {
		return err
	}
	return os.Rename(filepath.Join(build, "tree"), tree)
}

func downloadKernel(ctx context.Context, arch, dir string) error {
	names, err := kernelPackages(arch, func(name string) (string, error) {
		return output(ctx, "apt-cache", "depends", "--no-recommends", "--no-suggests", name)
	})
	if err != nil {
		return err
	}
	return inDirectory(ctx, dir, "apt-get", append([]string{"download"}, names...)...)
}

// kernelPackages are the packages that Debian's package for the newest cloud kernel
// stands for. Debian 14 has the image and the modules in one each. depends is what
// apt-cache says of a package.
func kernelPackages(arch string, depends func(name string) (string, error)) ([]string, error) {
	flavour := "-cloud-" + arch
	newest := "linux-image" + flavour
	names := []string{newest}
	for i := 0; i < len(names); i++ {
		out, err := depends(names[i])
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) {
			name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
			if ok && strings.HasPrefix(name, "linux-") && strings.HasSuffix(name, flavour) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 1 {
		return nil, fmt.Errorf("apt knows no package that %s depends on", newest)
	}
	return names[1:], nil
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
