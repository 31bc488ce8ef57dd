package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// An rc-service that hangs is not taken for one that knows no state.
func TestOpenRCStateSaysThatThereIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOpenRC(&Direct{})
		o.run = func(ctx context.Context, _ ...string) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if words := o.status(t.Context()); !strings.Contains(words, "nothing within 20s") {
			t.Errorf("status %q", words)
		}
	})
}

// Where a script answers with words of its own, as Debian's does since conntrackd 1.4.8,
// OpenRC's record tells what keeps it from starting the daemon again.
func TestOpenRCForgetsWhatItStarted(t *testing.T) {
	for _, test := range []struct {
		recorded bool
		said     string
		want     []string
	}{
		{true, "conntrackd is not running ... failed!\n", []string{"status", "zap"}},
		{false, "conntrackd is not running ... failed!\n", []string{"status"}},
		{true, " * status: crashed\n", []string{"status", "zap"}},
		{true, " * status: stopped\n", []string{"status"}},
	} {
		dir := t.TempDir()
		o := NewOpenRC(&Direct{Config: filepath.Join(dir, "conntrackd.conf")})
		o.records, o.path = dir, filepath.Join(dir, "conntrackd")
		if err := os.WriteFile(o.path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if test.recorded {
			if err := os.MkdirAll(filepath.Join(dir, "started/conntrackd"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		o.run = func(_ context.Context, line ...string) ([]byte, error) {
			got = append(got, line[len(line)-1])
			return []byte(test.said), nil
		}
		if err := o.Stop(t.Context()); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("recorded %v, %q: %v, %v", test.recorded, test.said, got, err)
		}
	}
}

// A supervisor without its daemon is ended, and not only forgotten.
func TestOpenRCEndsItsSupervisor(t *testing.T) {
	for name, test := range map[string]struct {
		script, settings string
		said             []string // by the status, in turn
		want             []string
	}{
		"in the script":   {"supervisor=supervise-daemon\n", "", []string{"started", "stopped"}, []string{"status", "stop", "status"}},
		"in its settings": {"", "supervisor=\"supervise-daemon\"\n", []string{"crashed", "stopped"}, []string{"status", "stop", "status"}},
		"that stays":      {"supervisor=supervise-daemon\n", "", []string{"crashed", "crashed"}, []string{"status", "stop", "status", "zap"}},
		"stopped":         {"supervisor=supervise-daemon\n", "", []string{"stopped"}, []string{"status"}},
		"none":            {"#supervisor=supervise-daemon\n", "", []string{"crashed"}, []string{"status", "zap"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := NewOpenRC(&Direct{Config: filepath.Join(dir, "conntrackd.conf")})
			o.records, o.path, o.settings = dir, filepath.Join(dir, "conntrackd"), []string{filepath.Join(dir, "conf"), filepath.Join(dir, "none")}
			if err := errors.Join(os.WriteFile(o.path, []byte("#!/sbin/openrc-run\n"+test.script), 0o755), os.WriteFile(o.settings[0], []byte(test.settings), 0o644)); err != nil {
				t.Fatal(err)
			}
			var got []string
			o.run = func(_ context.Context, line ...string) ([]byte, error) {
				word := line[len(line)-1]
				got = append(got, word)
				if word != "status" {
					return nil, nil
				}
				said := test.said[0]
				test.said = test.said[1:]
				return []byte(" * status: " + said + "\n"), nil
			}
			if err := o.Stop(t.Context()); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%v, %v; want %v", got, err, test.want)
			}
		})
	}
}

// Alpine's script refuses a start with a kernel that drops segments out of window.
func TestScriptsRefusalIsKnownBefore(t *testing.T) {
	alpine, err := os.ReadFile("testdata/alpine.initd")
	if err != nil {
		t.Fatal(err)
	}
	const want = "it starts conntrackd only where net.netfilter.nf_conntrack_tcp_be_liberal is 1"
	for _, test := range []struct{ script, value, want string }{
		{string(alpine), "0", want},
		{string(alpine), "1", ""},
		{string(alpine), "", ""}, // the kernel does not say
		{"#!/bin/sh\n", "0", ""},
	} {
		why, mend := refusalIn(test.script, func(string) string { return test.value })
		if why != test.want || (mend == "sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1") != (why != "") {
			t.Errorf("value %q: %q, %q", test.value, why, mend)
		}
	}
}

// A service that is not to start at boot is not to run either, so nothing was killed.
func TestScriptIsKilledOnlyWhereItIsToRun(t *testing.T) {
	for enabled, want := range map[bool]State{true: {Enabled: true, Killed: true}, false: {}} {
		if got := (State{Killed: true}).atBoot(enabled); got != want {
			t.Errorf("enabled %v: %+v", enabled, got)
		}
	}
}
