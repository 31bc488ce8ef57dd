package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(dir, "nowhere")
	command := func(words ...string) [][]any { return [][]any{{words[0], words, false}} }
	for name, test := range map[string]struct {
		unit map[string]any
		dir  string
		want string
	}{
		"there":                 {nil, dir, ""},
		"missing":               {nil, nowhere, "does not exist"},
		"a file":                {nil, file, "is not a directory"},
		"below a file":          {nil, filepath.Join(file, "x"), "is not a directory"},
		"read-only":             {nil, "/proc/self", "/proc/"},
		"RuntimeDirectory":      {map[string]any{"RuntimeDirectory": []string{"ctd"}}, "/run/ctd", ""},
		"through /var/run":      {map[string]any{"RuntimeDirectory": []string{"ctd"}}, "/var/run/ctd", ""},
		"above one":             {map[string]any{"RuntimeDirectory": []string{"ctd/x"}}, "/run/ctd", ""},
		"another":               {map[string]any{"RuntimeDirectory": []string{"ctd"}}, "/run/ctd2", "does not exist"},
		"StateDirectory":        {map[string]any{"StateDirectory": []string{"ctd:link"}}, "/var/lib/ctd", ""},
		"LogsDirectory":         {map[string]any{"LogsDirectory": []string{"ctd"}}, "/var/log/ctd", ""},
		"made before the start": {map[string]any{"ExecStartPre": command("/bin/mkdir", "-p", nowhere)}, nowhere, ""},
		"ProtectSystem":         {map[string]any{"ProtectSystem": "full"}, "/etc", "may not write to /etc"},
		"not of that":           {map[string]any{"ProtectSystem": "full"}, "/var/lib", ""},
		"strict":                {map[string]any{"ProtectSystem": "strict"}, "/var/lib", "may not write"},
		"but here":              {map[string]any{"ProtectSystem": "strict", "ReadWritePaths": []string{"-/var/lib"}}, "/var/lib", ""},
		"ReadOnlyPaths":         {map[string]any{"ReadOnlyPaths": []string{dir}}, dir, "may not write"},
	} {
		got := unitDirectories(test.unit).Problem(test.dir)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	for _, test := range []struct{ unit, making, want string }{
		{"", nowhere, ""}, {"", nowhere + "/", ""}, {"", filepath.Join(nowhere, "x"), "does not exist"}, {"strict", nowhere, "may not write"},
	} {
		d := unitDirectories(map[string]any{"ProtectSystem": test.unit}).Making(test.making)
		if got := d.Problem(nowhere); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s is made with ProtectSystem=%s: %q, want %q", test.making, test.unit, got, test.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A directory in RAM is missing after a boot, unless what starts the daemon makes it. /dev is in
// RAM on every host, /proc on none.
func TestDirectoriesLost(t *testing.T) {
	for name, test := range map[string]struct {
		d    Directories
		dir  string
		want bool
	}{
		"in RAM":          {Directories{}, "/dev/nowhere/x", true},
		"there, in RAM":   {Directories{}, "/dev", true},
		"not in RAM":      {Directories{}, "/proc/nowhere", false},
		"made by a unit":  {Directories{made: []string{"/dev/nowhere"}}, "/dev/nowhere", false},
		"made by another": {Directories{made: []string{"/dev/nowhere2"}}, "/dev/nowhere", true},
		"by a script":     {Directories{script: "mkdir -p /dev/nowhere\n"}, "/dev/nowhere", false},
		"for once":        {Directories{}.Making("/dev/nowhere"), "/dev/nowhere", true},
	} {
		if got := test.d.Lost(test.dir); got != test.want {
			t.Errorf("%s: %s is lost at boot: %t", name, test.dir, got)
		}
	}
}

// The names of lock and socket are those of the distributions' units and scripts.
func TestDirectoriesName(t *testing.T) {
	for script, want := range map[string][2]string{
		"":                                    {"", ""},
		"/bin/rm -f /var/lock/conntrack.lock": {"/var/lock/conntrack.lock", ""},
		"LOCK=${LOCK:-/var/lock/conntrack.lock}\n":                       {"/var/lock/conntrack.lock", ""},
		"rm -f /run/lock/conntrackd.lock /run/conntrackd/conntrackd.ctl": {"/run/lock/conntrackd.lock", "/run/conntrackd/conntrackd.ctl"},
		"rm -f /tmp/conntrackd.lock":                                     {"", ""},
	} {
		d := Directories{script: script}
		if d.LockFile() != want[0] || d.Socket() != want[1] {
			t.Errorf("%q: %q and %q, want %q", script, d.LockFile(), d.Socket(), want)
		}
	}
}
