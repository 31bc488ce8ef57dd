package netcheck_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
)

// target is what the checks are asked about: here an interface that this host
// does not have.
func target() netcheck.Target {
	return netcheck.Target{
		Flow: firewall.Flow{
			Interface: "sync-none",
			Current:   netip.MustParsePrefix("192.0.2.101/24"),
			Peer:      netip.MustParsePrefix("192.0.2.102/24"),
			Port:      3780,
		},
	}
}

// A plan is made of a target and asks nothing yet; check.Run asks all of it. One
// cause is reported once: what needs a check that failed is skipped. Most checks
// of a real target need root.
func ExamplePlan() {
	// The last check is about this host's kernel, not about the target.
	plan := slices.DeleteFunc(netcheck.Plan(target()), func(c check.Check) bool { return c.ID == "conntrack" })
	report := check.Run(context.Background(), plan, nil)
	for _, r := range report.Results {
		if r.Status != check.Skipped {
			fmt.Println(r.Status, r.ID)
		}
	}
	fmt.Println("verdict:", report.Verdict())
	for _, r := range report.Blockers() {
		fmt.Printf("%s: %s\n", r.Title, r.Detail)
	}
	// Output:
	// failed interface
	// passed peer-distinct
	// passed same-subnet
	// verdict: blocked
	// Interface exists: this host has no interface sync-none
}

// The first node of a pair is set up while the peer is not set up yet: what only
// the peer can answer is a warning then.
func ExampleTarget_firstNode() {
	first := target()
	first.FirstNode = true
	for i, c := range netcheck.Plan(target()) {
		if now := netcheck.Plan(first)[i].Severity; now != c.Severity {
			fmt.Printf("%s: %s, with FirstNode %s\n", c.ID, c.Severity, now)
		}
	}
	// Output:
	// carrier: blocker, with FirstNode warning
	// peer-link: blocker, with FirstNode warning
	// peer-ping: blocker, with FirstNode warning
	// path-mtu: blocker, with FirstNode warning
	// peer-port: blocker, with FirstNode warning
}

// SameSubnet has the rules for two addresses on one link.
func ExampleSameSubnet() {
	current := netip.MustParsePrefix("10.0.0.101/24")
	for _, peer := range []string{"10.0.0.102/24", "10.0.9.102/24", "10.0.0.255/24", "10.0.0.102/25"} {
		problems := netcheck.SameSubnet(current, netip.MustParsePrefix(peer))
		if len(problems) == 0 {
			fmt.Println(peer, "is good")
		}
		for _, p := range problems {
			fmt.Printf("%s warning=%v: %s\n", peer, p.Warning, p.Message)
		}
	}
	// Output:
	// 10.0.0.102/24 is good
	// 10.0.9.102/24 warning=false: 10.0.9.102 is not in 10.0.0.0/24, the subnet of Current IP
	// 10.0.0.255/24 warning=false: 10.0.0.255 is the broadcast address of 10.0.0.0/24, not a node's address
	// 10.0.0.102/25 warning=true: the peer has prefix length 25, this node 24; both should have the same
}

// On a point-to-point link the peer's address follows from this node's.
func ExampleOtherEnd() {
	for _, current := range []string{"10.0.0.1/30", "10.0.0.4/31", "fd00::1/126", "10.0.0.1/24"} {
		peer, ok := netcheck.OtherEnd(netip.MustParsePrefix(current))
		if ok {
			fmt.Println(current, "has its peer at", peer)
		} else {
			fmt.Println(current, "has no single other end")
		}
	}
	// Output:
	// 10.0.0.1/30 has its peer at 10.0.0.2
	// 10.0.0.4/31 has its peer at 10.0.0.5
	// fd00::1/126 has its peer at fd00::2
	// 10.0.0.1/24 has no single other end
}
