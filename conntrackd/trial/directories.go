package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/trust"
)

// Directories says which of the files that the daemon makes as it starts it could
// not make, when s starts it with the candidate, for the directory or for what stands
// there already, and which of them are one file with another one or with the
// configuration. Of runtimeDir it asks, where that is missing, whether the save can make
// it, as it does before it starts the daemon. Nothing is left of the try. Only root can try it as
// the daemon would: for others the error is an [conntrackd.ErrCannotLook].
func Directories(ctx context.Context, c *conntrackd.Candidate, s service.Service, runtimeDir string) ([]string, error) {
	f, _ := conntrackd.Parse(c.Path, c.New)
	paths := f.Paths()
	if problems := sharedPaths(c.Path, paths); len(problems) > 0 {
		return problems, nil // what stands there is no matter, and must not be removed
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: only root can try the daemon's directories", conntrackd.ErrCannotLook)
	}
	directories, err := service.DirectoriesOf(ctx, s)
	if err != nil {
		return nil, err
	}
	unmade := hostfile.LockObstacle(runtimeDir)
	if unmade == nil {
		directories = directories.Making(runtimeDir)
	}
	uses := map[string]trust.Use{"LockFile": trust.Lock, "UNIX Path": trust.Socket, "LogFile": trust.Log}
	var problems []string
	for _, made := range paths {
		dir := trust.Directory(made.Path)
		if why := directories.Problem(dir); why != "" && unmade != nil && resolved(dir) == resolved(runtimeDir) {
			problems = append(problems, fmt.Sprintf("conntrackd could not start: connsync could not make %s for %s %s: %v; or give another directory with --runtime-dir",
				dir, made.Directive, made.Path, unmade))
		} else if why != "" {
			problems = append(problems, fmt.Sprintf("conntrackd could not start: %s for %s %s; make the directory, or change %s in %s",
				why, made.Directive, made.Path, made.Directive, c.Path))
		} else if err := trust.Usable(made.Path, uses[made.Directive]); err != nil {
			problems = append(problems, fmt.Sprintf("conntrackd could not use its %s: %v; or change %s in %s", made.Directive, err, made.Directive, c.Path))
		}
	}
	return problems, nil
}

// sharedPaths says which of the paths that a configuration names are one file with
// another one or with the configuration itself.
func sharedPaths(config string, paths []conntrackd.NamedPath) []string {
	var problems []string
	for i, p := range paths {
		if sameFile(config, p.Path) {
			problems = append(problems, fmt.Sprintf("%s is the configuration itself, %s; give it a path of its own there", p, config))
		}
		for _, other := range paths[:i] {
			if sameFile(other.Path, p.Path) {
				problems = append(problems, fmt.Sprintf("%s is the file of %s, %s; give each a path of its own in %s", p, other, other.Path, config))
			}
		}
	}
	return problems
}

// sameFile reports whether two paths lead to one file, which need not be there yet.
func sameFile(a, b string) bool {
	if resolved(a) == resolved(b) {
		return true
	}
	there, err := os.Stat(a)
	other, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(there, other)
}

// resolved is a path without the links in its directory, where there is one.
func resolved(path string) string {
	dir, err := filepath.EvalSymlinks(trust.Directory(path))
	if err != nil {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, filepath.Base(path))
}
