package service

import (
	"context"
	"fmt"
	"path/filepath"
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
		p, err := daemonOf(mainPID)
		return Daemon{PID: mainPID, Config: p.config}, err == nil && !p.reads(config)
	}
	others, err := OtherDaemons(0)
	if err != nil || len(others) == 0 {
		return Daemon{}, false
	}
	if _, ok := find(func(p process) bool { return p.reads(config) }); ok {
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
	if given := configIn(setup.Start); given != "" {
		return given, s.Unit + " starts conntrackd with it", nil
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
