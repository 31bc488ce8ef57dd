package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/dump"
	"connsync/trust"
)

// ErrNoNft is returned by [RunNft], [Try] and [TryFile] where the program nft is not
// installed.
var ErrNoNft = errors.New("nft is not installed: install the package nftables")

// nftTimeout is how long nft may take; big sets take seconds.
const nftTimeout = time.Minute

// RunNft has nft carry out a script, as a whole or not at all, in the network
// namespace of the calling thread.
func RunNft(ctx context.Context, script string) error {
	return runNft(ctx, strings.NewReader(script), "-f", "-")
}

func runNft(ctx context.Context, in *strings.Reader, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, nftTimeout)
	defer cancel()
	cmd := trust.Command(ctx, "nft", args...) // in the directory where the host's service runs it
	if in != nil {
		cmd.Stdin = in
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return ErrNoNft
	case err != nil && ctx.Err() != nil: // it was ended, and has nothing to say of that
		return fmt.Errorf("nft: %w", ctx.Err())
	case err != nil:
		first, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return fmt.Errorf("nft: %w: %s", err, first)
	}
	return nil
}

// Try loads a text for nft from scratch, as at boot, in a network
// namespace of its own with the names and numbers of this node's interfaces,
// and says what its rules do. The rules that run are not touched.
func Try(ctx context.Context, f Flow, text string) (*Effect, error) {
	return try(ctx, f, text, func() error { return RunNft(ctx, text) })
}

// TryFile is [Try] for a file and what it includes; text is what they say.
func TryFile(ctx context.Context, f Flow, path, text string) (*Effect, error) {
	return try(ctx, f, text, func() error { return runNft(ctx, nil, "-f", path) })
}

func try(ctx context.Context, f Flow, text string, load func() error) (*Effect, error) {
	if err := f.CheckName(); err != nil {
		return nil, err
	}
	links, err := dump.All(ctx, netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var e *Effect
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace to try the rules in: %w", err)
		}
		rest, err := imitate(f, links, text)
		if err != nil {
			return fmt.Errorf("make the interfaces to try the rules with: %w", err)
		}
		if err = load(); err != nil && len(rest) > 0 { // what is included may ask for one of them
			if _, err := imitate(f, rest, ""); err != nil {
				return fmt.Errorf("make the other interfaces to try the rules with: %w", err)
			}
			err = load()
		}
		if err != nil {
			return err
		}
		e, err = Read(ctx, f)
		return err
	})
	return e, err
}

// manyLinks is from where on only those interfaces are imitated that a text
// names.
const manyLinks = 256

// imitate makes interfaces of the same names and numbers: rules can ask for
// both. The interfaces of the sync get its addresses. Those that a text does not name
// are left out where there are many; of a blank text all are made.
func imitate(f Flow, links []netlink.Link, text string) (rest []netlink.Link, err error) {
	for _, l := range links {
		name := l.Attrs().Name
		var addresses []string
		for _, sync := range f.links() {
			if sync.Interface == name {
				if sync.Current.Bits() < 0 { // of a spare link whose address is not there
					sync.Current = netip.PrefixFrom(sync.Current.Addr(), sync.Current.Addr().BitLen())
				}
				addresses = append(addresses, sync.Current.String())
			}
		}
		switch {
		case name == "lo":
			continue
		case text != "" && len(addresses) == 0 && len(links) > manyLinks && !strings.Contains(text, name):
			rest = append(rest, l)
			continue
		}
		made, err := imitation(netlink.LinkAttrs{Name: name, Index: l.Attrs().Index, Group: l.Attrs().Group, TxQLen: -1})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(addresses) == 0 {
			continue
		}
		if err := giveAddresses(made, addresses); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// giveAddresses sets an interface up with the addresses of the links on it.
func giveAddresses(link netlink.Link, addresses []string) error {
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	for _, text := range addresses {
		address, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		address.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(link, address); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

// imitation makes an interface of whatever kind this kernel has.
func imitation(attrs netlink.LinkAttrs) (netlink.Link, error) {
	var failure error
	for _, l := range []netlink.Link{&netlink.Dummy{LinkAttrs: attrs}, &netlink.Bridge{LinkAttrs: attrs},
		&netlink.Veth{LinkAttrs: attrs, PeerName: fmt.Sprintf("peer%d", attrs.Index)}} {
		err := netlink.LinkAdd(l)
		if err == nil {
			return netlink.LinkByName(attrs.Name)
		}
		failure = errors.Join(failure, err)
	}
	return nil, failure
}

// onThread runs fn on a thread that ends with it and takes its namespace along.
// The process's main thread cannot end, so it is never used.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good
		if unix.Gettid() == unix.Getpid() {
			// While the main thread is held here the next one is another.
			err := onThread(fn)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		_, err := trust.Message(func() (struct{}, error) { return struct{}{}, fn() })
		done <- err
	}()
	return <-done
}
