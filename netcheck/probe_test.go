package netcheck

import (
	"testing"
	"time"
)

func TestHealthyPair(t *testing.T) {
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		n.listen(n.peer, at(target.Peer))
		begin := time.Now()
		report := n.plan(t, target)
		took := time.Since(begin)
		mustFind(t, report)
		// Most of it is the wait for another owner of Current IP.
		if took > 900*time.Millisecond {
			t.Errorf("a healthy pair was checked in %v", took)
		}
	})
}
