package coverage

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
)

// What began longer ago than the peer keeps it without news is told apart, for all that lives.
func TestWhatIsOld(t *testing.T) {
	line := func(port, since string) string {
		return "udp      17 src=10.1.0.9 dst=10.2.0.9 sport=" + port + " dport=2 src=10.2.0.9 dst=10.1.0.9 sport=2 dport=" + port + " [active since " + since + "s]\n"
	}
	cache := line("1", "9") + line("2", "10") + line("3", "11") + line("4", "3600") + line("5", "3600") + line("6", "-3")
	path := filepath.Join(t.TempDir(), "ctl")
	conntracktest.ServeControl(t, path, func(control.Request) []byte { return []byte(cache) })
	lives := func(e *Entry) time.Duration {
		if e.Original.SourcePort == 5 {
			return 0 // for as long as here
		}
		return 10 * time.Second
	}
	for name, tt := range map[string]struct {
		lives func(*Entry) time.Duration
		told  Told
		want  int
	}{
		"nothing refreshes": {lives, Told{}, 3}, "refreshed": {nil, Told{}, 0},
		"some were old when the peer counted": {lives, Told{Known: true, SettledAfter: time.Second}, 1},
		"a report that is too old":            {lives, Told{SettledAfter: time.Second}, 3},
	} {
		p := &pass{lives: tt.lives, told: tt.told, injected: -1, main: newGroup(), beyond: newGroup()}
		if err := p.readCache(t.Context(), control.NewClient(path), 0); err != nil {
			t.Fatal(err)
		}
		var e Entry
		for _, port := range []string{"1", "2", "3", "4", "5", "6"} {
			if !e.parseText([]byte(line(port, "0"))) || e.Protocol != unix.IPPROTO_UDP {
				t.Fatal("not understood")
			}
			p.take(&e)
		}
		if c := p.finish(); c.Survive != 6 || c.Aged != tt.want {
			t.Errorf("%s: %d survive, %d of them old; want 6 and %d", name, c.Survive, c.Aged, tt.want)
		}
	}
}
