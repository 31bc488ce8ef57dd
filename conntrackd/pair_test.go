package conntrackd

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connsync/lab"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// testNode is one host of a pair: a network namespace and a directory for
// everything that the daemon would have in /etc, /var and /run.
type testNode struct {
	t        *testing.T
	ns       *lab.Namespace
	dir      string
	settings Settings
	service  *Direct
	patience time.Duration // of its failovers
}

// newPair makes two nodes whose sync0 interfaces are connected. Their daemons
// are stopped when the test ends.
func newPair(t *testing.T) (a, b *testNode) {
	t.Helper()
	requireDaemon(t)
	s := testSettings()
	a = newTestNode(t, s)
	s.Current, s.Peer = s.Peer, s.Current
	b = newTestNode(t, s)
	if err := lab.Veth(a.ns, "sync0", b.ns, "sync0"); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	for _, n := range []*testNode{a, b} {
		n.addAddress(n.settings.Current)
		n.do(func() error {
			link, err := netlink.LinkByName("sync0")
			if err != nil {
				return err
			}
			return netlink.LinkSetUp(link)
		})
	}
	return a, b
}

func newTestNode(t *testing.T, s Settings) *testNode {
	t.Helper()
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	dir := t.TempDir()
	n := &testNode{t: t, ns: ns, dir: dir, settings: s, service: &Direct{Config: filepath.Join(dir, "conntrackd.conf")}}
	t.Cleanup(func() {
		n.do(func() error { return n.service.Stop(context.Background()) })
		ns.Close()
	})
	return n
}

// addAddress gives sync0 one more address.
func (n *testNode) addAddress(p netip.Prefix) {
	n.t.Helper()
	n.do(func() error {
		link, err := netlink.LinkByName("sync0")
		if err != nil {
			return err
		}
		address, err := netlink.ParseAddr(p.String())
		if err != nil {
			return err
		}
		if p.Addr().Is6() {
			address.Flags = unix.IFA_F_NODAD // else it cannot be bound for a second
		}
		return netlink.AddrAdd(link, address)
	})
}

// do runs fn in the node's network.
func (n *testNode) do(fn func() error) {
	n.t.Helper()
	if err := n.ns.Do(fn); err != nil {
		n.t.Fatal(err)
	}
}

func (n *testNode) config() string { return n.service.Config }

func (n *testNode) state() ServiceState {
	n.t.Helper()
	var state ServiceState
	n.do(func() (err error) {
		state, err = n.service.State(n.t.Context())
		return err
	})
	return state
}

// writeConfig gives the node a file without an apply.
func (n *testNode) writeConfig(content string) {
	n.t.Helper()
	if err := os.WriteFile(n.config(), []byte(content), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

func (n *testNode) restart() error {
	var err error
	n.do(func() error {
		err = n.service.Restart(n.t.Context())
		return nil
	})
	return err
}

// states puts connections into a node's kernel table, one of them per port.
func (n *testNode) states(first, count int) {
	n.t.Helper()
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do conntrack -I -p udp -s 198.51.100.7 -d 198.51.100.8 --sport $((%d+i)) --dport 53 -t 300 >/dev/null 2>&1 || exit 1; i=$((i+1)); done", count, first)
	if out, err := n.ns.Command("sh", "-c", script).CombinedOutput(); err != nil {
		n.t.Fatalf("%v\n%s", err, out)
	}
}

func (n *testNode) client() *Client { return NewClient(filepath.Join(n.dir, "ctl")) }

// awaitExternal waits for a number of states in the external cache.
func (n *testNode) awaitExternal(want uint64) {
	n.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		cache, err := n.client().Cache(n.t.Context())
		if err == nil && cache.External == want {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("the external cache has %d states, want %d (%v)", cache.External, want, err)
		}
	}
}

func externalCache(config string) string {
	return swap(config, "DisableExternalCache on", "DisableExternalCache off")
}

// runBoth starts both daemons with an external cache and nothing that would
// exchange the states at a start.
func runBoth(a, b *testNode) {
	for _, n := range []*testNode{a, b} {
		n.t.Helper()
		n.writeConfig(externalCache(testConfig(n.settings, n.dir)))
		if err := n.restart(); err != nil {
			n.t.Fatal(err)
		}
	}
}

// contact is how long two fresh daemons take to find each other, and more.
const contact = 2500 * time.Millisecond
