package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

// fakeSystemd is a unit that goes through a list of states, one a reading; the
// last one stays.
type fakeSystemd struct {
	states  []map[string]any
	files   []sd.UnitFile
	results chan string // results of jobs; none: the job never ends
	jobErr  error
	bootErr error
	calls   []string
	install bool // the unit has an [Install] section
	others  map[string]map[string]any
	atBoot  string // another unit that is enabled
}

func (f *fakeSystemd) called(name string) { f.calls = append(f.calls, name) }

func (f *fakeSystemd) GetUnitNameByPID(context.Context, uint32) (string, error) {
	return "", dbus.ErrClosed
}

func (f *fakeSystemd) GetAllPropertiesContext(ctx context.Context, name string) (map[string]any, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if other, ok := f.others[name]; ok {
		return other, nil
	}
	if len(f.states) == 0 {
		return nil, dbus.ErrClosed
	}
	now := f.states[0]
	if len(f.states) > 1 {
		f.states = f.states[1:]
	}
	return now, nil
}

func (f *fakeSystemd) ListUnitFilesByPatternsContext(_ context.Context, _, patterns []string) ([]sd.UnitFile, error) {
	if _, other := f.others[patterns[0]]; other {
		return []sd.UnitFile{{Type: map[bool]string{true: "enabled", false: "static"}[patterns[0] == f.atBoot]}}, nil
	}
	return f.files, nil
}

func (f *fakeSystemd) job(name, mode string, ch chan<- string) (int, error) {
	if mode != "replace" {
		name += " " + mode
	}
	f.called(name)
	if f.jobErr != nil {
		return 0, f.jobErr
	}
	select {
	case r := <-f.results:
		if cap(ch) == 0 {
			return 0, errors.New("the channel has no room")
		}
		ch <- r
	default:
	}
	return 7, nil
}

func (f *fakeSystemd) StartUnitContext(_ context.Context, name, mode string, ch chan<- string) (int, error) {
	if ch == nil { // another unit
		f.called("start " + name)
		return 7, nil
	}
	return f.job("start", mode, ch)
}

func (f *fakeSystemd) RestartUnitContext(_ context.Context, _, mode string, ch chan<- string) (int, error) {
	return f.job("restart", mode, ch)
}

func (f *fakeSystemd) StopUnitContext(_ context.Context, _, mode string, ch chan<- string) (int, error) {
	return f.job("stop", mode, ch)
}

func (f *fakeSystemd) ResetFailedUnitContext(context.Context, string) error {
	f.called("reset-failed")
	return nil
}

func (f *fakeSystemd) EnableUnitFilesContext(context.Context, []string, bool, bool) (bool, []sd.EnableUnitFileChange, error) {
	f.called("enable")
	if f.install {
		f.files = []sd.UnitFile{{Path: "/lib/systemd/system/conntrackd.service", Type: "enabled"}}
	}
	return f.install, nil, f.bootErr
}

func (f *fakeSystemd) DisableUnitFilesContext(context.Context, []string, bool) ([]sd.DisableUnitFileChange, error) {
	f.called("disable")
	f.files = []sd.UnitFile{{Path: "/lib/systemd/system/conntrackd.service", Type: "disabled"}}
	return nil, f.bootErr
}

func (f *fakeSystemd) ReloadContext(context.Context) error { f.called("reload"); return nil }
func (f *fakeSystemd) Close()                              { f.called("close") }

// props are the properties of a loaded unit with the given ones put in.
func props(pairs ...any) map[string]any {
	p := map[string]any{
		"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success",
		"Type": "notify", "MainPID": uint32(41), "NRestarts": uint32(0),
		"ExecMainCode": int32(0), "ExecMainStatus": int32(0),
		"ExecMainStartTimestamp": uint64(1_700_000_000_000_000),
		"LoadError":              []any{"", ""},
	}
	for i := 0; i < len(pairs); i += 2 {
		p[pairs[i].(string)] = pairs[i+1]
	}
	return p
}

// queued is a unit that the boot has not come to yet.
func queued() map[string]any {
	all := inactive("loaded")
	all["Job"] = []any{uint32(7), dbus.ObjectPath("/org/freedesktop/systemd1/job/7")}
	return all
}

func inactive(load string) map[string]any {
	return props("LoadState", load, "ActiveState", "inactive", "SubState", "dead", "MainPID", uint32(0),
		"ExecMainStartTimestamp", uint64(0))
}

func newFake(f *fakeSystemd, results ...string) *Systemd {
	f.results = make(chan string, len(results))
	for _, r := range results {
		f.results <- r
	}
	s := NewSystemd("")
	s.dirs = nil
	s.dial = func(context.Context) (systemdConn, error) { return f, nil }
	s.journal = func(context.Context, string, time.Time) ([]string, error) {
		return []string{"[ERROR] parsing config file in line (4), symbol 'banana': syntax error"}, nil
	}
	return s
}

var failing = props("ActiveState", "activating", "SubState", "auto-restart", "Result", "exit-code", "MainPID", uint32(0),
	"ExecMainCode", int32(1), "ExecMainStatus", int32(1))

func TestSystemdRestart(t *testing.T) {
	up := props()
	starting := props("ActiveState", "activating", "SubState", "start")
	limit := props("ActiveState", "failed", "SubState", "failed", "Result", "start-limit-hit", "MainPID", uint32(0))
	for _, test := range []struct {
		name    string
		fake    *fakeSystemd
		results []string
		reason  error
		text    string // in the error
		lines   bool   // the daemon's words are with it
		calls   []string
	}{
		{name: "good", fake: &fakeSystemd{states: []map[string]any{up}}, results: []string{"done"},
			calls: []string{"reset-failed", "restart", "close"}},
		{name: "refused by the daemon", fake: &fakeSystemd{states: []map[string]any{up, failing}}, results: []string{"failed"},
			reason: ErrFailed, text: "activating (auto-restart) (Result: exit-code, status=1)", lines: true,
			calls: []string{"reset-failed", "restart", "close"}},
		{name: "start limit", fake: &fakeSystemd{states: []map[string]any{up, limit}},
			results: []string{"failed", "failed"}, reason: ErrStartLimit, text: "start-limit-hit", lines: true,
			calls: []string{"reset-failed", "restart", "reset-failed", "restart", "close"}},
		{name: "automatic restarts used up the limit", fake: &fakeSystemd{states: []map[string]any{up, limit, up}},
			results: []string{"failed", "done"}, calls: []string{"reset-failed", "restart", "reset-failed", "restart", "close"}},
		{name: "dependency", fake: &fakeSystemd{states: []map[string]any{up, inactive("loaded")}}, results: []string{"dependency"},
			reason: ErrFailed, text: "job dependency, unit inactive (dead)", lines: true,
			calls: []string{"reset-failed", "restart", "close"}},
		{name: "dies", fake: &fakeSystemd{states: []map[string]any{up, up, up, failing}}, results: []string{"done"},
			reason: ErrUnstable, text: "auto-restart", lines: true,
			calls: []string{"reset-failed", "restart", "close"}},
		{name: "dies and comes back", fake: &fakeSystemd{states: []map[string]any{up, up, props("MainPID", uint32(42), "NRestarts", uint32(1))}},
			results: []string{"done"}, reason: ErrUnstable, lines: true,
			calls: []string{"reset-failed", "restart", "close"}},
		{name: "never ready", fake: &fakeSystemd{states: []map[string]any{up, starting}},
			reason: ErrTimeout, text: `activating (start) after 15s, a Type=notify unit waits for the daemon's word, which "Systemd off"`, lines: true,
			calls: []string{"reset-failed", "restart", "close"}},
		{name: "masked", fake: &fakeSystemd{states: []map[string]any{inactive("masked")}},
			reason: ErrMasked, text: "systemctl unmask conntrackd.service", calls: []string{"close"}},
		{name: "absent", fake: &fakeSystemd{states: []map[string]any{inactive("not-found")}},
			reason: ErrNotFound, calls: []string{"close"}},
		{name: "broken unit file", fake: &fakeSystemd{states: []map[string]any{props("LoadState", "bad-setting", "ActiveState", "inactive",
			"LoadError", []any{"org.freedesktop.systemd1.BadUnitSetting", "Unit has a bad unit file setting."})}},
			reason: ErrRefused, text: "bad-setting: Unit has a bad unit file setting.", calls: []string{"close"}},
		{name: "not root", fake: &fakeSystemd{states: []map[string]any{up},
			jobErr: dbus.Error{Name: "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", Body: []any{"Interactive authentication required."}}},
			reason: ErrDenied, text: "Interactive authentication required.",
			calls: []string{"reset-failed", "restart", "close"}},
		{name: "D-Bus goes away", fake: &fakeSystemd{states: []map[string]any{up}, jobErr: dbus.ErrClosed},
			reason: ErrUnreachable, calls: []string{"reset-failed", "restart", "close"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := newFake(test.fake, test.results...).Restart(t.Context())
				checkServiceError(t, err, test.reason, test.text)
				var se *Error
				if errors.As(err, &se) && (len(se.Lines) > 0) != test.lines {
					t.Errorf("lines of the daemon: %q, want some: %v", se.Lines, test.lines)
				}
				if diff := cmp.Diff(test.calls, test.fake.calls); diff != "" {
					t.Error("calls (-want +got)", diff)
				}
			})
		})
	}
}

func checkServiceError(t *testing.T, err, reason error, text string) {
	t.Helper()
	if reason == nil {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if !errors.Is(err, reason) {
		t.Fatalf("error is %v, want %v", err, reason)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("error %q has no %q", err, text)
	}
}

func TestSystemdRestartTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(&fakeSystemd{states: []map[string]any{props()}}, "done")
		start := time.Now()
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != s.Settle {
			t.Errorf("restart watched for %v, want %v", took, s.Settle)
		}
	})
}

func TestSystemdReturnsWithItsContext(t *testing.T) {
	for name, call := range map[string]func(*Systemd, context.Context) error{
		"restart, job":    (*Systemd).Restart,
		"restart, settle": (*Systemd).Restart,
		"stop":            (*Systemd).Stop,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var results []string
				if strings.Contains(name, "settle") {
					results = []string{"done"}
				}
				s := newFake(&fakeSystemd{states: []map[string]any{props()}}, results...)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				start := time.Now()
				err := call(s, ctx)
				checkServiceError(t, err, ErrTimeout, "goes on with the job")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v does not say that the context ended", err)
				}
				if took := time.Since(start); took != 300*time.Millisecond {
					t.Errorf("returned after %v", took)
				}
			})
		})
	}
}

func TestSystemdStop(t *testing.T) {
	for _, test := range []struct {
		name    string
		fake    *fakeSystemd
		results []string
		reason  error
		calls   []string
	}{
		{"running", &fakeSystemd{states: []map[string]any{props(), inactive("loaded")}}, []string{"done"}, nil, []string{"stop", "close"}},
		{"stopped", &fakeSystemd{states: []map[string]any{inactive("loaded")}}, nil, nil, []string{"close"}},
		{"about to start at boot", &fakeSystemd{states: []map[string]any{queued(), inactive("loaded")}}, []string{"done"}, nil, []string{"stop", "close"}},
		{"absent", &fakeSystemd{states: []map[string]any{inactive("not-found")}}, nil, nil, []string{"close"}},
		{"masked while running", &fakeSystemd{states: []map[string]any{props("LoadState", "masked"), inactive("masked")}}, []string{"done"}, nil, []string{"stop", "close"}},
		{"about to be restarted", &fakeSystemd{states: []map[string]any{failing, inactive("loaded")}}, []string{"done"}, nil, []string{"stop", "close"}},
		{"still there", &fakeSystemd{states: []map[string]any{props()}}, []string{"done"}, ErrRefused, []string{"stop", "close"}},
		{"replaced by another job", &fakeSystemd{states: []map[string]any{props()}}, []string{"canceled"}, ErrRefused, []string{"stop", "close"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				checkServiceError(t, newFake(test.fake, test.results...).Stop(t.Context()), test.reason, "")
				if diff := cmp.Diff(test.calls, test.fake.calls); diff != "" {
					t.Error("calls (-want +got)", diff)
				}
			})
		})
	}
}

func TestSystemdBoot(t *testing.T) {
	file := func(kind string) []sd.UnitFile { return []sd.UnitFile{{Path: "/x/conntrackd.service", Type: kind}} }
	loaded := []map[string]any{props()}
	for _, test := range []struct {
		name   string
		enable bool
		fake   *fakeSystemd
		reason error
		text   string
		calls  []string
	}{
		{"enable", true, &fakeSystemd{states: loaded, files: file("disabled"), install: true}, nil, "", []string{"enable", "reload", "close"}},
		{"enable again", true, &fakeSystemd{states: loaded, files: file("enabled"), install: true}, nil, "", []string{"close"}},
		{"enabled until the next boot only", true, &fakeSystemd{states: loaded, files: file("enabled-runtime"), install: true}, nil, "", []string{"enable", "reload", "close"}},
		{"no [Install]", true, &fakeSystemd{states: loaded, files: file("static")}, ErrRefused, "[Install]", []string{"enable", "reload", "close"}},
		{"enable masked", true, &fakeSystemd{states: []map[string]any{inactive("masked")}}, ErrMasked, "unmask", []string{"close"}},
		{"enable absent", true, &fakeSystemd{states: []map[string]any{inactive("not-found")}}, ErrNotFound, "", []string{"close"}},
		{"enable denied", true, &fakeSystemd{states: loaded, files: file("disabled"),
			bootErr: dbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied", Body: []any{"Permission denied"}}}, ErrDenied, "Permission denied", []string{"enable", "close"}},
		{"disable", false, &fakeSystemd{states: loaded, files: file("enabled")}, nil, "", []string{"disable", "reload", "close"}},
		{"disable again", false, &fakeSystemd{states: loaded, files: file("disabled")}, nil, "", []string{"close"}},
		{"disable masked", false, &fakeSystemd{states: []map[string]any{inactive("masked")}}, nil, "", []string{"close"}},
		{"disable absent", false, &fakeSystemd{states: []map[string]any{inactive("not-found")}}, nil, "", []string{"close"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newFake(test.fake)
			call := s.Disable
			if test.enable {
				call = s.Enable
			}
			checkServiceError(t, call(t.Context()), test.reason, test.text)
			if diff := cmp.Diff(test.calls, test.fake.calls); diff != "" {
				t.Error("calls (-want +got)", diff)
			}
		})
	}
}

func TestSystemdState(t *testing.T) {
	since := time.UnixMicro(1_700_000_000_000_000)
	enabled := []sd.UnitFile{{Path: "/x", Type: "enabled"}}
	for _, test := range []struct {
		name string
		fake *fakeSystemd
		want State
	}{
		{"running", &fakeSystemd{states: []map[string]any{props("NRestarts", uint32(2))}, files: enabled},
			State{Present: true, Active: true, Enabled: true, Notify: true, MainPID: 41, Restarts: 2, Since: since, Detail: "active (running)"}},
		{"failed", &fakeSystemd{states: []map[string]any{props("ActiveState", "failed", "SubState", "failed", "Result", "signal",
			"ExecMainCode", int32(2), "ExecMainStatus", int32(9), "MainPID", uint32(0))}, files: enabled},
			State{Present: true, Enabled: true, Notify: true, Detail: "failed (Result: signal, signal=9)"}},
		{"absent", &fakeSystemd{states: []map[string]any{inactive("not-found")}}, State{Notify: true, Detail: "not-found"}},
		{"masked", &fakeSystemd{states: []map[string]any{inactive("masked")}}, State{Present: true, Masked: true, Unmask: "systemctl unmask conntrackd.service", Notify: true, Detail: "masked"}},
		{"another type", &fakeSystemd{states: []map[string]any{props("Type", "forking")}},
			State{Present: true, Active: true, MainPID: 41, Since: since, Detail: "active (running)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := newFake(test.fake).State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("state (-want +got)", diff)
			}
		})
	}
}

func TestSystemdUnreachable(t *testing.T) {
	for _, test := range []struct {
		err, reason error
	}{
		{fmt.Errorf("system bus: %w; private socket: %w", fs.ErrNotExist, syscall.ECONNREFUSED), ErrUnreachable},
		{fmt.Errorf("system bus: %w; private socket: %w", fs.ErrNotExist, syscall.EACCES), ErrDenied},
	} {
		s := NewSystemd("conntrackd")
		s.dial = func(context.Context) (systemdConn, error) { return nil, test.err }
		_, err := s.State(t.Context())
		checkServiceError(t, err, test.reason, "read state of conntrackd.service")
		for _, call := range []func(context.Context) error{s.Restart, s.Stop, s.Enable, s.Disable} {
			checkServiceError(t, call(t.Context()), test.reason, "private socket")
		}
	}
}
