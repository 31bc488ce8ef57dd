package node

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/events"
	"connsync/conntrackd/failover"
	"connsync/netcheck"
	"connsync/node/lifetime"
)

// looker looks at the connections that a daemon which runs with the file has to
// replicate.
func (n *Node) looker(client *control.Client, file *conntrackd.File) *coverage.Looker {
	lives := func() func(*coverage.Entry) time.Duration { return lifetime.Unrefreshed(n.RuntimeDir) }
	if file.Mode() == "ALARM" { // which sends each state again and again
		lives = nil
	}
	return &coverage.Looker{Lifetimes: lives, Called: n.Called, Client: client, File: file, Role: n.role, Own: ownVirtual, Fixed: fixed,
		AsSaved: func(before time.Time) bool { return n.History().AsSaved(n.Config, before) }}
}

// ownVirtual are keepalived's virtual addresses: connections of these belong to the node
// that has them, and those that it opened itself die with it.
func ownVirtual() []netip.Addr {
	virtual, _ := virtualAddresses() // those that could be read
	return virtual
}

// fixed is what does not move where keepalived runs and calls no program but this one, which
// might move more. An address that has no hardware address may be on both nodes, such as one of
// a NAT pool on the loopback interface.
func fixed(ctx context.Context) coverage.Fixed {
	installed, config, err := readKeepalived()
	if err != nil || config == nil || installed.PID == 0 || !config.CallsOnly("connsync") {
		return coverage.Fixed{}
	}
	interfaces, err := netcheck.Interfaces(ctx)
	if err != nil {
		return coverage.Fixed{}
	}
	return fixedOf(interfaces, config.Addresses())
}

// fixedOf is what does not move beside the virtual addresses.
func fixedOf(interfaces []netcheck.Interface, virtual []netip.Addr) (f coverage.Fixed) {
	if len(virtual) == 0 {
		return f
	}
	for _, i := range interfaces {
		for _, p := range i.Addresses {
			if i.Loopback || p.Addr().IsLinkLocalUnicast() {
				continue
			}
			if !p.IsSingleIP() && !slices.ContainsFunc(virtual, p.Contains) {
				f.Behind = append(f.Behind, p.Masked())
			}
			if len(i.HardwareAddr) == 6 && i.Kind != "dummy" && !slices.Contains(virtual, p.Addr()) {
				f.Addresses = append(f.Addresses, p.Addr())
			}
		}
	}
	return f
}

// role is what this node is: primary where it has all of keepalived's virtual addresses,
// backup where it has none of them, and without keepalived what the failover hook was
// called with last.
func (n *Node) role(ctx context.Context) coverage.Role {
	virtual, err := virtualAddresses()
	if err != nil {
		return coverage.RoleUnknown
	}
	if len(virtual) == 0 {
		return lastRole(n.StateDir)
	}
	interfaces, err := netcheck.Interfaces(ctx)
	if err != nil {
		return coverage.RoleUnknown
	}
	here := 0
	for _, a := range virtual {
		if slices.ContainsFunc(interfaces, func(i netcheck.Interface) bool {
			return slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
		}) {
			here++
		}
	}
	switch here {
	case 0:
		return coverage.RoleBackup
	case len(virtual):
		return coverage.RolePrimary
	}
	return coverage.RoleUnknown // each node has some of them
}

// lastRole is the role of the newest call that the failover log tells of.
func lastRole(stateDir string) coverage.Role {
	switch role, _ := events.LastRole(stateDir); role { // blank where the log cannot be read
	case failover.RolePrimary:
		return coverage.RolePrimary
	case failover.RoleBackup:
		return coverage.RoleBackup
	}
	return coverage.RoleUnknown
}

// ExportConnections writes the connections of this node that need to survive, for
// [Node.CompareConnections] on the other one. It needs no daemon.
func (n *Node) ExportConnections(ctx context.Context, w io.Writer) error {
	return coverage.Export(ctx, w, ownVirtual())
}

// CompareConnections compares an export of the other node with what this one holds: in the
// kernel's table, and in the external cache where a daemon here has one. most is how many
// differences are kept.
func (n *Node) CompareConnections(ctx context.Context, r io.Reader, most int) (coverage.Comparison, error) {
	exported, err := coverage.ReadExport(r)
	if err != nil {
		return coverage.Comparison{}, err
	}
	c := coverage.Comparer{Most: most}
	// Without a file that can be read the table is compared alone.
	if saved, err := n.Load(ctx); err == nil && saved.File.ControlSocket() != "" {
		c.Client = control.NewClient(saved.File.ControlSocket())
	}
	return c.Compare(ctx, exported)
}
