package pairtest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/service"
	"connsync/lab"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Node is one host of a pair: a network namespace and a directory for
// everything that the daemon would have in /etc, /var and /run.
type Node struct {
	T         *testing.T
	Namespace *lab.Namespace
	Dir       string
	Settings  conntrackd.Settings
	Service   *service.Direct
	Patience  time.Duration // of its failovers
}

// New makes two nodes whose sync0 interfaces are connected. Their daemons
// are stopped when the test ends.
func New(t *testing.T) (a, b *Node) {
	t.Helper()
	conntracktest.RequireDaemon(t)
	s := conntracktest.Settings()
	a = newNode(t, s)
	s.Current, s.Peer = s.Peer, s.Current
	b = newNode(t, s)
	if err := lab.Veth(a.Namespace, "sync0", b.Namespace, "sync0"); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	for _, n := range []*Node{a, b} {
		n.AddAddress(n.Settings.Current)
		n.Do(func() error {
			link, err := netlink.LinkByName("sync0")
			if err != nil {
				return err
			}
			return netlink.LinkSetUp(link)
		})
	}
	return a, b
}

func newNode(t *testing.T, s conntrackd.Settings) *Node {
	t.Helper()
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	dir := t.TempDir()
	n := &Node{T: t, Namespace: ns, Dir: dir, Settings: s, Service: &service.Direct{Config: filepath.Join(dir, "conntrackd.conf")}}
	t.Cleanup(func() {
		n.Do(func() error { return n.Service.Stop(context.Background()) })
		ns.Close()
	})
	return n
}

// AddAddress gives sync0 one more address.
func (n *Node) AddAddress(p netip.Prefix) {
	n.T.Helper()
	n.Do(func() error {
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

// Do runs fn in the node's network.
func (n *Node) Do(fn func() error) {
	n.T.Helper()
	if err := n.Namespace.Do(fn); err != nil {
		n.T.Fatal(err)
	}
}

func (n *Node) ConfigPath() string { return n.Service.Config }

func (n *Node) State() service.State {
	n.T.Helper()
	var state service.State
	n.Do(func() (err error) {
		state, err = n.Service.State(n.T.Context())
		return err
	})
	return state
}

// WriteConfig gives the node a file without an apply.
func (n *Node) WriteConfig(content string) {
	n.T.Helper()
	if err := os.WriteFile(n.ConfigPath(), []byte(content), 0o644); err != nil {
		n.T.Fatal(err)
	}
}

func (n *Node) Restart() error {
	var err error
	n.Do(func() error {
		err = n.Service.Restart(n.T.Context())
		return nil
	})
	return err
}

// States puts connections into a node's kernel table, one of them per port.
func (n *Node) States(first, count int) {
	n.T.Helper()
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do conntrack -I -p udp -s 198.51.100.7 -d 198.51.100.8 --sport $((%d+i)) --dport 53 -t 300 >/dev/null 2>&1 || exit 1; i=$((i+1)); done", count, first)
	if out, err := n.Namespace.Command("sh", "-c", script).CombinedOutput(); err != nil {
		n.T.Fatalf("%v\n%s", err, out)
	}
}

func (n *Node) Client() *control.Client { return control.NewClient(filepath.Join(n.Dir, "ctl")) }

// AwaitExternal waits for a number of states in the external cache.
func (n *Node) AwaitExternal(want uint64) {
	n.T.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		cache, err := n.Client().Cache(n.T.Context())
		if err == nil && cache.External == want {
			return
		}
		if time.Now().After(deadline) {
			n.T.Fatalf("the external cache has %d states, want %d (%v)", cache.External, want, err)
		}
	}
}

func ExternalCache(config string) string {
	return conntracktest.Swap(config, "DisableExternalCache on", "DisableExternalCache off")
}

// RunBoth starts both daemons with an external cache and nothing that would
// exchange the states at a start.
func RunBoth(a, b *Node) {
	for _, n := range []*Node{a, b} {
		n.T.Helper()
		n.WriteConfig(ExternalCache(conntracktest.Config(n.Settings, n.Dir)))
		if err := n.Restart(); err != nil {
			n.T.Fatal(err)
		}
	}
}

// Contact is how long two fresh daemons take to find each other, and more.
const Contact = 2500 * time.Millisecond
