package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/pairtest"
)

// A connection through this node to the peer itself, as of an administrator or a monitoring
// system, is one of this node, and none that the peer lacks.
func TestConnectionsThatReachThePeerAreHeldThere(t *testing.T) {
	for name, edit := range map[string]func(string) string{"kernel": nil, "external cache": pairtest.ExternalCache} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := runPair(t, edit)
			if out, err := b.Namespace.Command("ip", "address", "add", "10.1.0.3/32", "dev", "lo").CombinedOutput(); err != nil {
				t.Fatalf("ip: %v: %s", err, out)
			}
			atA, atB := watch(a, nil), watch(b, nil)
			forwarded(a, 20)
			for _, kind := range []string{"-p udp --dport 161 -u SEEN_REPLY", "-p tcp --dport 22 --state ESTABLISHED -u SEEN_REPLY,ASSURED"} {
				for i := range 5 {
					args := strings.Fields(fmt.Sprintf("-I %s --sport %d -s 10.9.0.2 -d 10.1.0.3 -t 600", kind, 2000+i))
					if out, err := a.Namespace.Command("conntrack", args...).CombinedOutput(); err != nil {
						t.Fatalf("conntrack: %v: %s", err, out)
					}
				}
			}
			time.Sleep(3 * time.Second)
			atB.until(true, says(VerdictTwoWay))
			settled := func(h Health) bool { return h.Holding.Told != nil && h.Holding.Of == 30 }
			expect(t, "a", atA.until(false, settled), holds(30, 30))
			if h := atB.until(false, says(VerdictTwoWay)); h.Coverage.Own() != 0 {
				t.Errorf("b counts connections to itself: %+v", h.Coverage)
			}
		})
	}
}
