package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"connsync/conntrackd"
	"connsync/conntrackd/service"
	"connsync/trust"
)

// Directories says which of the files that the daemon makes as it starts it could
// not make, when s starts it with the candidate, for the directory or for what stands
// there already. Nothing is left of the try. Only root can try it as the daemon would:
// for others the error is an [conntrackd.ErrCannotLook].
func Directories(ctx context.Context, c *conntrackd.Candidate, s service.Service) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: only root can try the daemon's directories", conntrackd.ErrCannotLook)
	}
	directories, err := service.DirectoriesOf(ctx, s)
	if err != nil {
		return nil, err
	}
	f, _ := conntrackd.Parse(c.Path, c.New)
	var problems []string
	for _, made := range []struct {
		directive, path string
		use             trust.Use
	}{
		{"LockFile", f.LockFile(), trust.Lock}, {"UNIX Path", f.ControlSocket(), trust.Socket}, {"LogFile", f.LogFile(), trust.Log},
	} {
		if made.path == "" {
			continue
		}
		if why := directories.Problem(filepath.Dir(made.path)); why != "" {
			problems = append(problems, fmt.Sprintf("conntrackd could not start: %s for %s %s; make the directory, or change %s in %s",
				why, made.directive, made.path, made.directive, c.Path))
		} else if err := trust.Usable(made.path, made.use); err != nil {
			problems = append(problems, fmt.Sprintf("conntrackd could not use its %s: %v; or change %s in %s", made.directive, err, made.directive, c.Path))
		}
	}
	return problems, nil
}
