package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tree is a copy of the tracked files of this one. What fuzzing writes stays in it.
type tree struct {
	top string // what is removed in the end
	dir string // the module in it
}

// newCopy copies the tree at root as it is now, with changes that are not committed.
func newCopy(ctx context.Context, root string) (*tree, error) {
	// The tree may belong to another user, whose settings are not asked.
	list := exec.CommandContext(ctx, "git", "-c", "safe.directory=*", "ls-files", "-z")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the tracked files: %w", err)
	}
	top, err := os.MkdirTemp("", "planted")
	if err != nil {
		return nil, err
	}
	c := &tree{top: top, dir: filepath.Join(top, "tree")}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(c.dir, name), filepath.Join(root, name)); err != nil {
			return nil, errors.Join(err, c.remove())
		}
	}
	return c, nil
}

func (c *tree) remove() error { return os.RemoveAll(c.top) }

// copyFile copies a file with its mode, or a link as a link. One that was deleted and is
// still tracked is left out.
func copyFile(to, from string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// try plants a defect, runs its target for at most that long, and removes the defect.
// The input that was found has to fail again with it, and to pass without. The error is of the copy or the end
// of ctx; all else is in the result.
func (c *tree) try(ctx context.Context, d defect, each time.Duration) (result, error) {
	path := filepath.Join(c.dir, d.file)
	whole, err := os.ReadFile(path)
	if err != nil {
		return result{}, err
	}
	broken, err := d.plant(string(whole))
	if err != nil {
		return result{}, err
	}
	if err := os.WriteFile(path, []byte(broken), 0o644); err != nil {
		return result{}, err
	}
	log, ended := c.fuzz(ctx, d, each)
	r := judge(log, ended == nil)
	if ended != nil {
		r.log += "\n" + ended.Error()
	}
	found := r.how == bySeed || r.how == byFuzzing
	seeds := []string{"-run", "^" + d.target + "$", "-count=1"} // with the input that was found
	if found {
		if log, err := c.goTest(ctx, d, seeds...); err == nil { // it failed by chance
			r.how, r.log, found = failed, r.log+"\n\nonce more, with the defect:\n\n"+log, false
		}
	}
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		return result{}, err
	}
	if !found {
		return r, ctx.Err()
	}
	if log, err := c.goTest(ctx, d, seeds...); err != nil {
		r.how, r.log = failed, r.log+"\n\nwithout the defect:\n\n"+log+"\n"+err.Error()
		if strings.Contains(log, "--- FAIL: "+d.target) {
			r.how = genuine
		}
	}
	return r, ctx.Err()
}

// fuzz runs the target as "make fuzz" does, but without what that knows from earlier
// runs and without making what it finds smaller: each finds its defect from the seeds
// alone.
func (c *tree) fuzz(ctx context.Context, d defect, each time.Duration) (log string, err error) {
	cache, err := os.MkdirTemp(c.top, "cache")
	if err != nil {
		return "", err
	}
	return c.goTest(ctx, d, "-run", "^$", "-fuzz", "^"+d.target+"$", "-fuzztime", each.String(), "-fuzzminimizetime", "0",
		"-args", "-test.fuzzcachedir="+cache)
}

// goTest runs go test in the copy, on the package of a defect. The end of ctx ends all
// that it has started.
func (c *tree) goTest(ctx context.Context, d defect, args ...string) (log string, err error) {
	// Without the directory in it, what is compiled serves the next copy, too.
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-trimpath", "./" + d.dir}, args...)...)
	cmd.Dir = c.dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	return said.String(), err
}
