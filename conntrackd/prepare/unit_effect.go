package prepare

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/service"
)

// recovers says whether the daemon comes back after it was killed.
func recovers(u service.UnitSetup, lock string) bool { return comesNotBack(u, lock) == "" }

// comesNotBack says why the daemon would not come back, blank where it would.
func comesNotBack(u service.UnitSetup, lock string) string {
	switch {
	case !slices.Contains([]string{"on-failure", "always", "on-abnormal", "on-abort"}, u.Restart):
		return "Restart=" + u.Restart
	case slices.Contains(u.NoRestartAfter, 9), slices.Contains(u.NoRestartAfter, 6), slices.Contains(u.NoRestartAfter, 11):
		return "RestartPreventExitStatus= has the signal of a kill or a crash"
	}
	if !slices.ContainsFunc(u.StartPre, func(line string) bool {
		return line == strings.Join(removal(lock), " ") || strings.Contains(line, "rm ") && strings.HasSuffix(line, lock)
	}) {
		return "no ExecStartPre= removes " + lock
	}
	return ""
}

// undone says what of the drop-in, by which the daemon comes back and waits for its
// addresses, is not in force; blank where all is.
func undone(u service.UnitSetup, c *conntrackd.Candidate, lock string) string {
	if why := comesNotBack(u, lock); why != "" {
		return why
	}
	for _, l := range c.Settings.Links() {
		if words := waitsFor(l); !slices.ContainsFunc(u.StartPre, func(line string) bool { return strings.Contains(line, words) }) {
			return fmt.Sprintf("no ExecStartPre= waits for %s on %s", l.Current.Addr(), l.Interface)
		}
	}
	// An operator's own limit may be another one, as long as starts go on for the time of ours.
	if last := time.Duration(u.StartLimit) * u.RestartPause; u.StartLimitInterval > last && last < startsFor {
		return fmt.Sprintf("after %d starts within %v systemd gives up (StartLimitBurst=)", u.StartLimit, u.StartLimitInterval)
	}
	return ""
}

// sends says whether the daemon that was started sends all it holds.
func sends(u service.UnitSetup, config string) bool { return asks(u, config, "-B") }

// exchangesNot says what is missing of the exchange of states after a start.
func exchangesNot(u service.UnitSetup, config string) string {
	for _, option := range []string{"-n", "-B"} {
		if !asks(u, config, option) {
			return fmt.Sprintf("no ExecStartPost= runs conntrackd -C %s %s", config, option)
		}
	}
	return ""
}

// asks says whether the daemon with the file is sent a request once it was started.
func asks(u service.UnitSetup, config, option string) bool {
	return slices.ContainsFunc(u.StartPost, func(line string) bool {
		words := strings.Fields(line)
		at := slices.IndexFunc(words, func(w string) bool { return filepath.Base(w) == "conntrackd" })
		if at < 0 || words[len(words)-1] != option {
			return false
		}
		file := packagedConfig
		if c := slices.Index(words[at:], "-C"); c >= 0 && at+c+1 < len(words) {
			file = words[at+c+1]
		}
		return service.SameFile(file, config)
	})
}

// notInForce says that a drop-in is undone, and by which of those that systemd reads.
func notInForce(path, undone string, dropIns []string) (detail, remedy string) {
	detail = fmt.Sprintf("%s is not in force: %s", path, undone)
	const reload = ", then systemctl daemon-reload"
	switch at := slices.Index(dropIns, path); {
	case at < 0:
		return detail + "; systemd does not read it", "systemctl daemon-reload"
	case at < len(dropIns)-1:
		later := strings.Join(dropIns[at+1:], ", ")
		return detail + "; " + later + " comes after it", "take those lines out of " + later + reload
	}
	return detail, "systemctl cat, for the line that undoes it" + reload
}
