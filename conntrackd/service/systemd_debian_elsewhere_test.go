package service_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"connsync/conntrackd/service"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// shell runs a line of it in the machine.
func shell(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", line).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// override gives the unit a drop-in until the test ends.
func override(t *testing.T, lines string) {
	t.Helper()
	const dir = "/etc/systemd/system/conntrackd.service.d/"
	t.Cleanup(func() { shell(t, "rm "+dir+"override.conf; systemctl daemon-reload; systemctl restart conntrackd") })
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"override.conf", []byte("[Service]\n"+lines+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// saveElsewhere saves where the unit's daemon is not the one of the saved file, or not in
// this network namespace: that is refused before anything changes where it can be known
// then, and else seen and rolled back.
func saveElsewhere(t *testing.T) {
	settings := syncSettings()
	if got := save(t, settings); got.Err != nil {
		t.Fatalf("outcome: %+v", got)
	}
	shell(t, "mkdir /etc/ha; cp "+configPath+" /etc/ha/ct.conf; echo CONFIG=/etc/ha/ct.conf >/etc/default/ct; ip netns add fw2")
	const (
		otherFile = "ExecStart=\nExecStart=/usr/sbin/conntrackd -C /etc/ha/ct.conf"
		reload    = "systemctl daemon-reload"
	)
	for _, test := range []struct {
		name   string
		set    func(*testing.T)
		runs   bool // a daemon does that is another one
		before bool // it is refused before
		off    bool // the save is one that disables
		want   string
	}{
		{"another network namespace", func(t *testing.T) { unshare(t, unix.CLONE_NEWNET) }, true, true, false, "is in another network namespace"},
		{"disabled from another network namespace", func(t *testing.T) { unshare(t, unix.CLONE_NEWNET) }, true, true, true, "is in another network namespace"},
		{"a chroot", chroot, true, true, false, "sees another file as " + configPath},
		{"an edited unit", func(t *testing.T) { override(t, otherFile) }, false, true, false, "starts conntrackd with another file, /etc/ha/ct.conf, and not with " + configPath + ", as soon as systemd reads the unit"},
		{"a variable", func(t *testing.T) {
			override(t, "EnvironmentFile=/etc/default/ct\nExecStart=\nExecStart=/usr/sbin/conntrackd -C $CONFIG")
			shell(t, reload+"; systemctl stop conntrackd")
		}, false, false, false, "runs with another file, /etc/ha/ct.conf, and not with " + configPath},
		{"a file made at each start", func(t *testing.T) {
			shell(t, "echo '# made' >>/etc/ha/ct.conf; cp /etc/ha/ct.conf "+configPath)
			override(t, "ProtectSystem=no\nExecStartPre=/bin/cp /etc/ha/ct.conf "+configPath)
			shell(t, reload)
		}, false, false, false, configPath + " is not as it was saved any more"},
		{"a file mounted over", func(t *testing.T) {
			override(t, "BindReadOnlyPaths=/etc/ha/ct.conf:"+configPath)
			shell(t, reload)
		}, false, false, false, "sees another file as " + configPath},
		{"a file mounted over a running daemon's", func(t *testing.T) {
			override(t, "BindReadOnlyPaths=/etc/ha/ct.conf:"+configPath)
			shell(t, reload+"; systemctl restart conntrackd")
		}, true, true, false, "sees another file as " + configPath},
		{"a namespace of the unit's", func(t *testing.T) {
			override(t, "NetworkNamespacePath=/run/netns/fw2")
			shell(t, reload+"; systemctl stop conntrackd")
		}, false, true, false, "/run/netns/fw2 (NetworkNamespacePath= of the unit)"},
		{"a daemon started by hand", func(t *testing.T) {
			shell(t, "systemctl stop conntrackd; conntrackd -d")
			t.Cleanup(func() {
				shell(t, "conntrackd -k; while pgrep -x conntrackd; do sleep 0.1; done; systemctl start conntrackd")
			})
		}, true, true, true, "is not the one of conntrackd.service: somebody started it by hand; end it with: conntrackd -C " + configPath + " -k"},
	} {
		t.Run(test.name, func(t *testing.T) {
			saved := content(t)
			test.set(t)
			was := state(t, service.NewSystemd(""))
			// What runs now is told by status, and by check before a save.
			if other := service.Elsewhere(service.NewSystemd(""), was, configPath); (other != nil) != test.runs {
				t.Errorf("what runs: %v", other)
			}
			asked := settings
			asked.Enabled, asked.ExternalCache = !test.off, true
			got := save(t, asked)
			if got.Err == nil || !strings.Contains(got.Err.Error(), test.want) || got.Changed {
				t.Errorf("want %q, outcome: %+v", test.want, got)
			}
			if refused := got.Err != nil && !got.RolledBack; refused != test.before {
				t.Errorf("refused before: %t", refused)
			}
			if diff := cmp.Diff(saved, content(t)); diff != "" && !strings.Contains(test.name, "made at each start") {
				t.Error("the file (-before +after)", diff)
			}
			if now := state(t, service.NewSystemd("")); test.before && now.MainPID != was.MainPID {
				t.Errorf("process %d was restarted as %d", was.MainPID, now.MainPID)
			}
		})
	}
}

// unshare gives the test's thread namespaces of its own; it ends with the test.
func unshare(t *testing.T, flags int) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(flags); err != nil {
		t.Fatal(err)
	}
}

// chroot takes the test to a tree with a stock file, from which the host's services are seen.
func chroot(t *testing.T) {
	t.Helper()
	const image = "/srv/img"
	shell(t, "mkdir -p "+image+"/usr "+image+"/var/lib "+image+filepath.Dir(configPath)+"; cp "+configPath+" "+image+configPath+
		"; for d in proc run sys dev usr; do mkdir -p "+image+"/$d; mount --rbind /$d "+image+"/$d; done; for d in bin sbin lib lib64; do ln -s usr/$d "+image+"/$d; done")
	unshare(t, unix.CLONE_FS)
	if err := unix.Chroot(image); err != nil {
		t.Fatal(err)
	}
}
