package prepare

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What connsync has written stays in sight where its record has gone.
func TestUndoWithoutARecord(t *testing.T) {
	for _, name := range []string{"debian", "no-dpkg"} {
		t.Run(name, func(t *testing.T) {
			p, _ := preparedHost(t, name)
			if err := os.RemoveAll(p.path("/var/lib/connsync")); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(p.path("/etc/modules-load.d"), 0o755); err != nil {
				t.Fatal(err)
			}
			writeHost(t, p, map[string]string{eventsModule: "# somebody else's\nnf_conntrack\n"})
			const why = "connsync wrote it, and /var/lib/connsync has no record of that any more: rm "
			want := map[string]string{}
			paths := []string{eventsBootFile, logrotateRule}
			if name == "debian" {
				paths = append(paths, "/etc/systemd/system/conntrackd.service.d/connsync.conf")
			}
			for _, path := range paths {
				want["file "+path] = why + path
			}
			if diff := cmp.Diff(want, leftBy(t, p)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			if _, err := os.Stat(p.path(logrotateRule)); err != nil {
				t.Error(err)
			}
		})
	}
}
