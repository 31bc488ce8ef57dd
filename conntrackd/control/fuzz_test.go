package control

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzReplies holds that no reply of a daemon makes a reader fail, and that a
// reply which is read gives the same once more.
func FuzzReplies(f *testing.F) {
	files, err := filepath.Glob("testdata/replies/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no replies: %v", err)
	}
	for _, path := range files {
		reply, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(reply))
	}
	for _, odd := range []string{"", ":", "cache:", "cache:\t:1", "recv:\nPackets lost: 18446744073709551616", "daemon uptime: 4294967295 days 1 h", "queue txqueue:\ncurrent elements: 1/ 1\n", "3 days 4 h 5 min"} {
		f.Add(odd)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		for _, l := range report(reply) {
			if len(l.values) == 0 {
				t.Fatalf("line %q has no value", l.name)
			}
		}
		if links, err := parseLinks(reply); err == nil && len(links) == 0 {
			t.Error("no link, and no error")
		}
		if r, err := parseRuntime(reply); err == nil && r.Uptime < 0 {
			t.Errorf("the daemon runs for %v", r.Uptime)
		}
		if u, err := parseUptime(reply); err == nil && (u < 0 || u%time.Minute != 0) {
			t.Errorf("uptime %v", u)
		}
		tables, err := parseTables(reply)
		again, errAgain := parseTables(reply)
		if tables != again || (err == nil) != (errAgain == nil) {
			t.Errorf("read twice: %+v (%v) and %+v (%v)", tables, err, again, errAgain)
		}
		_, _ = parseNetwork(reply)
		_, _ = parseCache(reply)
		_, _ = parseQueues(reply)
	})
}
