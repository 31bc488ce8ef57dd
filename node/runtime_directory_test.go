package node

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/service"
)

// A save that enables sync at boot says that the directory of lock and socket is missing then.
func TestRuntimeDirectoryInRAMIsNoted(t *testing.T) {
	settings := conntracktest.Settings()
	settings.Enabled = true
	for _, test := range []struct {
		service service.Service
		dir     string
		enabled bool
		want    bool
	}{
		{&service.SysV{}, "/dev/nowhere", true, true},
		{&service.SysV{}, "/dev/nowhere", false, false},
		{&service.SysV{}, "/proc/nowhere", true, false},
		{&service.SysV{}, DefaultRuntimeDir, true, false},
		{&service.Direct{}, "/dev/nowhere", true, false},
		{service.Unmanaged{}, "/dev/nowhere", true, false},
	} {
		n := &Node{Options: Options{Config: filepath.Join(t.TempDir(), "conf"), RuntimeDir: test.dir}, Service: test.service}
		settings.Enabled = test.enabled
		c, err := n.candidate(t.Context(), Saved{}, settings)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(c.Notes, func(note string) bool { return strings.HasPrefix(note, test.dir+" is in RAM") }); got != test.want {
			t.Errorf("%T, %s, enabled %t: it is noted: %t", test.service, test.dir, test.enabled, got)
		}
	}
}
