package service

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/service/sdunit"
)

func TestStartOnDisk(t *testing.T) {
	dir := t.TempDir()
	dirs := []string{filepath.Join(dir, "etc"), filepath.Join(dir, "lib")}
	for path, content := range map[string]string{
		"lib/c.service":             "[Service]\nExecStart=/usr/sbin/conntrackd -C /a.conf\n",
		"lib/c.service.d/50-b.conf": "[Service]\nExecStart=\nExecStart=/usr/sbin/conntrackd -C /b.conf\n",
		"etc/c.service.d/60-c.conf": "[Service]\nExecStart=\nExecStart=-/usr/sbin/conntrackd \\\n  -C \"/c.conf\"\n",
		"lib/c.service.d/60-c.conf": "[Service]\nExecStart=\nExecStart=/hidden\n",
		"lib/d.service":             "[Service]\nExecStart=/usr/sbin/conntrackd -C /lib.conf\n",
		"etc/d.service":             "[Service]\nExecStart=/usr/sbin/conntrackd -C $CONFIG\n",
		"lib/e.service":             "[Service]\nExecStart=/usr/sbin/conntrackd\n",
		"etc/e.service.d/a.txt":     "[Service]\nExecStart=\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for unit, want := range map[string]string{"c.service": "/c.conf", "d.service": "", "e.service": defaultConfig} {
		words, ok := sdunit.StartIn(dirs, unit)
		if got := configIn(words); !ok || got != want {
			t.Errorf("%s: %q (%t), want %q", unit, got, ok, want)
		}
	}
	if words, ok := sdunit.StartIn(dirs, "f.service"); ok {
		t.Errorf("a unit without a file: %q", words)
	}
}

// A unit that names another file, or the network of another namespace, is not started for
// this one.
func TestMisplacedByTheUnit(t *testing.T) {
	config := filepath.Join(t.TempDir(), "conntrackd.conf") // which no daemon of this host reads
	start := func(words ...string) [][]any { return [][]any{{"/usr/sbin/conntrackd", words, false}} }
	elsewhere := filepath.Join(t.TempDir(), "net")
	if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	edited := t.TempDir()
	if err := os.WriteFile(filepath.Join(edited, DefaultUnit), []byte("[Service]\nExecStart=/usr/sbin/conntrackd -C /edited.conf\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		unit map[string]any
		want string
	}{
		"the file":          {props("ExecStart", start("/usr/sbin/conntrackd", "-C", config)), ""},
		"another file":      {props("ExecStart", start("/usr/sbin/conntrackd", "-C", "/etc/ha/ct.conf")), "starts conntrackd with another file, /etc/ha/ct.conf, and not with " + config},
		"a variable":        {props("ExecStart", start("/usr/sbin/conntrackd", "-C", "$CONFIG")), ""},
		"its own network":   {props("PrivateNetwork", true), "PrivateNetwork="},
		"another network":   {props("NetworkNamespacePath", elsewhere), "runs in " + elsewhere},
		"an edited unit":    {props("ExecStart", start("/usr/sbin/conntrackd", "-C", config)), "starts conntrackd with another file, /edited.conf, and not with " + config + ", as soon as"},
		"this very network": {props("NetworkNamespacePath", "/proc/self/ns/net"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(&fakeSystemd{states: []map[string]any{test.unit}})
				if name == "an edited unit" {
					s.dirs = []string{edited}
				}
				err := Misplaced(t.Context(), s, State{}, config)
				var other *ElsewhereError
				switch {
				case test.want == "" && err != nil:
					t.Error(err)
				case test.want != "" && (!errors.As(err, &other) || !strings.Contains(err.Error(), test.want) || other.Remedy == ""):
					t.Errorf("%v, want %q", err, test.want)
				}
			})
		})
	}
}

// What is read of a daemon in another root directory is what is there.
func TestReadsFromItsRoot(t *testing.T) {
	dir := t.TempDir()
	for path, content := range map[string]string{"conf": "ours", "root/conf": "theirs", "root/copy": "ours"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(dir, "conf")
	if err := os.MkdirAll(filepath.Join(dir, "root", dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// An absolute link leads there, too.
	if err := os.Symlink("/conf", filepath.Join(dir, "root", conf)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		given string
		reads bool
		want  string
	}{
		"the same name": {conf, false, "theirs"},
		"another name":  {"/copy", false, "ours"},
	} {
		t.Run(name, func(t *testing.T) {
			pid := chrooted(t, filepath.Join(dir, "root"))
			p := process{pid: pid, config: test.given}
			if got := p.reads(conf); got != test.reads {
				t.Errorf("reads: %t", got)
			}
			if content, err := p.readSeen(conf); err != nil || string(content) != test.want {
				t.Errorf("%q, %v", content, err)
			}
		})
	}
	self := process{pid: os.Getpid(), config: filepath.Join(dir, "none")}
	if !self.reads(self.config) || self.reads(conf) || !(process{pid: os.Getpid(), config: conf}).reads(conf) {
		t.Error("of files in the same root directory the names decide")
	}
	if p := (process{pid: chrooted(t, filepath.Join(dir, "root")), config: self.config}); p.reads(self.config) {
		t.Error("a missing file of another directory is this one")
	}
}

// chrooted is a thread with another root directory, until the test ends.
func chrooted(t *testing.T, root string) (tid int) {
	t.Helper()
	up, end, done := make(chan error), make(chan struct{}), make(chan struct{})
	var hold func()
	hold = func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		if tid = unix.Gettid(); tid == unix.Getpid() {
			defer runtime.UnlockOSThread() // but the main thread, which is kept while another is taken
			go hold()
			<-done
			return
		}
		defer close(done)
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Chroot(root)
		}
		up <- err
		<-end
	}
	go hold()
	if err := <-up; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(end); <-done })
	return tid
}
