package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// dependent is another unit, with the properties given.
func dependent(active string, pairs ...any) map[string]any {
	return props(append([]any{"ActiveState", active}, pairs...)...)
}

// A job of the daemon's unit leaves running what depends on it.
func TestSystemdSparesDependents(t *testing.T) {
	on := func(all map[string]any, property string, names ...string) map[string]any {
		all[property] = names
		return all
	}
	const vrrp = "keepalived.service"
	failed := props("ActiveState", "failed", "SubState", "failed", "Result", "exit-code", "MainPID", uint32(0))
	for _, test := range []struct {
		name    string
		states  []map[string]any
		others  map[string]map[string]any
		results []string
		do      []Action
		calls   []string
	}{
		{"restart, required", []map[string]any{on(props(), "RequiredBy", vrrp)}, map[string]map[string]any{vrrp: dependent("active")}, []string{"done"},
			[]Action{ActionRestart}, []string{"reset-failed", "restart ignore-requirements", "close"}},
		{"restart, part of", []map[string]any{on(props(), "ConsistsOf", vrrp)}, map[string]map[string]any{vrrp: dependent("activating")}, []string{"done"},
			[]Action{ActionRestart}, []string{"reset-failed", "restart ignore-requirements", "close"}},
		{"restart, required by what does not run", []map[string]any{on(props(), "RequiredBy", vrrp)}, map[string]map[string]any{vrrp: dependent("inactive")}, []string{"done"},
			[]Action{ActionRestart}, []string{"reset-failed", "restart", "close"}},
		{"start, required", []map[string]any{on(inactive("loaded"), "RequiredBy", vrrp), props()}, map[string]map[string]any{vrrp: dependent("active")}, []string{"done"},
			[]Action{ActionRestart}, []string{"reset-failed", "start", "close"}},
		{"stop, required", []map[string]any{on(props(), "RequiredBy", vrrp), inactive("loaded")}, map[string]map[string]any{vrrp: dependent("active")}, []string{"done"},
			[]Action{ActionStop}, []string{"stop ignore-requirements", "close"}},
		{"restart that fails and one that does not, bound", []map[string]any{on(props(), "BoundBy", vrrp), failed, failed, props()},
			map[string]map[string]any{vrrp: dependent("active")}, []string{"failed", "done"},
			[]Action{ActionRestart, ActionRestart}, []string{"reset-failed", "restart ignore-requirements", "close", "reset-failed", "restart", "start " + vrrp, "close"}},
		{"restart that fails and one that does not, required", []map[string]any{on(props(), "RequiredBy", vrrp), failed, failed, props()},
			map[string]map[string]any{vrrp: dependent("active")}, []string{"failed", "done"},
			[]Action{ActionRestart, ActionRestart}, []string{"reset-failed", "restart ignore-requirements", "close", "reset-failed", "restart", "start " + vrrp, "close"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeSystemd{states: test.states, others: test.others}
				s := newFake(f, test.results...)
				for i, a := range test.do {
					do := s.Restart
					if a == ActionStop {
						do = s.Stop
					}
					err := do(t.Context())
					if last := i == len(test.do)-1; (err == nil) != last {
						t.Fatalf("%s: %v", a, err)
					}
					f.others = map[string]map[string]any{vrrp: dependent("inactive")} // the bound one has ended
				}
				if diff := cmp.Diff(test.calls, f.calls); diff != "" {
					t.Error("calls (-want +got)", diff)
				}
			})
		})
	}
}

// maskedDependent is a unit that ends another one, which is masked, with its restart.
type maskedDependent struct{ *fakeSystemd }

func (f maskedDependent) RestartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error) {
	f.others["vrrp.service"] = dependent("inactive")
	return f.fakeSystemd.RestartUnitContext(ctx, name, mode, ch)
}

func (f maskedDependent) StartUnitContext(context.Context, string, string, chan<- string) (int, error) {
	return 0, errors.New("unit is masked")
}

// The daemon is as asked where another unit does not come back, and that is told apart.
func TestSystemdSaysWhatDoesNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bound := props("BoundBy", []string{"vrrp.service"})
		f := &fakeSystemd{states: []map[string]any{bound}, others: map[string]map[string]any{"vrrp.service": dependent("active")}}
		s := newFake(f, "done", "failed")
		s.dial = func(context.Context) (systemdConn, error) { return maskedDependent{f}, nil }
		left, failed := NotBack(s.Restart(t.Context()))
		const want = "vrrp.service ended with conntrackd.service and was not started again: unit is masked; mend the cause, then systemctl start vrrp.service"
		if failed != nil || left == nil || left.Error() != want {
			t.Errorf("failed %v, left %v", failed, left)
		}
		if left, failed = NotBack(s.Restart(t.Context())); failed == nil || left != nil {
			t.Errorf("failed %v, left %v", failed, left)
		}
	})
}

func TestSystemdDependents(t *testing.T) {
	f := &fakeSystemd{
		states: []map[string]any{props("RequiredBy", []string{"ha.target", "idle.service"}, "BoundBy", []string{"bound.service"}, "PropagatesStopTo", []string{"told.service"})},
		others: map[string]map[string]any{
			"ha.target":          dependent("active", "ConsistsOf", []string{"keepalived.service", "bound.service", DefaultUnit}),
			"idle.service":       dependent("failed", "BoundBy", []string{"idle2.service"}),
			"bound.service":      dependent("active", "RequiredBy", []string{"bound2.service"}),
			"bound2.service":     dependent("active"),
			"keepalived.service": dependent("active", "BoundBy", []string{"mail.service"}),
			"mail.service":       dependent("active"), "told.service": dependent("active"),
		},
	}
	s := newFake(f)
	got, err := s.Dependents(t.Context())
	want := []Dependent{
		{Unit: "bound.service", Directive: "BindsTo=conntrackd.service", Bound: true}, {Unit: "ha.target", Directive: "Requires=conntrackd.service", Bound: false},
		{Unit: "told.service", Directive: "PropagatesStopTo=told.service", Bound: false}, {Unit: "bound2.service", Directive: "Requires=bound.service", Bound: true},
		{Unit: "keepalived.service", Directive: "PartOf=ha.target", Bound: false}, {Unit: "mail.service", Directive: "BindsTo=keepalived.service", Bound: false},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	commands := append(s.CommandsBeside(ActionRestart, got), s.CommandsBeside(ActionStop, got)...)
	commands = append(append(commands, s.CommandsBeside(ActionStop, nil)...), s.CommandsBeside(ActionDisable, got)...)
	if diff := cmp.Diff([]string{
		"systemctl reset-failed conntrackd.service", "systemctl --job-mode=ignore-requirements restart conntrackd.service",
		"systemctl --job-mode=ignore-requirements stop conntrackd.service", "systemctl stop conntrackd.service", "systemctl disable conntrackd.service",
	}, commands); diff != "" {
		t.Error("commands (-want +got)", diff)
	}
}

// A unit that is disabled starts at boot where another one that does wants it.
func TestSystemdStartedByAnother(t *testing.T) {
	others := map[string]map[string]any{
		"ha.target":          dependent("active", "RequiredBy", []string{"keepalived.service", DefaultUnit}),
		"keepalived.service": dependent("active", "WantedBy", []string{"ha.target"}), "weekly.timer": dependent("active"),
	}
	for name, test := range map[string]struct {
		unit   []any
		atBoot string
		active bool
		want   string // what starts it
		half   string
	}{
		"by another's wish":    {[]any{"WantedBy", []string{"keepalived.service"}}, "keepalived.service", false, "keepalived.service", ""},
		"by others in between": {[]any{"RequiredBy", []string{"ha.target"}}, "keepalived.service", true, "keepalived.service", "conntrackd runs now, and at boot for keepalived.service alone, which starts it"},
		"by a timer":           {[]any{"TriggeredBy", []string{"weekly.timer"}}, "weekly.timer", false, "weekly.timer", ""},
		"by none that does":    {[]any{"WantedBy", []string{"ha.target"}, "TriggeredBy", []string{"weekly.timer"}}, "", true, "", "conntrackd runs now, and does not start at boot"},
	} {
		t.Run(name, func(t *testing.T) {
			unit := inactive("loaded")
			if test.active {
				unit = props()
			}
			for i := 0; i < len(test.unit); i += 2 {
				unit[test.unit[i].(string)] = test.unit[i+1]
			}
			state, err := newFake(&fakeSystemd{states: []map[string]any{unit}, others: others, atBoot: test.atBoot}).State(t.Context())
			if at := state.AtBoot(); err != nil || state.StartedBy != test.want || *at != (test.want != "") || state.Enabled || state.HalfEnabled() != test.half {
				t.Errorf("%v: %+v, at boot %v, half %q", err, state, *at, state.HalfEnabled())
			}
		})
	}
}

// The unit that the host boots into needs no link: a vendor's link beside its file and a line
// of a drop-in of it start the daemon at every boot, which those that systemd remembers do not.
func TestSystemdStartedByTheBoot(t *testing.T) {
	others := map[string]map[string]any{
		"site.target": dependent("active", "RequiredBy", []string{"graphical.target"}), "graphical.target": dependent("active", "Names", []string{"graphical.target", "default.target"}),
		"rescue.target": dependent("inactive"),
	}
	for name, test := range map[string]struct {
		file, content, by, want string
	}{
		"a link":                       {"site.target.wants/" + DefaultUnit, "", "site.target", "site.target"},
		"a line":                       {"site.target.d/x.conf", "[Unit]\nRequires=x.service " + DefaultUnit + "\n", "site.target", "site.target"},
		"the boot's own line":          {"graphical.target", "[Unit]\nWants=" + DefaultUnit + "\n", "graphical.target", "graphical.target"},
		"a link that is gone":          {"site.target", "[Unit]\nWants=x.service\n", "site.target", ""},
		"a link of what is not booted": {"rescue.target.wants/" + DefaultUnit, "", "rescue.target", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, test.file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(test.content), 0o600)); err != nil {
				t.Fatal(err)
			}
			unit := inactive("loaded")
			unit["WantedBy"] = []string{test.by}
			s := newFake(&fakeSystemd{states: []map[string]any{unit}, others: others})
			s.dirs = []string{dir}
			if state, err := s.State(t.Context()); err != nil || state.StartedBy != test.want || *state.AtBoot() != (test.want != "") {
				t.Errorf("%v: %+v", err, state)
			}
		})
	}
}

// What is masked is unmasked first.
func TestMaskComesOffFirst(t *testing.T) {
	for want, state := range map[string]State{
		"connsync apply --enable": {}, "systemctl unmask x.service, then connsync apply --enable": {Masked: true, Unmask: "systemctl unmask x.service"},
	} {
		if got := state.First("connsync apply --enable"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
