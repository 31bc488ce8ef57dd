// Package candidates finds what the interfaces of this host carry beside a sync:
// keepalived's virtual addresses, and connections that pass through.
package candidates

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"connsync/conntrackd/coverage"
	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"connsync/netcheck/likely"
)

// Watch is [netcheck.Watch] with why an interface carries production traffic, by the
// virtual addresses and by the connections that pass through as it begins.
func Watch(ctx context.Context, virtual []netip.Addr) (<-chan []netcheck.Interface, error) {
	lists, err := netcheck.Watch(ctx)
	if err != nil {
		return nil, err
	}
	out := make(chan []netcheck.Interface)
	go func() {
		defer close(out)
		var passing map[string]string
		for list := range lists {
			marked := slices.Clone(list)
			for i := range marked {
				marked[i].Carries = netcheck.Target{Virtual: virtual}.Carries(marked[i])
			}
			if passing == nil {
				passing = connections(ctx, marked)
			}
			for i := range marked {
				if marked[i].Carries == "" {
					marked[i].Carries = passing[marked[i].Name]
				}
			}
			select {
			case out <- marked:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// What is looked at for a list: more would hold it up.
const (
	mostConnections = 20_000
	mostNetworks    = 64
)

// connections says of interfaces which connection passes through their network. What
// nobody can look at, or takes long, is left out.
func connections(ctx context.Context, list []netcheck.Interface) map[string]string {
	passing := map[string]string{}
	networks := likely.Networks(list)
	if len(networks) == 0 || len(networks) > mostNetworks || !fewConnections() {
		return passing
	}
	var own []netip.Addr
	for _, i := range list {
		for _, p := range i.Addresses {
			own = append(own, p.Addr())
		}
	}
	through, err := coverage.Through(ctx, slices.Collect(maps.Keys(networks)), own...)
	if err != nil {
		return passing
	}
	for network, entry := range through {
		name := networks[network]
		passing[name] = passes(entry, name)
	}
	return passing
}

func fewConnections() bool {
	text, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && n <= mostConnections
}

func passes(e coverage.Entry, name string) string {
	return fmt.Sprintf("the connection from %v to %v passes through the network of %s", e.Original.Source, e.Original.Destination, name)
}

// Shared says of an interface that looked dedicated which forwarded connection uses its
// network; f where none does, or nobody can look.
func Shared(ctx context.Context, flow firewall.Flow, f check.Finding) check.Finding {
	network := flow.Current.Masked()
	if !network.IsValid() || network.IsSingleIP() {
		return f
	}
	through, err := coverage.Through(ctx, []netip.Prefix{network}, flow.Current.Addr(), flow.Peer.Addr())
	entry, some := through[network]
	if err != nil || !some {
		return f
	}
	return netcheck.NotDedicated("Interface Name: one that carries nothing else", passes(entry, flow.Interface))
}
