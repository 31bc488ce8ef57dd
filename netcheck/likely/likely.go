// Package likely ranks interfaces by how likely each is the one for the sync.
package likely

import (
	"net/netip"
	"slices"
	"strings"

	"connsync/netcheck"
)

// Choice is the outcome of [Of].
type Choice struct {
	// Names are the likeliest interfaces: more than one where they are equally likely,
	// none of an empty list.
	Names []string
	// Dedicated says that nothing known speaks against them.
	Dedicated bool
}

// Only is the one name of the choice; blank where there is none, or more than one.
func (c Choice) Only() string {
	if len(c.Names) == 1 {
		return c.Names[0]
	}
	return ""
}

// Of returns the likeliest of the list, which holds those that can be chosen at all.
func Of(list []netcheck.Interface) Choice {
	var c Choice
	most := 0
	for _, i := range list {
		switch r := rank(i); {
		case r > most || len(c.Names) == 0:
			most, c.Names = r, []string{i.Name}
		case r == most:
			c.Names = append(c.Names, i.Name)
		}
	}
	c.Dedicated = most >= dedicated
	return c
}

// The ranks below dedicated are of interfaces against which something speaks.
const (
	shared = iota // with production traffic, or a part of another one
	silent        // down, or without a carrier
	dedicated
)

// rank weighs what is known of an interface: an address like those of a link between two
// nodes says most, then a name that tells what it is for; what is a port of the host, or
// several of them, leads to another host, while a bridge may not.
func rank(i netcheck.Interface) int {
	switch {
	case i.Loopback, i.DefaultRoute, i.Carries != "", i.Master != "":
		return shared
	case !i.Up || !i.Carrier:
		return silent
	}
	points := dedicated
	if slices.ContainsFunc(append([]string{i.Name, i.Alias}, i.AltNames...), namesSync) {
		points += 5
	}
	points += slices.Max(append([]int{0}, ofAddresses(i)...))
	switch i.Kind {
	case "physical", "bond", "team":
		points += 2
	case "vlan":
		points++
	}
	return points
}

// ofAddresses are the points of each address.
func ofAddresses(i netcheck.Interface) []int {
	var points []int
	for _, p := range i.Addresses {
		a := p.Addr()
		if a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsMulticast() {
			continue
		}
		n := 4
		if a.IsPrivate() && (a.Is6() || p.Bits() >= 24 && p.Bits() <= 31) {
			n += 4
		}
		if _, two := netcheck.OtherEnd(p); two {
			n += 4
		}
		points = append(points, n)
	}
	return points
}

// namesSync says that a name or an alias tells what the interface is for.
func namesSync(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r < 'a' || r > 'z' })
	return slices.ContainsFunc(words, func(word string) bool {
		return slices.Contains([]string{"sync", "connsync", "conntrack", "conntrackd", "ha", "hb", "heartbeat", "cluster", "failover", "pfsync"}, word)
	})
}

// Networks are those that the addresses of the interfaces are in, each with the name of
// its interface, without those against which something speaks already.
func Networks(list []netcheck.Interface) map[netip.Prefix]string {
	networks := map[netip.Prefix]string{}
	for _, i := range list {
		if rank(i) == shared {
			continue
		}
		for _, p := range i.Addresses {
			if !p.Addr().IsLinkLocalUnicast() && !p.IsSingleIP() {
				networks[p.Masked()] = i.Name
			}
		}
	}
	return networks
}
