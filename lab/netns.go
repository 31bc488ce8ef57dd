// Package lab builds pairs of nodes on one machine, from network namespaces
// and real conntrackd daemons, for end-to-end tests, benchmarks and the
// demonstration. The product never imports it.
package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Namespace is an anonymous network namespace, alive as long as this process
// or one started in it is. It needs CAP_SYS_ADMIN.
type Namespace struct {
	handle netns.NsHandle
}

// NewNamespace makes a network namespace whose loopback interface is up.
func NewNamespace() (*Namespace, error) {
	made := make(chan error, 1)
	n := &Namespace{handle: netns.None()}
	go func() {
		// The thread is never unlocked: it ends with the goroutine and takes
		// the changed namespace along.
		runtime.LockOSThread()
		h, err := netns.New()
		if err != nil {
			made <- fmt.Errorf("create network namespace: %w", err)
			return
		}
		n.handle = h
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		made <- err
	}()
	if err := <-made; err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Do runs fn on a thread that is in the namespace. Goroutines that fn starts
// are not.
func (n *Namespace) Do(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.handle); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- fn()
	}()
	return <-done
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
