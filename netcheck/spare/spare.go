// Package spare asks of the spare links of a sync what is asked of the sync link.
package spare

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
)

// The checks of this package.
const (
	CheckOpen  check.ID = "spare-links-open"
	CheckReach check.ID = "spare-links"
)

// toOpen are the checks that have to pass for conntrackd to open a link. It does not
// start where one of its links cannot be opened.
var toOpen = []check.ID{netcheck.CheckInterface, netcheck.CheckCurrentAssigned, netcheck.CheckPortFree}

// once are those that are made for the whole host, or with the sync link. A spare link
// may well be one that carries something else.
var once = []check.ID{netcheck.CheckConntrack, netcheck.CheckFirewall, netcheck.CheckDedicated}

// Open asks whether conntrackd could open every spare link.
func Open(t netcheck.Target) check.Check {
	return check.Check{
		ID: CheckOpen, Title: "Spare links can be opened", Severity: check.Blocker,
		Run: func(ctx context.Context) check.Finding {
			return eachSpare(ctx, t, func(id check.ID) bool { return slices.Contains(toOpen, id) })
		},
	}
}

// Reach asks of every spare link what is asked of the sync link: a fault there is
// seen by nobody until the day on which the sync goes over to it. A wire that it shares
// with another link is one.
func Reach(t netcheck.Target) check.Check {
	return check.Check{
		ID: CheckReach, Title: "Spare links reach the peer", Severity: check.Warning, Needs: []check.ID{CheckOpen},
		Run: func(ctx context.Context) check.Finding {
			f := eachSpare(ctx, t, func(id check.ID) bool { return !slices.Contains(once, id) })
			if f.Status != check.Passed || len(t.Spares) == 0 {
				return f
			}
			interfaces, err := netcheck.Interfaces(ctx)
			if err != nil {
				return check.CouldNotRun(err)
			}
			links := append([]firewall.Flow{t.Flow}, t.Spares...)
			for i, l := range links {
				for _, other := range links[:i] {
					if wire := sharedWire(interfaces, l.Interface, other.Interface); wire != "" {
						return check.Fail("Spare Links: an interface on another wire", "%s and %s share the wire of %s: one fault cuts both links", other.Interface, l.Interface, wire)
					}
				}
			}
			return f
		},
	}
}

// eachSpare makes those checks of the plan for each spare link. What is wrong with all
// of them is one finding, with the remedy of the first of the worst.
func eachSpare(ctx context.Context, t netcheck.Target, asked func(check.ID) bool) check.Finding {
	if len(t.Spares) == 0 {
		return check.Pass("no spare link is set")
	}
	var passed, faults []string
	var first check.Finding
	for _, spare := range t.Spares {
		of := t
		of.Flow = spare
		plan := slices.DeleteFunc(netcheck.Plan(of), func(c check.Check) bool { return !asked(c.ID) })
		results := check.Run(ctx, plan, nil).Results
		bad := worst(results)
		if bad == nil {
			passed = append(passed, fmt.Sprintf("%s from %v to %v, UDP port %d", spare.Interface, spare.Current.Addr(), spare.Peer.Addr(), spare.Port))
			continue
		}
		faults = append(faults, fmt.Sprintf("spare link %s: %s", spare.Interface, bad.Detail))
		if gravity(*bad) > gravity(first) {
			first = *bad
			first.Remedy = ofSpare(spare.Interface, first.Remedy)
		}
	}
	if faults == nil {
		return check.Pass("%s", strings.Join(passed, "; "))
	}
	first.Detail = strings.Join(faults, "; ")
	return first
}

// worst is the first of the gravest findings; nil where nothing is wrong.
func worst(results []check.Result) *check.Finding {
	var bad *check.Finding
	for i, r := range results {
		if g := gravity(r.Finding); g > 0 && (bad == nil || g > gravity(*bad)) {
			bad = &results[i].Finding
		}
	}
	return bad
}

// gravity orders findings: a link that works hides none that does not. Zero is for
// one with which nothing is wrong.
func gravity(f check.Finding) int {
	switch {
	case f.Status == check.Failed && !f.Mild:
		return 3
	case f.Status == check.Failed:
		return 2
	case f.Status == check.Unknown:
		return 1
	}
	return 0
}

// ofSpare is a remedy for a spare link: where it names a field, that of the link.
func ofSpare(name, remedy string) string {
	for _, field := range []string{"Interface Name: ", "Current IP: ", "Peer IP: ", "Port: "} {
		if strings.HasPrefix(remedy, field) {
			return "Spare link " + name + ", " + remedy
		}
	}
	return remedy
}

// sharedWire is the interface on whose wire both are: their own, or the one below a
// VLAN or another interface that stands on one. It is blank where there is none that
// this host could see.
func sharedWire(interfaces []netcheck.Interface, a, b string) string {
	bottom := func(name string) string {
		for range len(interfaces) {
			i := slices.IndexFunc(interfaces, func(i netcheck.Interface) bool { return i.Name == name })
			if i < 0 || interfaces[i].Parent == "" {
				break
			}
			name = interfaces[i].Parent
		}
		return name
	}
	if wire := bottom(a); wire == bottom(b) {
		return wire
	}
	return ""
}
