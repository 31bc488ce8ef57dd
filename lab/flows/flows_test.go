package flows

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
)

// Every kind works through a pair, goes on over the other node with its states
// there, and does not without. What does not go on is the kernel's or the daemon's
// doing, not the lab's: see [Kind.Lost].
func TestKinds(t *testing.T) {
	const count = 3
	for _, sync := range []bool{false, true} {
		pair, err := lab.NewPair(t.Context(), lab.Options{Kinds: true})
		if err != nil {
			t.Fatal(err)
		}
		defer pair.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if sync {
			if err := pair.StartDaemons(ctx); err != nil {
				t.Fatal(err)
			}
		}
		var sets []*Set
		for _, k := range Kinds() {
			s, err := Open(t.Context(), pair, k, count)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			sets = append(sets, s)
		}
		time.Sleep(time.Second) // for the last to be replicated; the half open ones do not wait for longer
		if err := pair.Freeze(); err != nil {
			t.Fatal(err)
		}
		if err := pair.Isolate(pair.A); err != nil {
			t.Fatal(err)
		}
		if err := pair.Activate(pair.B); err != nil {
			t.Fatal(err)
		}
		want, got := map[Kind]int{}, map[Kind]int{}
		for i, n := range Unbroken(8*time.Second, sets...) {
			k := sets[i].Kind
			got[k], want[k] = n, 0
			if sync && k.Lost() == "" && !k.Expected() {
				want[k] = count
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sync %v (-want +got):\n%s", sync, diff)
		}
	}
}

// Many connections of UDP share their sockets, and each is told from the others.
func TestManyConnections(t *testing.T) {
	const count = 2*gridPorts + 50
	pair, err := lab.NewPair(t.Context(), lab.Options{Kinds: true})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	s, err := Open(t.Context(), pair, UDP, count)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	known, err := pair.A.Flows()
	if err != nil {
		t.Fatal(err)
	}
	udp := 0
	for _, f := range known {
		if f.Protocol == 17 {
			udp++
		}
	}
	if udp != count {
		t.Errorf("the node has %d of %d connections", udp, count)
	}
	if err := pair.Freeze(); err != nil {
		t.Fatal(err)
	}
	if out, err := pair.A.Run(t.Context(), "conntrack", "-F"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if got := s.Unbroken(2 * time.Second); got != 0 {
		t.Errorf("%d of %d go on without a state", got, count)
	}
}
