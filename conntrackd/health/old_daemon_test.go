package health

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/pairtest"
	"connsync/lab"
)

// Debian 11's conntrackd beside this host's: every counter is healthy, and the bytes of a
// NAT address arrive the other way round. The proof sees that in the kernel's table, and
// the versions that the nodes tell each other say why.
func TestNATOfAnOldDaemonIsSeen(t *testing.T) {
	t.Parallel()
	a, b := pairtest.New(t)
	startOld(a, b, b)
	want := Proof{Created: true, Passed: true, Arrived: true, Left: true, Confirmed: true}
	atA, atB := want, want
	atA.NATSent, atA.NATArrived = "203.0.113.2", "2.113.0.203"
	atB.NATSent, atB.NATArrived = "203.0.113.1", "1.113.0.203"
	proofs := prove(t, 25*time.Second, false, a, b)
	if diff := cmp.Diff([]Proof{atA, atB}, proofs); diff != "" {
		t.Errorf("proofs of a and b (-want +got):\n%s", diff)
	}

	atNewer, atOlder := watch(a, nil), watch(b, nil)
	newer := says(VerdictMismatch, "and the peer 1.4.6: NAT addresses arrive with their bytes the other way round", "1.4.7 or later")
	older := says(VerdictMismatch, "this node runs conntrackd 1.4.6 and the peer 1.4.")
	atNewer.until(true, func(Health) bool { return true })
	expect(t, "the older node", atOlder.until(true, older), older)
	expect(t, "the newer node", atNewer.until(true, newer), newer)
}

// Debian 11's conntrackd sends no zone at all.
func TestZoneOfAnOldDaemonIsSeen(t *testing.T) {
	t.Parallel()
	a, b := pairtest.New(t)
	startOld(a, b, a, b)
	inZone(a, b, "-w", 0)
	want := says(VerdictPartial, "20 of 20 connections would not survive a failover: conntrackd before 1.4.7 does not send the zone, which 20 connections have", "1.4.7 or later on both nodes")
	expect(t, "a", watch(a, nil).until(false, want), want)
}

// startOld starts both nodes, the old ones with Debian 11's conntrackd.
func startOld(a, b *pairtest.Node, old ...*pairtest.Node) {
	a.T.Helper()
	root, err := lab.OldDebian().Tree(a.T.Context())
	if err != nil {
		a.T.Fatal(err)
	}
	for _, n := range old {
		n.Service.Binary = filepath.Join(root, "usr/sbin/conntrackd")
	}
	for _, n := range []*pairtest.Node{a, b} {
		n.WriteConfig(conntracktest.Config(n.Settings, n.Dir))
		if err := n.Restart(); err != nil {
			a.T.Fatal(err)
		}
	}
	time.Sleep(pairtest.Contact)
}
