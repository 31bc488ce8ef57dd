package mailbox

import (
	"context"
	"os"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/pairtest"
)

func box(n *pairtest.Node, external bool) Box {
	n.T.Helper()
	b := Box{Low: n.Settings.Current.Addr().Less(n.Settings.Peer.Addr())}
	if external {
		content, err := os.ReadFile(n.ConfigPath())
		if err != nil {
			n.T.Fatal(err)
		}
		file, _ := conntrackd.Parse(n.ConfigPath(), content)
		b.Connections = &coverage.Looker{Client: n.Client(), File: file}
	}
	return b
}

// await returns the peer's report once it is as wanted, or the last one after five seconds.
func await(t *testing.T, n *pairtest.Node, b Box, wanted func(*Told) bool) (told *Told) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		n.Do(func() (err error) {
			told, _, err = b.Peer(context.Background())
			return err
		})
		if wanted(told) || time.Now().After(deadline) {
			return told
		}
	}
}

// Numbers go from one console to the other with nothing between them but the sync link.
func TestReportsCrossTheSyncLink(t *testing.T) {
	for name, external := range map[string]bool{"states into the kernel": false, "external cache": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := pairtest.New(t)
			for _, n := range []*pairtest.Node{a, b} {
				config := conntracktest.Config(n.Settings, n.Dir)
				if external {
					config = pairtest.ExternalCache(config)
				}
				n.WriteConfig(config)
				if err := n.Restart(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(pairtest.Contact)
			atA, atB := box(a, external), box(b, external)
			if told := await(t, a, atA, func(told *Told) bool { return true }); told != nil {
				t.Errorf("told %+v before anybody said a thing", told)
			}
			leave := func(n *pairtest.Node, b Box, r Report) {
				n.Do(func() error { return b.Leave(context.Background(), r) })
			}
			leave(b, atB, Report{Direct: !external, Kernel: 5000, Foreign: 4999, External: 17, Cause: CauseTableFull, Refused: 3, Limit: 262144})
			leave(a, atA, Report{Kernel: 77})
			told := await(t, a, atA, func(told *Told) bool { return told != nil })
			if told == nil || told.Kernel != 5000 || told.Foreign != 4999 || told.External != 17 || told.Cause != CauseTableFull || told.Refused != 3 || told.Direct == external || told.Age > 5*time.Second {
				t.Fatalf("a was told %+v", told)
			}
			if told := await(t, b, atB, func(told *Told) bool { return told != nil }); told == nil || told.Kernel != 77 {
				t.Errorf("b was told %+v", told)
			}
			// The next one takes the place of the first.
			time.Sleep(1100 * time.Millisecond)
			leave(b, atB, Report{Kernel: 6000})
			if told := await(t, a, atA, func(told *Told) bool { return told != nil && told.Kernel == 6000 }); told == nil || told.Kernel != 6000 {
				t.Errorf("then a was told %+v", told)
			}
			own := 0
			b.Do(func() error {
				all, err := atB.own(context.Background())
				own = len(all)
				return err
			})
			if own != 1 {
				t.Errorf("%d reports of b lie in its kernel", own)
			}
		})
	}
}
