package keepalived

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func load(t *testing.T, content []byte) *Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, "node", Habits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Of what is beyond the budget nothing is told but that.
func TestLoadEnds(t *testing.T) {
	const before = "vrrp_instance V {\nvirtual_ipaddress {\n10.9.9.9\n}\n}\n"
	large := strings.Repeat("x", maxBytes/8)
	for name, content := range map[string]string{
		"a parameter of itself":      "$A= \\\n$A \\\n$A\n$A",
		"two of each other":          "$A= \\\n$B \\\n$B\n$B= \\\n$A \\\n$A\n$A",
		"a large one, often":         "$A=" + large + "\n" + strings.Repeat("$A ", maxBytes/8),
		"a large one, on many lines": "$A=" + large + "\n" + strings.Repeat("$A\n", 100),
		"a long sequence":            "~SEQ(N,1000000000) x $N",
		"sequences of sequences":     "~SEQ(A,9999) ~SEQ(B,9999) ~SEQ(C,9999) x",
		"a sequence of itself":       "$A=~SEQ(N,2) $A\n$A",
		"many lines":                 strings.Repeat("\n", maxSteps+1),
		"many words":                 strings.Repeat("{", maxSteps+1),
		"many in braces":             "include " + strings.Repeat("{a,b}", 40) + "\n",
		"braces without an end":      "include " + strings.Repeat("{", 20000) + "\n",
		"many includes":              strings.Repeat("include nowhere\n", maxFiles+1),
	} {
		t.Run(name, func(t *testing.T) {
			if c := load(t, []byte(before+content)); len(c.Unread) != 1 || len(c.Instances) != 0 {
				t.Errorf("%d instances, unread: %q", len(c.Instances), c.Unread)
			}
		})
	}
}

// A parameter of two megabytes is read to its end. In a time that grew with the square of
// its bytes that would take longer than all tests may.
func TestLoadTakesALargeParameter(t *testing.T) {
	content := bytes.NewBufferString("$A= \\\n")
	for content.Len() < 2<<20 {
		content.WriteString("# a comment \\\n")
	}
	content.WriteString("vrrp_instance V {\n}\n$A\nvrrp_instance W {\n}\n")
	if c := load(t, content.Bytes()); len(c.Unread) != 0 || len(c.Instances) != 1 {
		t.Errorf("%d instances, unread: %q", len(c.Instances), c.Unread)
	}
}

func TestLoadReadsNoPipeAndNoDevice(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero"} {
		if _, err := Load(path, "", Habits{}); err == nil || !strings.Contains(err.Error(), "not a file of configuration") {
			t.Errorf("%s: %v", path, err)
		}
		c := load(t, []byte("include "+path+"\n"))
		if len(c.Unread) != 1 || !strings.Contains(c.Unread[0], "not a file of configuration") {
			t.Errorf("%s included: %q", path, c.Unread)
		}
	}
}

// FuzzLoad holds that every file is read in the end, and that beyond the budget
// nothing is told.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"", instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify \"/bin/echo 'a b' c\" root"), "$A= \\\n$A \\\n$A\n$A", "$A=$A x\nvrrp_instance $A",
		"@node vrrp_instance ${B} {\n@^node }\n", "include *\n", "include keepalived.conf\n", "global_defs {\nscript_user a b\n}\n}{", "$A=${A}${A}\n$A{$A",
		"~SEQ(N,9,-2,1) ~LST({A, B}, {1,2}) x$N ${A}\n$S=~SEQx(N,$M) $S\n$S\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.Contains(content, []byte("include")) && bytes.ContainsAny(content, "/") {
			t.Skip() // it may name any file of this host
		}
		path := filepath.Join(t.TempDir(), "keepalived.conf")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := loadWithin(path, "node", Habits{EscapesOnce: len(content)%2 == 1}, maxSteps/64, maxBytes/64) // the same laws, sooner
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Unread) == 0 {
			c.Addresses()
		}
		s := string(content)
		var p parameter
		for i := range min(len(s), 1000) {
			at := strings.LastIndex(s[:i], "$")
			want := at >= 0 && (at == i-1 || s[at+1] == '{' && !strings.ContainsAny(s[at:i], "} \t"))
			if got := p.inside(s, i); got != want {
				t.Fatalf("%q is inside a parameter: %t", s[:i], got)
			}
		}
	})
}

// What is included is beside the file that includes it, as keepalived finds it: above what
// a linked directory leads to.
func TestIncludeAboveALinkedDirectory(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.MkdirAll(dir+"/data/etc/keepalived", 0o755), os.Mkdir(dir+"/etc", 0o755), os.Symlink("../data/etc/keepalived", dir+"/etc/keepalived"),
		os.WriteFile(dir+"/data/etc/keepalived/keepalived.conf", []byte("include ../rest*.conf\ninclude ../rest.conf\n"), 0o644),
		os.WriteFile(dir+"/data/etc/rest.conf", nil, 0o644), os.WriteFile(dir+"/etc/rest.conf", []byte("another's"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir+"/etc/keepalived/keepalived.conf", "", Habits{})
	if err != nil {
		t.Fatal(err)
	}
	rest := dir + "/data/etc/rest.conf"
	if diff := cmp.Diff([]string{dir + "/etc/keepalived/keepalived.conf", rest, rest}, c.Files); diff != "" {
		t.Errorf("it reads (-want +got):\n%s", diff)
	}
}

func TestCallsOnly(t *testing.T) {
	const group, instance = "vrrp_sync_group G {\ngroup {\nV\n}\n%\n}\n", "vrrp_instance V {\nvirtual_ipaddress {\n10.9.9.9\n}\n%\n}\n"
	const ours, other = `notify_master "/usr/sbin/connsync failover primary" root`, `notify_backup "/usr/local/sbin/move connsync" root`
	in := func(block, line string) string { return strings.Replace(block, "%", line, 1) }
	for content, want := range map[string]bool{
		in(group, "") + in(instance, ""):                                 true,
		in(group, ours) + in(instance, ours):                             true,
		in(group, other) + in(instance, ours):                            false,
		in(group, ours) + in(instance, other):                            false,
		"global_defs {\nnotify_fifo /run/fifo\n}\n" + in(instance, ours): false,
	} {
		if got := load(t, []byte(content)).CallsOnly("connsync"); got != want {
			t.Errorf("%t, want %t:\n%s", got, want, content)
		}
	}
}
