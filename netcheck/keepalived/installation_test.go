package keepalived

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTake(t *testing.T) {
	for command, want := range map[string]Installation{
		"keepalived":                                  {ConfigPath: "default", ConfigID: "host"},
		"keepalived -n -l":                            {ConfigPath: "default", ConfigID: "host"},
		"keepalived -f /a -i one":                     {ConfigPath: "/a", ConfigID: "one"},
		"keepalived -f/a -ione":                       {ConfigPath: "/a", ConfigID: "one"},
		"keepalived --use-file=/a --config-id=one -D": {ConfigPath: "/a", ConfigID: "one"},
		"keepalived --use-file /a --config-id one":    {ConfigPath: "/a", ConfigID: "one"},
		"keepalived -f":                               {ConfigPath: "default", ConfigID: "host"},
	} {
		got := Installation{ConfigPath: "default", ConfigID: "host"}
		got.take([]byte(strings.ReplaceAll(command, " ", "\x00") + "\x00"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", command, diff)
		}
	}
}

func TestPreferred(t *testing.T) {
	for _, tt := range []struct {
		pid, other          int
		served, otherServed bool
		want                bool
	}{
		{10, 20, false, false, true}, {20, 10, false, false, false},
		{10, 20, true, true, true}, {20, 10, true, true, false},
		{20, 10, true, false, true}, {10, 20, false, true, false},
	} {
		if got := preferred(tt.pid, tt.other, tt.served, tt.otherServed); got != tt.want {
			t.Errorf("%v: %t", tt, got)
		}
	}
}

func TestRefusal(t *testing.T) {
	dir, err := os.MkdirTemp("/root", "keepalived-test")
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	script := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	change := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	good, plain, writable := script("good", 0o755), script("plain", 0o644), script("writable", 0o757)
	owned := script("owned", 0o755)
	change(os.Chown(owned, 65534, 0))
	open, sticky, grouped := script("open/s", 0o755), script("sticky/s", 0o755), script("grouped/s", 0o755)
	change(os.Chmod(filepath.Dir(open), 0o777))
	change(os.Chmod(filepath.Dir(sticky), 0o777|os.ModeSticky))
	change(os.Chown(filepath.Dir(grouped), 0, 65534))
	change(os.Chmod(filepath.Dir(grouped), 0o775))
	link := filepath.Join(dir, "link")
	change(os.Symlink(owned, link))
	linked, alias := filepath.Join(dir, "linked"), filepath.Join(dir, "alias")
	change(errors.Join(os.Symlink(dir, linked), os.Symlink(good, alias)))
	below := filepath.Join(linked, "good")
	for _, tt := range []struct {
		path     string
		security bool
		user     string
		want     string
		noLinks  bool
	}{
		{good, true, "root", "", false},
		{filepath.Join(dir, "nowhere"), false, "root", "does not exist", false},
		{filepath.Join(good, "below"), false, "root", "does not exist", false},
		{plain, false, "root", "cannot be executed", false},
		{dir, false, "root", "cannot be executed", false},
		{writable, false, "root", "", false},
		{writable, true, "root", "can be written", false},
		{writable, true, "nobody", "", false},
		{owned, true, "root", "another user", false},
		{link, true, "root", "another user", false},
		{open, true, "root", "open can be written", false},
		{sticky, true, "root", "", false},
		{grouped, true, "root", "grouped can be written", false},
		{below, true, "root", "", false},
		{below, true, "root", "linked directory; write " + good, true},
		{below, false, "nobody", "linked directory; write " + good, true},
		{alias, true, "root", "", true},
		{good, true, "root", "", true},
	} {
		c := &Config{ScriptSecurity: tt.security, Habits: Habits{NoLinks: tt.noLinks}}
		got, err := c.Refusal(Script{Program: tt.path}, tt.user)
		if err != nil || (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s, security %v, as %s: %q, %v; want %q", tt.path, tt.security, tt.user, got, err, tt.want)
		}
	}
}

func TestLoadSaysWhatItCouldNotFollow(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "program"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	itself := write("itself.conf", "")
	write("itself.conf", "include "+itself+"\n")
	for name, want := range map[string]string{
		"include gone.conf\n":       "",
		"\n\ninclude {a,b}.conf\n":  "",
		"\n\ninclude {,gone}[\n":    ":3: the include {,gone}[ is not understood here",
		"include " + dir + "\n":     "",
		"include " + itself + "\n":  "too many includes",
		"include loop/*.conf\n":     "open " + dir + "/loop: too many levels of symbolic links",
		"$A=$A x\nvrrp_instance $A": "the parameters in it never end",
		"include 'a.conf'\n":        ":1: the include 'a.conf' is not understood here",
		"include program\n":         ":1: keepalived reads no executable file: " + dir + "/program; take its x bits away (chmod a-x)",
		"~FOR(N,1) x\n":             ":1: the line that begins with ~ is not understood here",
		"~SEQ(N,1,1) x":             "",
		"~SEQ(N,9,1,1) x":           ":1: ~SEQ(N,9,1,1) is not understood here",
		"~SEQ(N,1,2,3,4) x":         ":1: ~SEQ(N,1,2,3,4) is not understood here",
		"~SEQ(N,one) x":             ":1: ~SEQ(N,one) is not understood here",
		"~LST({A,B},{1,2},{3}) x":   ":1: ~LST({A,B},{1,2},{3}) is not understood here",
		"~LST(A) x":                 ":1: ~LST(A) is not understood here",
	} {
		c, err := Load(write("keepalived.conf", name), "", Habits{})
		if err != nil || (want == "") != (c.Unread == nil) || !strings.Contains(strings.Join(c.Unread, "\n"), want) {
			t.Errorf("%q: %v, %v; want %q", name, c, err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "program"), "", Habits{}); err == nil || !strings.Contains(err.Error(), "keepalived reads no executable file") {
		t.Errorf("an executable file: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "nowhere"), "", Habits{}); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
}

// The command line of another user's process is not keepalived's.
func TestFindBelievesNoProcessOfOthers(t *testing.T) {
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	for _, tt := range []struct {
		uid  int
		want bool
	}{{0, true}, {nobody, false}} {
		dir, err := os.MkdirTemp("", "keepalived")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		program := filepath.Join(dir, "keepalived")
		if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(program, shell, 0o755), os.Chown(program, tt.uid, tt.uid)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "-c", "read line", "-f", dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(tt.uid), Gid: uint32(tt.uid)}}
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		found, err := Find()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err != nil || (found.PID == cmd.Process.Pid) != tt.want || (found.ConfigPath == dir) != tt.want {
			t.Errorf("as user %d, process %d: found %+v, %v", tt.uid, cmd.Process.Pid, found, err)
		}
	}
}

// Only a keepalived that says an old version is known to have the habits of one.
func TestHabits(t *testing.T) {
	older, between, newer := Habits{}, Habits{NoLinks: true}, Habits{NoLinks: true, EscapesOnce: true}
	for said, want := range map[string]Habits{
		"Keepalived v2.2.7 (01/16,2022)": older, "Keepalived v1.3.9 (10/21,2017)": older, "Keepalived v2.0.20 (01/22,2020)": older,
		"Keepalived v2.3.1 (05/24,2024)": between, "Keepalived v2.3.3 (03/30,2025)": newer, "Keepalived v2.3.4 (06/10,2025)": newer,
		"Keepalived v2.3.10 (01/01,2027)": newer, "Keepalived v2.10.1 (01/01,2030)": newer, "Keepalived v3.0.0": newer, "": newer,
	} {
		program := filepath.Join(t.TempDir(), "keepalived")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n[ \"$1\" = --version ] && echo '"+said+"' >&2\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := (Installation{Program: program}).Habits(t.Context()); got != want {
			t.Errorf("%q: %+v", said, got)
		}
	}
}
