package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/service/sdunit"
	"connsync/shell"
)

// Elsewhere says why the daemon that runs is not the one that s, in that state, would run
// with config in this network namespace: it is in another namespace or sees another file
// under that name, or it is not the service's. Nil where nothing speaks against it, as
// where no daemon runs.
func Elsewhere(s Service, state State, config string) *ElsewhereError {
	if _, alone := s.(Unmanaged); alone {
		return nil
	}
	if p, err := daemonOf(state.MainPID); err == nil {
		if other, ok := p.ofThisNetwork().(*ElsewhereError); ok {
			return other
		}
		if p.names(config) {
			return p.otherFile(config)
		}
		return nil // another file that the service was told to use
	}
	other := beside(config)
	if d, ok := s.(*Systemd); ok {
		other = d.stray(state, config)
	}
	if other == nil && state.MainPID == 0 {
		errors.As(ServesHere(config), &other)
	}
	return other
}

// stray finds a daemon with the service's file that is not the service's: a second one,
// which that one would start, and the first would end each other over the lock.
func (s *Systemd) stray(state State, config string) *ElsewhereError {
	p, ok := find(func(p process) bool {
		if p.pid == state.MainPID || !p.reads(config) {
			return false
		}
		unit, _ := unitOf(p.pid)
		return unit != s.Unit
	})
	if !ok {
		return nil
	}
	cause := fmt.Sprintf("conntrackd (process %d) runs with %s, and is not the one of %s", p.pid, config, s.Unit)
	if k := p.keeper(); k != (Keeper{}) {
		return &ElsewhereError{PID: p.pid, Cause: cause + ": it is run by " + k.String(), Remedy: "stop it with that, so that it does not come back, and run connsync again"}
	}
	return &ElsewhereError{PID: p.pid, Cause: cause + ": somebody started it by hand", Remedy: "end it with: " + shell.Line("conntrackd", "-C", config, "-k") + "; then run connsync again"}
}

// beside finds a daemon of this network namespace that has a file of the same name which is
// another file.
func beside(config string) *ElsewhereError {
	p, ok := find(func(p process) bool { return p.names(config) && !p.reads(config) })
	if !ok {
		return nil
	}
	return p.otherFile(config)
}

// find returns a daemon of this network namespace, where it can be seen.
func find(is func(process) bool) (process, bool) {
	all, err := processes("")
	network, _, ownErr := OwnNamespaces()
	if err != nil || ownErr != nil {
		return process{}, false
	}
	at := slices.IndexFunc(all, func(p process) bool { return !p.hidden && p.network == network && is(p) })
	if at < 0 {
		return process{}, false
	}
	return all[at], true
}

// Reader returns a daemon of this network namespace that reads config, and what runs it;
// ok is false where there is none, or none can be seen.
func Reader(config string) (d Daemon, k Keeper, ok bool) {
	p, ok := find(func(p process) bool { return p.reads(config) })
	if !ok {
		return Daemon{}, Keeper{}, false
	}
	return Daemon{PID: p.pid, Config: p.config}, p.keeper(), true
}

// Misplaced says why a daemon that s started now would not be one with config in this
// network namespace, as far as that is known before: this program runs in a chroot or a
// network namespace in which the service is not, or the unit names another file. What a
// unit computes is not known. The error is an *[ElsewhereError]; nil speaks for nothing.
func Misplaced(ctx context.Context, s Service, state State, config string) error {
	if other := Elsewhere(s, state, config); other != nil {
		return other
	}
	switch s := s.(type) {
	case *Systemd:
		setup, err := s.Setup(ctx)
		if err != nil || !setup.Usable {
			return nil // the checks of the service say so
		}
		return firstError(otherRoot(config), setup.otherNetwork(s.Unit, state), s.otherConfig(setup, config))
	case *OpenRC:
		return firstError(otherRoot(config), hostNetwork(Called(s)), s.otherFile(ctx, state, config))
	case *SysV:
		return firstError(otherRoot(config), hostNetwork(Called(s)))
	case *Direct:
		if s.Chroot {
			return firstError(otherRoot(config))
		}
	}
	return nil
}

func firstError(problems ...*ElsewhereError) error {
	for _, p := range problems {
		if p != nil {
			return p
		}
	}
	return nil
}

// firstProcess runs the services of a host.
const firstProcess = 1

// inChroot says whether this program's root directory is another one than that of the
// first process.
func inChroot() bool { return !sameDirectory(firstProcess, "/") }

// otherRoot says why the host's services do not see the file that this program would write.
func otherRoot(config string) *ElsewhereError {
	if sameDirectory(firstProcess, filepath.Dir(config)) {
		return nil
	}
	return &ElsewhereError{
		Cause:  fmt.Sprintf("connsync runs in a chroot or a mount namespace whose %s is not the host's, so that no service of the host reads that file", filepath.Dir(config)),
		Remedy: "run connsync outside of it, or write the file alone with --service none (--service direct for a conntrackd that is to run in here)",
	}
}

// hostNetwork says why what the host's services start would not be in this namespace.
func hostNetwork(name string) *ElsewhereError {
	host, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", firstProcess))
	own, _, ownErr := OwnNamespaces()
	if err != nil || ownErr != nil || host == own {
		return nil
	}
	return outside(name, "the host's")
}

func outside(name, network string) *ElsewhereError {
	return &ElsewhereError{
		Cause:  fmt.Sprintf("connsync runs in a network namespace of its own, and %s runs in %s: its sync and its connections are not those of this one", name, network),
		Remedy: "run connsync in that one (nsenter --net=FILE connsync; the host's is /proc/1/ns/net), or for a conntrackd of this one give --service direct, and a --config and a --runtime-dir of its own",
	}
}

// otherNetwork says why the unit's daemon would not be in this network namespace.
func (u UnitSetup) otherNetwork(unit string, state State) *ElsewhereError {
	switch {
	case state.MainPID != 0:
		return nil // which was looked at
	case u.Network != "":
		var theirs, own unix.Stat_t
		err, ownErr := unix.Stat(u.Network, &theirs), unix.Stat("/proc/thread-self/ns/net", &own)
		if err == nil && ownErr == nil && (theirs.Ino != own.Ino || theirs.Dev != own.Dev) {
			return outside(unit, u.Network+" (NetworkNamespacePath= of the unit)")
		}
		return nil
	case u.PrivateNetwork:
		return &ElsewhereError{Cause: unit + " has a network namespace of its own (PrivateNetwork=), in which there is no sync link", Remedy: "take that out of the unit, then: systemctl daemon-reload"}
	}
	return hostNetwork(unit)
}

// otherConfig says why the unit would start the daemon with another file than config.
// What its files say counts: systemd reads them again within a save.
func (s *Systemd) otherConfig(u UnitSetup, config string) *ElsewhereError {
	given, unit := configIn(u.Start), s.Unit
	words, ok := sdunit.StartIn(s.dirs, unit)
	edited := ok && !slices.Equal(words, u.Start)
	if edited {
		given = configIn(words)
	}
	if given == "" || sameFile(given, config) {
		return nil
	}
	cause := fmt.Sprintf("%s starts conntrackd with another file, %s, and not with %s", unit, given, config)
	if edited {
		cause += ", as soon as systemd reads the unit as it is on the disk now"
	}
	return &ElsewhereError{Cause: cause, Remedy: fmt.Sprintf("systemctl daemon-reload, and leave --config out (connsync --config %s), or have the unit give -C %s", shell.Word(given), shell.Word(config))}
}

// configIn is the file of a command that starts the daemon; blank where it does not name
// one in plain words.
func configIn(words []string) string {
	at := slices.IndexFunc(words, func(w string) bool { return filepath.Base(w) == "conntrackd" })
	if at < 0 {
		return ""
	}
	given, daemon := daemonConfig(words[at:])
	if !daemon || !filepath.IsAbs(given) || strings.ContainsAny(given, "$%") {
		return ""
	}
	return given
}
