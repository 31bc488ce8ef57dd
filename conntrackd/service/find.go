package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Choices are the values that [Find] takes.
func Choices() []string {
	return []string{"auto", "systemd", "openrc", "sysv", "direct", "none"}
}

// Find returns the service by choice: "systemd", "openrc", "sysv",
// "direct" (the given one), "none" ([Unmanaged]), or "auto" and blank, which
// look: systemd, OpenRC or SysV's init where the host was booted with it and it
// has the unit or script, else direct. Where systemd runs and cannot be asked
// it is still systemd, whose methods then say why: a daemon started beside it
// would be a second one. The error is for another choice, or that of ctx.
func Find(ctx context.Context, choice string, direct *Direct) (Service, error) {
	return serviceFinder{
		bootedWithSystemd: bootedWithSystemd,
		bootedWithOpenRC: func() bool {
			_, err := os.Stat("/run/openrc/softlevel")
			return err == nil
		},
		bootedWithSysV: bootedWithSysV,
		inChroot:       inChroot,
		direct:         direct,
		systemd:        NewSystemd(DefaultUnit),
		openRC:         NewOpenRC(direct),
		sysV:           NewSysV(direct),
	}.find(ctx, choice)
}

// bootedWithSystemd is the test of sd_booted(3).
func bootedWithSystemd() bool {
	fi, err := os.Lstat("/run/systemd/system")
	return err == nil && fi.IsDir()
}

// bootedWithSysV looks for the first process and the pipe that it is told
// runlevels through, since version 2.89 in /run.
func bootedWithSysV() bool {
	name, err := os.ReadFile("/proc/1/comm")
	if err != nil || strings.TrimSpace(string(name)) != "init" {
		return false
	}
	for _, path := range []string{"/run/initctl", "/dev/initctl"} {
		if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			return true
		}
	}
	return false
}

type serviceFinder struct {
	bootedWithSystemd, bootedWithOpenRC, bootedWithSysV, inChroot func() bool

	direct  *Direct
	systemd *Systemd
	openRC  *OpenRC
	sysV    *SysV
}

func (f serviceFinder) find(ctx context.Context, choice string) (Service, error) {
	switch choice {
	case "systemd":
		return f.systemd, nil
	case "openrc":
		return f.openRC, nil
	case "sysv":
		return f.sysV, nil
	case "direct":
		return f.direct, nil
	case "none":
		return Unmanaged{}, nil
	case "auto", "":
	default:
		return nil, fmt.Errorf("no service manager is called %q: auto, systemd, openrc, sysv, direct or none", choice)
	}
	switch {
	case f.inChroot():
		f.direct.Chroot = true
		return f.direct, nil
	case f.bootedWithSystemd():
		state, err := f.systemd.State(ctx)
		if errors.Is(err, context.Canceled) {
			return nil, err
		}
		if err != nil || state.Present {
			return f.systemd, nil
		}
	case f.bootedWithOpenRC(): // before SysV's init, which starts it on Debian
		if f.openRC.scripted() {
			return f.openRC, nil
		}
	case f.bootedWithSysV():
		if f.sysV.scripted() {
			return f.sysV, nil
		}
	default:
		return f.direct, nil // whatever starts things here is not known
	}
	f.direct.NoBoot = true
	return f.direct, nil
}

// Unmanaged is a service that is left alone: nothing of it is read, and every
// action is refused with [ErrUnmanaged].
type Unmanaged struct{}

var _ Service = Unmanaged{}

// Name returns "no service".
func (Unmanaged) Name() string { return "no service" }

// State is never known; the error is [ErrUnmanaged].
func (Unmanaged) State(context.Context) (State, error) {
	return State{Detail: "unknown, the service is left alone"}, unmanaged("")
}

// Restart is refused.
func (Unmanaged) Restart(context.Context) error { return unmanaged(ActionRestart) }

// Stop is refused.
func (Unmanaged) Stop(context.Context) error { return unmanaged(ActionStop) }

// Enable is refused.
func (Unmanaged) Enable(context.Context) error { return unmanaged(ActionEnable) }

// Disable is refused.
func (Unmanaged) Disable(context.Context) error { return unmanaged(ActionDisable) }

// Commands returns none.
func (Unmanaged) Commands(Action) []string { return nil }

// Log is refused.
func (Unmanaged) Log(context.Context, time.Time) ([]string, error) {
	return nil, unmanaged("")
}

func unmanaged(a Action) error {
	return &Error{Action: a, Name: "conntrackd", Reason: ErrUnmanaged}
}
