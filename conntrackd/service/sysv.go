package service

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"connsync/trust"
)

// SysV is conntrackd as a script in /etc/init.d, such as Debian's package has
// it, started by SysV's init.
type SysV struct {
	script
	etc string // where the rcN.d stand
}

// NewSysV returns the script that starts the given daemon. It does not look
// whether there is one.
func NewSysV(daemon *Direct) *SysV { return &SysV{newScript(daemon, scriptPath), "/etc"} }

var _ Service = (*SysV)(nil)

// State looks at the script, its links and the process.
func (s *SysV) State(ctx context.Context) (State, error) {
	state, err := s.look(ctx)
	return state.atBoot(err == nil && state.Present && s.links("S") != nil), err
}

// Restart stops the daemon, waits for its end and starts it. The script's own
// restart waits a second, and a daemon with many states takes longer to end.
func (s *SysV) Restart(ctx context.Context) error {
	if err := s.usable(ctx, ActionRestart); err != nil {
		return err
	}
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.start(ctx, s.path, "start")
}

// Stop ends the daemon, with or without the script.
func (s *SysV) Stop(ctx context.Context) error {
	state, err := s.look(ctx)
	switch {
	case err != nil:
		return s.failure(ActionStop, ErrUnreachable, "", err)
	case !state.Active:
		return nil
	case !state.Present || state.Masked:
		return s.daemon.Stop(ctx)
	}
	return s.stop(ctx, s.path, "stop")
}

// Enable makes the runlevels of ordinary operation start the script.
func (s *SysV) Enable(ctx context.Context) error {
	if err := s.usable(ctx, ActionEnable); err != nil {
		return err
	}
	return s.setBoot(ctx, ActionEnable, true)
}

// Disable keeps the runlevels of ordinary operation from starting the script. One
// that is not there does not start anyway.
func (s *SysV) Disable(ctx context.Context) error { return s.setBoot(ctx, ActionDisable, false) }

func (s *SysV) setBoot(ctx context.Context, a Action, want bool) error {
	if err := ctx.Err(); err != nil {
		return s.failure(a, ErrTimeout, "", err)
	}
	if (s.links("S") != nil) == want {
		return nil
	}
	for _, line := range s.bootLines(a) {
		if err := s.change(ctx, a, line...); err != nil {
			return err
		}
	}
	if have := s.links("S"); (have != nil) != want {
		return s.failure(a, ErrRefused, fmt.Sprintf("its links at boot are now: %v", have), nil)
	}
	return nil
}

// bootLines are the programs that change the links. update-rc.d's enable turns
// existing links and makes none, its defaults makes them where there are none
// and leaves others as they are.
func (s *SysV) bootLines(a Action) [][]string {
	name := filepath.Base(s.path)
	if _, err := trust.Program("update-rc.d"); err != nil {
		switch _, err := trust.Program("chkconfig"); {
		case err != nil: // neither is there; the first one's absence is told
		case a == ActionEnable:
			return [][]string{{"chkconfig", "--add", name}, {"chkconfig", name, "on"}}
		default:
			return [][]string{{"chkconfig", name, "off"}}
		}
	}
	line := []string{"update-rc.d", name, string(a)}
	if a == ActionEnable && s.links("S") == nil && s.links("K") == nil {
		return [][]string{{"update-rc.d", name, "defaults"}, line}
	}
	return [][]string{line}
}

// links are the script's links in the runlevels that a host works in, 2 to 5;
// nil where there is none. Kind is S for start or K for kill.
func (s *SysV) links(kind string) []string {
	var found []string
	for level := '2'; level <= '5'; level++ {
		for _, dir := range []string{"rc" + string(level) + ".d", "rc.d/rc" + string(level) + ".d"} {
			// The pattern is a constant but for its letter, so it is a good one.
			paths, _ := filepath.Glob(filepath.Join(s.etc, dir, kind+"[0-9][0-9]"+filepath.Base(s.path)))
			for _, path := range paths {
				if _, err := os.Stat(path); err == nil {
					found = append(found, path)
				}
			}
			if len(paths) > 0 {
				break // the second directory is mostly the first one by another name
			}
		}
	}
	return found
}

// Commands are what an operator would type for the same.
func (s *SysV) Commands(a Action) []string {
	switch a {
	case ActionRestart:
		return []string{s.path + " stop", s.path + " start"}
	case ActionStop:
		return []string{s.path + " stop"}
	case ActionEnable, ActionDisable:
		var lines []string
		for _, line := range s.bootLines(a) {
			lines = append(lines, strings.Join(line, " "))
		}
		return lines
	}
	return nil
}
