package firewall

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"connsync/netcheck/nft"
)

// tracking is what connection tracking knows of a packet.
type tracking uint8

const (
	tracks tracking = iota
	untracked
	eitherWay   // rules may have done something to it that is not known
	zoned       // a rule gave it a zone, a helper or the like, so that none takes it out any more
	untrackable // the kernel itself does not track it
)

// Connection tracking begins at this priority, in the hooks that see a packet
// first (NF_IP_PRI_CONNTRACK).
const conntrackPriority = -200

// The states that rules ask for. Those of iptables' own match are the same but
// for the last, and it has more.
const (
	stateInvalid       = 1
	stateNew           = 8
	stateUntracked     = 64
	statesTranslatedXT = 64 | 128 // of the source, of the destination
	stateUntrackedXT   = 256
)

// meetsFirst says that a base chain is in a hook in which connection tracking begins.
func (c *chain) meetsFirst() bool {
	return !c.ingress() && !c.egress() && (c.Hook == hookPrerouting || c.Hook == hookOutput)
}

// beforeTracking says that packets meet a base chain before connection tracking.
func (c *chain) beforeTracking() bool {
	return c.ingress() || c.meetsFirst() && c.Priority < conntrackPriority
}

// state is the flow's state at a base chain, as one of the bits above; 0 when
// it cannot be told. There is always one.
func (p *firstPacket) state(c *chain) uint32 {
	unclear := c.meetsFirst() && c.Priority == conntrackPriority || c.ingress() && p.bridged
	switch {
	case p.tracked == untracked, p.tracked == untrackable && !c.beforeTracking() && !unclear:
		return stateUntracked
	case p.arp != 0, c.egress(), c.Family == nftables.TableFamilyBridge, p.tracked == eitherWay, unclear:
		return 0
	case c.beforeTracking() && p.tracked != zoned:
		return stateInvalid
	}
	return stateNew
}

// untrack is what a rule does that takes the flow out of connection tracking; once it is
// tracked, or has a zone, it is too late.
func (w *follower) untrack(holds truth) { w.prepare(holds, untracked) }

// zone is what a rule of nftables does that gives the flow a zone: what was untracked is
// tracked then, too.
func (w *follower) zone(holds truth) { w.prepare(holds, zoned) }

// assign is what iptables' target CT does to a flow that is not untracked.
func (w *follower) assign(holds truth) {
	if w.flow.tracked != untracked {
		w.prepare(holds, zoned)
	}
}

// prepare does to the flow, before it is tracked, what has it tracked in another way.
func (w *follower) prepare(holds truth, as tracking) {
	p, c := w.flow, w.base
	switch {
	case p.tracked == as, p.tracked == zoned, p.tracked == eitherWay, c.egress():
	case c.Family == nftables.TableFamilyBridge, c.ingress() && p.bridged: // it may be tracked by then
		if c.incoming() {
			p.tracked = eitherWay
		}
	case as == zoned && !c.beforeTracking() && (p.tracked == untracked || p.tracked == untrackable):
		p.tracked = eitherWay // it looks tracked from there on, also to chains of the type nat
	case !c.beforeTracking() && !(c.meetsFirst() && c.Priority == conntrackPriority):
	case holds == yes && !w.loose && c.beforeTracking() && (as == untracked || p.tracked != untrackable):
		p.tracked = as
	default:
		p.tracked = eitherWay
	}
}

// tracks says whether something in the rules certainly makes this node track connections of
// the packet's family. Where nothing does, chains of the type nat see no packet.
func (r *ruleset) tracks(p *firstPacket) bool {
	own := nftables.TableFamilyIPv4
	if p.is6() {
		own = nftables.TableFamilyIPv6
	}
	return slices.ContainsFunc(r.all, func(c *chain) bool {
		if c.Family != own && c.Family != nftables.TableFamilyINet {
			return false
		}
		rules, err := r.rules(c)
		return err == nil && slices.ContainsFunc(rules, needsTracking)
	})
}

// needsTracking says that a rule has connections tracked by being there.
func needsTracking(r rule) bool {
	switch r := r.(type) {
	case legacyRule:
		return slices.ContainsFunc(r, trackingModule) && !slices.Contains(r, "--comment") // whose text may be one of the names
	case *nftRule:
		return slices.ContainsFunc(r.Exprs, func(e nft.Expression) bool {
			switch e := e.Decoded.(type) {
			case *expr.Ct, *expr.NAT, *expr.Masq, *expr.Redir:
				return true
			case *expr.Match:
				return trackingModule(e.Name)
			case *expr.Target:
				return trackingModule(e.Name)
			}
			return false
		})
	}
	return false
}

// trackingModule says that a match or a target of iptables has connections tracked.
func trackingModule(name string) bool {
	switch name {
	case "conntrack", "state", "connmark", "connlimit", "CONNMARK", "DNAT", "SNAT", "REDIRECT", "MASQUERADE", "NETMAP":
		return true
	}
	return false
}
