package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Isolate takes all cables of a node out: those to the client, to the server
// and to the other node.
func (p *Pair) Isolate(m *Member) error { return p.cables(m, (*Switch).Cut) }

// Rejoin restores them.
func (p *Pair) Rejoin(m *Member) error { return p.cables(m, (*Switch).Mend) }

func (p *Pair) cables(m *Member, do func(*Switch, string) error) error {
	var errs []error
	for _, s := range []*Switch{p.LAN, p.WAN, p.Sync} {
		errs = append(errs, do(s, m.Port))
	}
	return errors.Join(errs...)
}

// Crash does to a node's conntrackd what pulling the node's plug does: the
// daemon is gone without a word, and the kernel's table with it. What would not
// be there after a boot, lock and socket, is removed.
func (m *Member) Crash(ctx context.Context) error {
	if err := m.Signal(ctx, "conntrackd", syscall.SIGKILL); err != nil {
		return fmt.Errorf("crash %s: %w", m.Name(), err)
	}
	if err := m.waitGone(ctx, "conntrackd"); err != nil {
		return fmt.Errorf("crash %s: %w", m.Name(), err)
	}
	if out, err := m.Run(ctx, "conntrack", "-F"); err != nil {
		return fmt.Errorf("crash %s: %s: %w", m.Name(), out, err)
	}
	_, err := m.Run(ctx, "rm", "-f", "/var/lock/conntrackd.lock", "/run/conntrackd.ctl")
	return err
}

func (m *Member) waitGone(ctx context.Context, command string) error {
	for {
		pids, err := m.Processes(command)
		if err != nil || len(pids) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still runs: %w", command, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// HasVirtual reports whether the node has both virtual addresses.
func (m *Member) HasVirtual() (bool, error) {
	has := true
	err := m.Do(func() error {
		for _, v := range virtualAddresses() {
			found, err := hasAddress(v.iface, v.addr)
			if err != nil {
				return err
			}
			has = has && found
		}
		return nil
	})
	return has, err
}

// DropVirtual takes the virtual addresses off the node and gives them to
// nobody, for a program that moves them itself.
func (m *Member) DropVirtual() error {
	return m.Do(func() error {
		for _, v := range virtualAddresses() {
			if err := removeAddress(v.iface, v.addr); err != nil {
				return err
			}
		}
		return nil
	})
}

type virtualAddress struct {
	iface string
	addr  netip.Prefix
}

func (p *Pair) virtualAddresses() []virtualAddress {
	all := virtualAddresses()
	if p.kinds {
		all = append(all, virtualAddress{LANInterface, virtualLAN6}, virtualAddress{WANInterface, virtualWAN6})
	}
	return all
}

func virtualAddresses() []virtualAddress {
	return []virtualAddress{{LANInterface, virtualLAN}, {WANInterface, virtualWAN}}
}

// Unbroken is like Alive for those connections that have answered in time
// whenever Unbroken was called before: one that was lost once stays lost, even
// if its node comes back with its state. It is not for concurrent use with
// other methods of the same Connections.
func (c *Connections) Unbroken(within time.Duration) int {
	c.round++
	line := fmt.Sprintf("round %d\n", c.round)
	deadline := time.Now().Add(within)
	var wait sync.WaitGroup
	for _, conn := range c.conns {
		if !conn.broken {
			wait.Go(func() { conn.broken = !conn.echoes(line, deadline) })
		}
	}
	wait.Wait()
	count := 0
	for _, conn := range c.conns {
		if !conn.broken {
			count++
		}
	}
	return count
}
