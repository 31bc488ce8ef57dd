package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// The checks that need to know the daemon; the others are netcheck's.
const (
	checkApplication  netcheck.ID = "application"
	checkNameReadable netcheck.ID = "name-readable"
	checkDaemon       netcheck.ID = "daemon"
	checkDaemonLint   netcheck.ID = "daemon-lint"
)

// asRoot is the remedy where this user may not look.
const asRoot = "run connsync as root"

// flowOf is the sync of the settings, as the network sees it.
func flowOf(s conntrackd.Settings) netcheck.Flow {
	return netcheck.Flow{Interface: s.Interface, Current: s.Current, Peer: s.Peer, Port: s.Port}
}

// plan joins netcheck's plan with the daemon's own checks, so that neither
// package has to know the other.
func (n *node) plan(ctx context.Context, settings conntrackd.Settings, firstNode bool) []netcheck.Check {
	target := netcheck.Target{Flow: flowOf(settings), FirstNode: firstNode}
	state, err := n.service.State(ctx)
	if err != nil && !n.unmanaged() {
		// Nobody is to be told to kill the daemon that runs with our file,
		// because its service cannot be asked just now.
		state, err = (&conntrackd.Direct{Config: n.config}).State(ctx)
	}
	if err == nil && state.MainPID != 0 {
		target.DaemonPIDs = []int{state.MainPID}
	}
	checks := []netcheck.Check{n.inPlace(), nameReadable(settings.Interface)}
	checks = append(checks, netcheck.Plan(target)...)
	checks = append(checks, n.daemon(), n.daemonLint(settings), n.failoverHook(settings), n.failoverTiming(settings))
	return append(checks, n.hostChecks(settings)...)
}

// inPlace asks whether this appliance is one with connection sync.
func (n *node) inPlace() netcheck.Check {
	return netcheck.Check{
		ID: checkApplication, Title: "Appliance has connection sync", Severity: netcheck.Blocker,
		Run: func(ctx context.Context) netcheck.Finding {
			a, err := n.appliance()
			switch {
			case err != nil && a.word == "" && errors.Is(err, fs.ErrPermission):
				return netcheck.Finding{Status: netcheck.Unknown, Detail: err.Error(), Err: err, Remedy: asRoot}
			case err != nil:
				return netcheck.Finding{Status: netcheck.Failed, Detail: err.Error(), Err: err, Remedy: "echo " + syncApplication + " >" + applicationFile}
			case a.word == "":
				return netcheck.Finding{Status: netcheck.Passed, Detail: "an ordinary host: nothing states an application"}
			case a.reason() == "":
				return netcheck.Finding{Status: netcheck.Passed, Detail: "it is " + a.word + ", says " + a.from}
			}
			f := netcheck.Finding{Status: netcheck.Failed, Detail: a.reason()}
			if s, err := n.load(ctx); err == nil && s.on() {
				f.Detail += "; " + stillEnabled
				f.Remedy = "connsync apply --disable"
			}
			return f
		},
	}
}

func nameReadable(name string) netcheck.Check {
	return netcheck.Check{
		ID: checkNameReadable, Title: "conntrackd can read the name", Severity: netcheck.Blocker,
		Run: func(context.Context) netcheck.Finding {
			if err := conntrackd.CheckInterfaceName(name); err != nil {
				return netcheck.Finding{
					Status: netcheck.Failed, Detail: err.Error(), Err: err,
					Remedy: fmt.Sprintf("ip link set dev %[1]s down; ip link set dev %[1]s name sync0; ip link set dev sync0 up", name),
				}
			}
			return netcheck.Finding{Status: netcheck.Passed, Detail: name + " is a name that conntrackd's file can hold"}
		},
	}
}

func (n *node) daemon() netcheck.Check {
	return netcheck.Check{
		ID: checkDaemon, Title: "conntrackd is installed", Severity: netcheck.Blocker,
		Run: func(ctx context.Context) netcheck.Finding {
			version, err := conntrackd.Version(ctx, "")
			switch {
			case errors.Is(err, conntrackd.ErrNotInstalled):
				return netcheck.Finding{Status: netcheck.Failed, Detail: "conntrackd is not installed on this host", Err: err,
					Remedy: "apt-get install conntrackd"}
			case err != nil:
				return netcheck.Finding{Status: netcheck.Unknown, Detail: "conntrackd did not say its version: " + err.Error(), Err: err,
					Remedy: "conntrackd -v"}
			}
			state, err := n.service.State(ctx)
			if state.Masked || errors.Is(err, conntrackd.ErrServiceMasked) {
				return netcheck.Finding{Status: netcheck.Failed, Detail: n.service.Name() + " is masked", Err: err,
					Remedy: state.Unmask}
			}
			switch {
			case n.unmanaged():
				return netcheck.Finding{Status: netcheck.Passed, Detail: "conntrackd " + version + "; its service is left alone"}
			case err != nil:
				return netcheck.Finding{Status: netcheck.Unknown, Err: err, Remedy: "run connsync as root, or with --service direct where no service manager runs",
					Detail: fmt.Sprintf("conntrackd %s is installed; %s could not be looked at: %v", version, n.service.Name(), err)}
			case !state.Present:
				return netcheck.Finding{Status: netcheck.Failed, Remedy: "apt-get install --reinstall conntrackd, or --service direct",
					Detail: fmt.Sprintf("conntrackd %s is installed, but there is no %s", version, n.service.Name())}
			}
			detail := fmt.Sprintf("conntrackd %s, run by %s", version, n.service.Name())
			if state.Notify {
				detail += " (Type=notify)"
			}
			return netcheck.Finding{Status: netcheck.Passed, Detail: detail}
		},
	}
}

// daemonLint asks the daemon itself about the file that would be written, and
// then starts it once in a namespace of its own.
func (n *node) daemonLint(settings conntrackd.Settings) netcheck.Check {
	return netcheck.Check{
		ID: checkDaemonLint, Title: "conntrackd accepts the new file", Severity: netcheck.Blocker,
		// The daemon asks the kernel for the interface as it reads its name.
		Needs: []netcheck.ID{checkNameReadable, checkDaemon, netcheck.CheckInterface},
		Run:   func(ctx context.Context) netcheck.Finding { return n.lint(ctx, settings) },
	}
}

func (n *node) lint(ctx context.Context, settings conntrackd.Settings) netcheck.Finding {
	failed := func(detail string, err error) netcheck.Finding {
		return netcheck.Finding{Status: netcheck.Failed, Detail: detail, Err: err, Remedy: "edit " + n.config}
	}
	saved, err := n.load(ctx)
	if err != nil {
		return n.noCandidate(err)
	}
	c, err := n.candidate(ctx, saved, settings)
	if err != nil {
		return n.noCandidate(err)
	}
	problems, err := conntrackd.Lint(ctx, c)
	if err != nil {
		return n.noCandidate(err)
	}
	if len(problems) > 0 {
		return failed(strings.Join(problems, "; "), nil)
	}
	switch err := conntrackd.DryStart(ctx, c); {
	case err == nil:
		return netcheck.Finding{Status: netcheck.Passed, Detail: "no error, no warning, and a trial start worked"}
	case ctx.Err() != nil, errors.Is(err, conntrackd.ErrCannotLook):
		return netcheck.Finding{Status: netcheck.Unknown, Err: err, Remedy: asRoot,
			Detail: "conntrackd reads the file; a trial start was not possible: " + err.Error()}
	default:
		return failed(err.Error(), err)
	}
}

// noCandidate is the finding where there is no new file to ask about: the old
// one is at fault, or could not be read.
func (n *node) noCandidate(err error) netcheck.Finding {
	var (
		broken *brokenFileError
		bad    *conntrackd.SettingsError
	)
	if errors.As(err, &broken) || errors.As(err, &bad) || errors.Is(err, conntrackd.ErrDamaged) {
		return netcheck.Finding{Status: netcheck.Failed, Detail: err.Error(), Err: err, Remedy: "edit " + n.config}
	}
	return netcheck.Finding{Status: netcheck.Unknown, Detail: err.Error(), Err: err, Remedy: asRoot}
}
