package conntrackd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ServiceChoices are the values that [FindService] takes.
func ServiceChoices() []string { return []string{"auto", "systemd", "direct", "none"} }

// FindService returns the service by choice: "systemd", "direct" (the given
// one), "none" ([Unmanaged]), or "auto" and blank, which look: systemd where
// the host was booted with it and it has the unit, else direct. Where systemd
// runs and cannot be asked it is still systemd, whose methods then say why: a
// daemon started beside it would be a second one.
func FindService(ctx context.Context, choice string, direct Service) (Service, error) {
	return serviceFinder{
		bootedWithSystemd: func() bool {
			// The test of sd_booted(3).
			fi, err := os.Lstat("/run/systemd/system")
			return err == nil && fi.IsDir()
		},
		systemd: NewSystemd(DefaultUnit),
	}.find(ctx, choice, direct)
}

type serviceFinder struct {
	bootedWithSystemd func() bool
	systemd           *Systemd
}

func (f serviceFinder) find(ctx context.Context, choice string, direct Service) (Service, error) {
	switch choice {
	case "systemd":
		return f.systemd, nil
	case "direct":
		return direct, nil
	case "none":
		return Unmanaged{}, nil
	case "auto", "":
	default:
		return nil, fmt.Errorf("no service manager is called %q: auto, systemd, direct or none", choice)
	}
	if !f.bootedWithSystemd() {
		return direct, nil
	}
	state, err := f.systemd.State(ctx)
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err == nil && !state.Present {
		return direct, nil
	}
	return f.systemd, nil
}

// Unmanaged is a service that is left alone: nothing of it is read, and every
// action is refused with [ErrServiceUnmanaged].
type Unmanaged struct{}

var _ Service = Unmanaged{}

func (Unmanaged) Name() string { return "no service" }

// State is never known.
func (Unmanaged) State(context.Context) (ServiceState, error) {
	return ServiceState{Detail: "unknown, the service is left alone"}, unmanaged("")
}

func (Unmanaged) Restart(context.Context) error { return unmanaged(ActionRestart) }
func (Unmanaged) Stop(context.Context) error    { return unmanaged(ActionStop) }
func (Unmanaged) Enable(context.Context) error  { return unmanaged(ActionEnable) }
func (Unmanaged) Disable(context.Context) error { return unmanaged(ActionDisable) }
func (Unmanaged) Commands(Action) []string      { return nil }

func (Unmanaged) Log(context.Context, time.Time) ([]string, error) {
	return nil, unmanaged("")
}

func unmanaged(a Action) error {
	return &ServiceError{Action: a, Name: "conntrackd", Reason: ErrServiceUnmanaged}
}
