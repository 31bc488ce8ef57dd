package health

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/pairtest"
)

func TestTestStatesAreAgreed(t *testing.T) {
	s := conntracktest.Settings()
	own, peers := TestStates(s)
	s.Current, s.Peer = s.Peer, s.Current
	theirs, ours := TestStates(s)
	if own != ours || peers != theirs || own == peers {
		t.Errorf("%v and %v here, %v and %v there", own, peers, ours, theirs)
	}
	if got, want := own.words(), "src=198.51.100.1 dst=198.51.100.2 sport=40001 dport=40002"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// proofPair is a pair whose daemons have met.
func proofPair(t *testing.T, edit func(string) string) (a, b *pairtest.Node) {
	a, b = pairtest.New(t)
	for _, n := range []*pairtest.Node{a, b} {
		n.WriteConfig(edit(conntracktest.Config(n.Settings, n.Dir)))
		if err := n.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(pairtest.Contact)
	return a, b
}

// prove runs a prover on each of the nodes at the same time, and returns what
// each saw.
func prove(t *testing.T, limit time.Duration, external bool, nodes ...*pairtest.Node) []Proof {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	type answer struct {
		i     int
		proof Proof
		err   error
	}
	answers := make(chan answer, len(nodes))
	for i, n := range nodes {
		go func() {
			p := &Prover{Client: control.NewClient(filepath.Join(n.Dir, "ctl")), Settings: n.Settings}
			p.Settings.ExternalCache = external
			var got answer
			got.err = n.Namespace.Do(func() (err error) {
				got.proof, err = p.Prove(ctx)
				return err
			})
			got.i = i
			answers <- got
		}()
	}
	proofs := make([]Proof, len(nodes))
	for range nodes {
		a := <-answers
		if a.err != nil {
			t.Errorf("node %d: %v", a.i, a.err)
		}
		proofs[a.i] = a.proof
	}
	for _, n := range nodes {
		if out, err := n.Namespace.Command("conntrack", "-L", "-p", "udp", "-s", "198.51.100.1").CombinedOutput(); err != nil || strings.Contains(string(out), "src=") {
			t.Errorf("left behind: %s, %v", out, err)
		}
	}
	return proofs
}

func TestProve(t *testing.T) {
	all := Proof{Created: true, Passed: true, Arrived: true, Left: true, Confirmed: true}
	both := func(p Proof) []Proof { return []Proof{p, p} }
	// withNAT is what b's NAT address is at a, and a's at b.
	withNAT := func(proofs []Proof, atA, atB string) []Proof {
		proofs[0].NATSent, proofs[0].NATArrived = atA, atA
		proofs[1].NATSent, proofs[1].NATArrived = atB, atB
		return proofs
	}
	same := func(s string) string { return s }
	for _, tt := range []struct {
		name     string
		edit     func(string) string
		external bool
		fault    func(a, b *pairtest.Node)
		want     []Proof
		limit    time.Duration
	}{
		{"states into the kernel", same, false, nil, withNAT(both(all), "203.0.113.2", "203.0.113.1"), 25 * time.Second},
		{"external cache", func(s string) string {
			return conntracktest.Swap(s, "DisableExternalCache on", "DisableExternalCache off")
		}, true, nil, both(all), 25 * time.Second},
		{"b receives nothing", same, false, func(_, b *pairtest.Node) { nft(b, "input", "udp dport 3780 drop") },
			withNAT([]Proof{{Created: true, Passed: true, Arrived: true, Left: true}, {Created: true, Passed: true}}, "203.0.113.2", ""), 8 * time.Second},
		{"the filter drops it", func(s string) string {
			return conntracktest.Swap(s, "General {", "General {\n  Filter From Userspace {\n    Address Ignore {\n      IPv4_address 198.51.100.0/24\n    }\n  }")
		}, false, nil, both(Proof{Created: true}), 6 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := proofPair(t, tt.edit)
			if tt.fault != nil {
				tt.fault(a, b)
			}
			begin := time.Now()
			if diff := cmp.Diff(tt.want, prove(t, tt.limit, tt.external, a, b)); diff != "" {
				t.Errorf("proofs of a and b (-want +got):\n%s", diff)
			}
			t.Logf("took %v", time.Since(begin).Round(100*time.Millisecond))
		})
	}
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		a, _ := proofPair(t, same)
		if diff := cmp.Diff([]Proof{{Created: true, Passed: true}}, prove(t, 4*time.Second, false, a)); diff != "" {
			t.Errorf("proof of a (-want +got):\n%s", diff)
		}
	})
}
