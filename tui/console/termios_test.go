package console

import (
	"testing"
	"testing/synctest"
	"time"
)

// A wait for the line ends while others keep its queue rising and falling, and not while
// this program's own output fills it.
func TestSendingBesideOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		filling, doneAt int  // looks
		want            bool // in the end
	}{
		"others write":           {0, 1 << 20, false},
		"sent beside others":     {0, 50, true},
		"its own output fills":   {500, 500, true},
		"and then others write":  {500, 1 << 20, false},
		"filling, and all is in": {500, 550, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			looks := 0
			got := sending(10*time.Millisecond, func() bool { return looks >= tt.doneAt }, func() bool { return looks < tt.filling }, func() int {
				if looks++; looks > tt.filling+1000 {
					t.Fatalf("%s: it waits for ever", name)
				}
				return 4096 - 512*(looks%8)
			})
			if got != tt.want || tt.want && looks < tt.doneAt {
				t.Errorf("%s: %v after %d looks, want %v", name, got, looks, tt.want)
			}
		})
	}
}
