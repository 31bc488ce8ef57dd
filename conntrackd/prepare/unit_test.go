package prepare

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// What the unit's drop-in runs removes a lock file, and nothing else of its name.
func TestRemovalOfTheLock(t *testing.T) {
	for name, tt := range map[string]struct {
		put  func(path string) error
		gone bool
	}{
		"lock":      {func(path string) error { return os.WriteFile(path, nil, 0o600) }, true},
		"content":   {func(path string) error { return os.WriteFile(path, []byte("27 bytes that are precious\n"), 0o600) }, false},
		"directory": {func(path string) error { return os.Mkdir(path, 0o755) }, false},
		"link":      {func(path string) error { return os.Symlink("other", path) }, false},
		"fifo":      {func(path string) error { return unix.Mkfifo(path, 0o600) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			link := filepath.Join(t.TempDir(), "to") // /var/lock is one
			lock, other := filepath.Join(link, `a*b?[\c.lock`), filepath.Join(dir, `axbyz.lock`)
			if err := errors.Join(os.Symlink(dir, link), os.WriteFile(other, nil, 0o600), os.WriteFile(filepath.Join(dir, "other"), nil, 0o600), tt.put(lock)); err != nil {
				t.Fatal(err)
			}
			words := removal(lock)
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
			if _, err := os.Lstat(lock); (err != nil) != tt.gone {
				t.Errorf("looking for it says %v", err)
			}
			for _, path := range []string{other, filepath.Join(dir, "other")} {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("another file went: %v", err)
				}
			}
		})
	}
	// At most starts there is none, and nothing to complain of.
	words := removal(filepath.Join(t.TempDir(), "lock"))
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// No configuration makes a unit remove what somebody else can exchange.
func TestKeepsLock(t *testing.T) {
	p := &Preparer{root: t.TempDir()}
	for _, dir := range []string{"/run/lock", "/run/theirs", "/tmp"} {
		if err := os.MkdirAll(p.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chown(p.path("/run/theirs"), 65534, 65534), os.Chmod(p.path("/tmp"), 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	for lock, want := range map[string]string{
		"/run/lock/conntrackd.lock": "", "/tmp/conntrackd.lock": "", "/run/new/conntrackd.lock": "",
		"/etc/shadow": "not in a directory of lock files", "/run/../etc/shadow": "not in a directory of lock files",
		"/run/lock/a b": "not in a directory of lock files", "/run/theirs/lock": "belongs to user nobody",
	} {
		if got := p.keepsLock(lock); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", lock, got, want)
		}
	}
}

// The drop-in of an earlier version removes whatever has the lock's name: it is
// known, replaced by the next preparation, and undone.
// The daemon binds to the address of each link, so a start waits for each.
func TestDropInWaitsForEachLink(t *testing.T) {
	c := &conntrackd.Candidate{Path: "/etc/conntrackd/conntrackd.conf", Settings: conntrackd.Settings{Interface: "eth1", Current: netip.MustParsePrefix("10.0.0.101/24")}}
	one := dropIn(c, "/usr/sbin/conntrackd", "/run/lock/conntrackd.lock")
	c.Settings.SpareLinks[0] = conntrackd.SpareLink{Interface: "eth2", Current: netip.MustParsePrefix("fd00::1/64")}
	two := dropIn(c, "/usr/sbin/conntrackd", "/run/lock/conntrackd.lock")
	for want, count := range map[string]int{
		"show dev 'eth1' to 10.0.0.101/32 ": 1, "show dev 'eth2' to fd00::1/128 ": 1,
		"online.target sys-subsystem-net-devices-eth1.device sys-subsystem-net-devices-eth2.device\n": 1, "# After the network and eth1, eth2.": 1,
	} {
		if strings.Count(two, want) != count {
			t.Errorf("%q is there %d times:\n%s", want, strings.Count(two, want), two)
		}
	}
	if strings.Count(two, "\nExecStartPre=") != strings.Count(one, "\nExecStartPre=")+1 || strings.Contains(one, "eth2") {
		t.Errorf("with one link:\n%s", one)
	}
}

func TestDropInOfEarlierVersionIsReplaced(t *testing.T) {
	const lock = "/run/lock/conntrackd.lock"
	p := NewPreparer(service.NewSystemd(service.DefaultUnit), "/var/lib/connsync", Refresh{})
	p.root, p.ownHost = t.TempDir(), func() (bool, error) { return true, nil }
	p.reload = func(context.Context) error { return nil }
	c := &conntrackd.Candidate{
		Path: "/etc/conntrackd/conntrackd.conf", New: []byte("General { LockFile " + lock + " }\n"),
		Settings: conntrackd.Settings{Interface: "eth1", Current: netip.MustParsePrefix("10.0.0.101/24")},
	}
	text := dropIn(c, "/usr/sbin/conntrackd", lock)
	earlier := strings.Replace(text, unitWords(removal(lock)...), "/bin/rm -f "+lock, 1)
	if earlier == text {
		t.Fatal("the drop-in has no such line")
	}
	path := "/etc/systemd/system/conntrackd.service.d/" + dropInName
	if err := os.MkdirAll(p.path("/var/lib/connsync"), 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := p.journal()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Begin().Make(t.Context(), hostfile.Change{Item: string(ItemUnit), Kind: hostfile.ChangeFile, Path: path, Unit: true, Content: []byte(earlier)}); err != nil {
		t.Fatal(err)
	}
	removes := "/bin/rm -f " + lock
	p.effect = func(context.Context) (service.UnitSetup, error) {
		u := dropInSetup(path)
		u.StartPre[1] = removes
		return u, nil
	}
	item, _ := p.Look(t.Context(), c).Item(ItemUnit)
	if item.State != ItemMissing || !strings.Contains(item.Detail, "another version") {
		t.Fatalf("it is %s: %s", item.State, item.Detail)
	}
	if _, err := p.Prepare(t.Context(), []Item{item}); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(p.path(path)); err != nil || !strings.Contains(string(content), "\nExecStartPre=-/usr/bin/find /run/lock/ -maxdepth 1 -name conntrackd.lock -type f -empty -delete\n") {
		t.Errorf("%v: it is\n%s", err, content)
	}
	removes = strings.Join(removal(lock), " ")
	if item, _ := p.Look(t.Context(), c).Item(ItemUnit); item.State != ItemInPlace {
		t.Errorf("afterwards it is %s: %s", item.State, item.Detail)
	}
	if undone, err := p.Undo(t.Context(), t.TempDir(), false); err != nil || len(undone) != 1 || undone[0].Left != "" || undone[0].Err != nil {
		t.Errorf("undone: %v, %v", undone, err)
	}
	if _, err := os.Stat(p.path(path)); err == nil {
		t.Error("the drop-in is still there")
	}
}

// Where the processes are another host's, the files are not prepared.
func TestOtherHost(t *testing.T) {
	for _, tt := range []struct{ own, first, name, want string }{
		{hostPIDs, hostPIDs, "bash", ""},
		{"pid:[4026532000]", "pid:[4026532000]", "systemd", ""},
		{"pid:[4026532000]", "pid:[4026532000]", "init", ""},
		{"pid:[4026532000]", "pid:[4026532000]", "bash", "whose first process, bash, is not an init"},
		{"pid:[4026532000]", hostPIDs, "systemd", "in another PID namespace than the /proc that it sees"},
	} {
		err := otherHost(tt.own, tt.first, tt.name)
		if got := errors.Is(err, ErrOtherHost); got != (tt.want != "") || err != nil && !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%v: %v", tt, err)
		}
	}
}
