package pairtest

import (
	"bytes"
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
	T         *testing.T          // the test that it fails
	Namespace *lab.Namespace      // its network
	Dir       string              // for everything that its daemon writes
	Settings  conntrackd.Settings // of its sync
	Service   *service.Direct     // runs its daemon; call it through Do
	Patience  time.Duration       // of its failovers; zero is the ordinary one
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

// newNode makes one node without a link.
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

// Do runs fn on a thread in the node's network; an error of it ends the test.
func (n *Node) Do(fn func() error) {
	n.T.Helper()
	if err := n.Namespace.Do(fn); err != nil {
		n.T.Fatal(err)
	}
}

// ConfigPath is the configuration file of the node's daemon.
func (n *Node) ConfigPath() string { return n.Service.Config }

// State is what the node's service says of its daemon.
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

// Restart restarts the node's daemon with the file that is there.
func (n *Node) Restart() error {
	var err error
	n.Do(func() error {
		err = n.Service.Restart(n.T.Context())
		return nil
	})
	return err
}

// States puts count connections into the node's kernel table, whose source ports
// begin with first.
func (n *Node) States(first, count int) {
	n.T.Helper()
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do conntrack -I -p udp -s 198.51.100.7 -d 198.51.100.8 --sport $((%d+i)) --dport 53 -t 300 >/dev/null 2>&1 || exit 1; i=$((i+1)); done", count, first)
	if out, err := n.Namespace.Command("sh", "-c", script).CombinedOutput(); err != nil {
		n.T.Fatalf("%v\n%s", err, out)
	}
}

// Client is a client of the node's daemon.
func (n *Node) Client() *control.Client { return control.NewClient(filepath.Join(n.Dir, "ctl")) }

// AwaitExternal waits until the external cache holds want states, for ten seconds
// at most. What connsync tells the other node is none.
func (n *Node) AwaitExternal(want uint64) {
	n.T.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var states uint64
		err := n.Client().DumpExternal(n.T.Context(), func(line []byte) {
			if !bytes.Contains(line, []byte("src=2001:db8:")) {
				states++
			}
		})
		if err == nil && states == want {
			return
		}
		if time.Now().After(deadline) {
			n.T.Fatalf("the external cache has %d states, want %d (%v)", states, want, err)
		}
	}
}

// ExternalCache is a file of [conntracktest.Config] with an external cache.
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
