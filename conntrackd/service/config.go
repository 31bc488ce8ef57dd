package service

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// ConfigOf returns the configuration file with which the daemon pid runs, as it was
// given; ok is false where that is no conntrackd daemon, or it cannot be read.
func ConfigOf(pid int) (config string, ok bool) {
	p, ok := readNamed(pid)
	if ok {
		p, ok = p.readCommand()
	}
	return p.config, ok
}

// Stranger returns a daemon that runs with another file than config: the one that is
// the service's, where mainPID is not zero, else one of this network namespace, if
// none there runs with config. ok is false where there is none, or it cannot be seen.
func Stranger(config string, mainPID int) (d Daemon, ok bool) {
	if mainPID != 0 {
		given, ok := ConfigOf(mainPID)
		return Daemon{PID: mainPID, Config: given}, ok && !sameFile(given, config)
	}
	others, err := OtherDaemons(0)
	if err != nil || len(others) == 0 || slices.ContainsFunc(others, func(d Daemon) bool { return sameFile(d.Config, config) }) {
		return Daemon{}, false
	}
	return others[0], true
}

// Config returns the file with which the unit starts the daemon, and why that is
// known: from its command or, where that names none in plain words, from the process
// that runs. A blank file is not known. The error is that of reading the unit.
func (s *Systemd) Config(ctx context.Context) (config, why string, err error) {
	setup, err := s.Setup(ctx)
	if err != nil || !setup.Usable {
		return "", "", err
	}
	if at := slices.IndexFunc(setup.Start, func(w string) bool { return filepath.Base(w) == "conntrackd" }); at >= 0 {
		given, daemon := daemonConfig(setup.Start[at:])
		if daemon && filepath.IsAbs(given) && !strings.Contains(given, "$") {
			return given, s.Unit + " starts conntrackd with it", nil
		}
	}
	state, err := s.State(ctx)
	if err != nil || state.MainPID == 0 {
		return "", "", err
	}
	if given, ok := ConfigOf(state.MainPID); ok && filepath.IsAbs(given) {
		return given, fmt.Sprintf("conntrackd, process %d of %s, runs with it", state.MainPID, s.Unit), nil
	}
	return "", "", nil
}

// SameFile reports whether two names of a configuration file are of one file. A
// relative name is one that a daemon was given.
func SameFile(given, config string) bool { return sameFile(given, config) }
