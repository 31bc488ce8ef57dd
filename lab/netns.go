// Package lab builds pairs of nodes on one machine, from network namespaces and
// real conntrackd daemons, for end-to-end tests, benchmarks and the demonstration.
// Everything in it needs root, and the product never imports it. Nothing outlives
// the process that made it, even when that process is killed: namespaces are
// anonymous, and what runs in a [Node] ends with the pipe that the process holds.
package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"connsync/lab/rootless"
)

// Namespace is an anonymous network namespace, alive as long as this process
// or one started in it is. It needs CAP_SYS_ADMIN.
type Namespace struct {
	handle netns.NsHandle
}

// NewNamespace makes a network namespace whose loopback interface is up.
func NewNamespace() (*Namespace, error) {
	if test := rootless.Unnamed(); test != "" {
		return nil, fmt.Errorf("%s needs root, which ordinary_test.go of its package does not say", test)
	}
	n := &Namespace{handle: netns.None()}
	err := onThread(func() error {
		h, err := netns.New()
		if err != nil {
			return fmt.Errorf("create network namespace: %w", err)
		}
		n.handle = h
		return setUp("lo")
	})
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Do runs fn on a thread that is in the namespace. Goroutines that fn starts
// are not. Sockets that fn opens stay in the namespace wherever they are used.
func (n *Namespace) Do(fn func() error) error {
	return onThread(func() error {
		if err := netns.Set(n.handle); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return fn()
	})
}

// Command is exec.Command inside the namespace. The namespace must stay open
// until the command has started.
func (n *Namespace) Command(name string, args ...string) *exec.Cmd {
	path := fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), int(n.handle))
	return exec.Command("nsenter", append([]string{path, "--", name}, args...)...)
}

// Close lets go of the namespace; the kernel removes it and its interfaces
// when the last process in it ends.
func (n *Namespace) Close() error {
	if !n.handle.IsOpen() {
		return nil
	}
	return n.handle.Close()
}

// Veth makes a pair of veth interfaces, nameA in a and nameB in b, both down.
func Veth(a *Namespace, nameA string, b *Namespace, nameB string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = nameA
	link := &netlink.Veth{LinkAttrs: attrs, PeerName: nameB, PeerNamespace: netlink.NsFd(int(b.handle))}
	return a.Do(func() error {
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("add veth %s - %s: %w", nameA, nameB, err)
		}
		return nil
	})
}

// onThread runs fn on a thread of its own, which ends with it: fn may change
// the thread's namespaces and need not change them back. The process's main
// thread cannot end, so it is never taken.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		// Not unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// While this goroutine holds the main thread the next one is on another.
			err := onThread(fn)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- fn()
	}()
	return <-done
}

// setUp sets an interface of the calling thread's namespace up.
func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set interface %s up: %w", name, err)
	}
	return nil
}
