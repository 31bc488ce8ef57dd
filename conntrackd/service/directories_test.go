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
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
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
