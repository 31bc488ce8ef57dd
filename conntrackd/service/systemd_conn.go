package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"connsync/conntrackd/service/bus"
	"connsync/conntrackd/service/sdunit"
)

// systemdConn is what is used of *sd.Conn.
type systemdConn interface {
	GetUnitNameByPID(ctx context.Context, pid uint32) (string, error)
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	ListUnitFilesByPatternsContext(ctx context.Context, states, patterns []string) ([]sd.UnitFile, error)
	StartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error)
	RestartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error)
	StopUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error)
	ResetFailedUnitContext(ctx context.Context, name string) error
	EnableUnitFilesContext(ctx context.Context, files []string, runtime, force bool) (bool, []sd.EnableUnitFileChange, error)
	DisableUnitFilesContext(ctx context.Context, files []string, runtime bool) ([]sd.DisableUnitFileChange, error)
	ReloadContext(ctx context.Context) error
	Close()
}

// dialSystemd connects to the system bus or, where there is none, to systemd's
// private socket, which is root's alone. The connection ends with ctx.
func dialSystemd(ctx context.Context) (systemdConn, error) {
	conn, busErr := dialWithin(ctx, 1500*time.Millisecond, bus.System)
	if busErr == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	conn, err := dialWithin(ctx, 3*time.Second, bus.Private)
	if err != nil {
		return nil, fmt.Errorf("system bus: %w; private socket: %w", busErr, err)
	}
	return conn, nil
}

// dialWithin bounds the dialling only: the library ties the whole connection
// to the context that it was dialled with.
func dialWithin(ctx context.Context, limit time.Duration, dial func(context.Context) (*sd.Conn, error)) (systemdConn, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(limit, cancel)
	conn, err := dial(ctx)
	inTime := late.Stop()
	switch {
	case err == nil && inTime:
		return dialled{conn, cancel}, nil
	case err == nil:
		conn.Close()
	}
	cancel()
	if !inTime {
		return nil, fmt.Errorf("no answer within %v: %w", limit, context.DeadlineExceeded)
	}
	return nil, err
}

// dialled is a connection together with the context that it lives on.
type dialled struct {
	*sd.Conn
	cancel context.CancelFunc
}

func (d dialled) Close() {
	d.Conn.Close()
	d.cancel()
}

// refused turns an error of D-Bus into one of the service.
func (s *Systemd) refused(ctx context.Context, a Action, err error) error {
	switch {
	case ctx.Err() == nil:
		return s.failure(a, refusal(err), "", err)
	case a == "":
		return s.failure(a, ErrUnreachable, "", ctx.Err())
	}
	return s.failure(a, ErrTimeout, "", ctx.Err())
}

// refusal sorts an error by systemd's names (bus-common-errors.h) and D-Bus's.
func refusal(err error) error {
	var said dbus.Error
	if !errors.As(err, &said) {
		if errors.Is(err, fs.ErrPermission) {
			return ErrDenied
		}
		return ErrUnreachable
	}
	switch said.Name {
	case "org.freedesktop.systemd1.UnitMasked":
		return ErrMasked
	case "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.DBus.Error.FileNotFound":
		return ErrNotFound
	case "org.freedesktop.DBus.Error.AccessDenied",
		"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
		"org.freedesktop.DBus.Error.AuthFailed":
		return ErrDenied
	case "org.freedesktop.DBus.Error.ServiceUnknown",
		"org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.NoReply",
		"org.freedesktop.DBus.Error.Disconnected":
		return ErrUnreachable
	}
	return ErrRefused
}

func isNoSuchUnit(err error) bool { return refusal(err) == ErrNotFound }

// unit is what systemd says of a unit, in its own words.
type unit struct {
	load, active, sub, result string
	loadError                 string
	kind                      string // Type=
	pid, restarts             int
	exitCode, exitStatus      int // ExecMainCode (a CLD_ value of waitid(2)), ExecMainStatus
	since                     time.Time
	queued                    bool // a job is waiting or at work
	beside                    []Dependent
	starters                  map[string]any // all that systemd says, for who starts it
	unmet                     string         // why the last start did not happen, though nothing failed
}

func readUnit(ctx context.Context, conn systemdConn, name string) (unit, error) {
	all, err := conn.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return unit{}, err
	}
	u := unit{
		load:       property[string](all, "LoadState"),
		active:     property[string](all, "ActiveState"),
		sub:        property[string](all, "SubState"),
		result:     property[string](all, "Result"),
		kind:       property[string](all, "Type"),
		pid:        int(property[uint32](all, "MainPID")),
		restarts:   int(property[uint32](all, "NRestarts")),
		exitCode:   int(property[int32](all, "ExecMainCode")),
		exitStatus: int(property[int32](all, "ExecMainStatus")),
		beside:     sdunit.Dependents(all, name),
		unmet:      sdunit.Unmet(all), starters: all,
	}
	if pair := property[[]any](all, "LoadError"); len(pair) == 2 {
		u.loadError, _ = pair[1].(string)
	}
	if job := property[[]any](all, "Job"); len(job) == 2 {
		id, _ := job[0].(uint32)
		u.queued = id != 0
	}
	// The process's start, not the unit's readiness: it is then that the
	// daemon read its file.
	if micros := property[uint64](all, "ExecMainStartTimestamp"); micros != 0 {
		u.since = time.UnixMicro(int64(micros))
	}
	if u.load == "" || u.active == "" {
		return unit{}, fmt.Errorf("systemd's answer about %s has no LoadState or ActiveState", name)
	}
	return u, nil
}

// property is the zero value where systemd is too old for the property or
// gives it another type.
func property[T any](all map[string]any, name string) T {
	return sdunit.Property[T](all, name)
}

func (u unit) up() bool { return u.active == "active" || u.active == "reloading" }

// changing says that the unit is on its way to another state, so that this one
// does not tell how a start or an end came out. While it waits for an automatic
// restart its Result stands.
func (u unit) changing() bool {
	return u.active == "deactivating" || u.active == "activating" && !strings.HasPrefix(u.sub, "auto-restart")
}

// failed says that Result is one of a failure.
func (u unit) failed() bool { return u.result != "" && u.result != "success" }

func (u unit) notify() bool { return u.kind == "notify" || u.kind == "notify-reload" }

func (u unit) state() State {
	s := State{
		Present:  u.load != "not-found",
		Masked:   u.load == "masked",
		Active:   u.up(),
		Changing: u.changing(),
		Notify:   u.notify(),
		MainPID:  u.pid,
		Restarts: u.restarts,
		Detail:   u.words(),
	}
	s.Starting = !s.Active && u.load == "loaded" && (u.active == "activating" || u.queued)
	if s.Active {
		s.Since = u.since
	}
	return s
}

// words is what systemctl status would say of the unit in one line.
func (u unit) words() string {
	switch {
	case u.load == "":
		return ""
	case u.load == "loaded":
	case u.active == "inactive" && (u.load == "masked" || u.load == "not-found"):
		return u.load // LoadError says no more than that
	case u.active == "inactive":
		return u.load + ": " + u.loadError
	}
	w := u.active
	if u.sub != u.active {
		w += " (" + u.sub + ")"
	}
	if u.load != "loaded" {
		w = u.load + ", " + w
	}
	if u.active == "inactive" && u.unmet != "" {
		w += ": " + u.unmet
	}
	if !u.failed() {
		return w
	}
	w += " (Result: " + u.result
	switch u.exitCode {
	case 1: // CLD_EXITED
		w += fmt.Sprintf(", status=%d", u.exitStatus)
	case 2, 3: // CLD_KILLED, CLD_DUMPED
		w += fmt.Sprintf(", signal=%d", u.exitStatus)
	}
	return w + ")"
}
