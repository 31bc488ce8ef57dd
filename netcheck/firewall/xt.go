package firewall

import (
	"encoding/binary"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// match evaluates the matches that iptables has as modules.
func (ev *evaluation) match(e *expr.Match) truth {
	switch info := e.Info.(type) {
	case *xt.Comment:
		return yes
	case *xt.Udp:
		if ev.flow.protocol != unix.IPPROTO_UDP {
			return no
		}
		port := ev.flow.destinationPort()
		in := ev.flow.ofDestination(truthOf(port >= info.DstPorts[0] && port <= info.DstPorts[1])).notIf(info.InvFlags&xt.UdpInvDestPorts != 0)
		if info.SrcPorts != [2]uint16{0, 0xffff} {
			return in.and(maybe)
		}
		return in
	case *xt.Tcp:
		return no
	case *xt.ConntrackMtinfo3:
		return ev.conntrackState(info.ConntrackMtinfoBase, uint32(info.StateMask))
	case *xt.ConntrackMtinfo2:
		return ev.conntrackState(info.ConntrackMtinfoBase, uint32(info.StateMask))
	case *xt.AddrTypeV1:
		return ev.addressType(info)
	case *xt.Unknown:
		switch e.Name {
		case "multiport":
			return ev.multiport(*info)
		case "rpfilter":
			return ev.reversePath(*info)
		case "icmp6":
			return ev.icmp6(*info)
		case "icmp":
			return no
		case "mark", "connmark":
			return ev.hasMark(e.Name, *info)
		case "hl":
			return ev.hopLimit(*info)
		}
	}
	return maybe
}

func (p *firstPacket) destinationPort() uint16 { return binary.BigEndian.Uint16(p.transport.bytes[2:]) }

// conntrackState is iptables' --ctstate.
func (ev *evaluation) conntrackState(info xt.ConntrackMtinfoBase, mask uint32) truth {
	if xt.ConntrackFlags(info.MatchFlags)&^xt.ConntrackStateAlias != xt.ConntrackState {
		return maybe
	}
	return ev.inState(mask).notIf(xt.ConntrackFlags(info.InvertFlags)&xt.ConntrackState != 0)
}

// inState says whether the flow has one of the states of iptables.
func (w *follower) inState(mask uint32) truth {
	now := w.flow.state(w.base)
	if now == stateUntracked {
		now = stateUntrackedXT
	}
	in := truthOf(mask&now != 0)
	return in.unless(now == 0 || in == no && mask&statesTranslatedXT != 0 && w.flow.changed&translated != 0)
}

// addressType is iptables' --src-type and --dst-type.
func (ev *evaluation) addressType(info *xt.AddrTypeV1) truth {
	const invertSource, invertDestination, limitIn, limitOut = 1, 2, 4, 8 // linux/netfilter/xt_addrtype.h
	if info.Flags&(limitIn|limitOut) != 0 {
		return maybe
	}
	in := yes
	if info.Source != 0 {
		in = ev.flow.isOfType(false, xt.AddrTypeFlags(info.Source)).notIf(info.Flags&invertSource != 0)
	}
	if info.Dest != 0 {
		in = in.and(ev.flow.isOfType(true, xt.AddrTypeFlags(info.Dest)).notIf(info.Flags&invertDestination != 0))
	}
	return in
}

// isOfType says whether an address is of one of the types, which with IPv6 have to fit
// all of those that are no question of routes.
func (p *firstPacket) isOfType(destination bool, mask xt.AddrTypeFlags) truth {
	multicast := destination && p.destination.IsMulticast()
	kind := xt.AddrTypeUnicast
	switch {
	case multicast:
		kind = xt.AddrTypeMulticast
	case destination == p.in:
		kind = xt.AddrTypeLocal
	}
	const routed = xt.AddrTypeLocal | xt.AddrTypeAnycast | xt.AddrTypeUnreachable
	in := truthOf(mask&kind != 0)
	if p.is6() {
		in = truthOf(mask&xt.AddrTypeUnspec == 0 && (mask&xt.AddrTypeMulticast == 0 || multicast) && (mask&xt.AddrTypeUnicast == 0 || !multicast) &&
			(mask&routed == 0 || mask&routed&kind != 0))
	}
	if destination {
		return p.ofDestination(in)
	}
	return p.ofSource(in)
}

// multiport is struct xt_multiport_v1: which ports are meant, how many, 15
// ports, 15 marks of those that begin a range, and whether it is inverted.
func (ev *evaluation) multiport(info []byte) truth {
	const source, destination, either, most = 0, 1, 2, 15
	if len(info) < 2+2*most+most+1 || ev.flow.protocol != unix.IPPROTO_UDP || int(info[1]) > most {
		return maybe
	}
	port, in := ev.flow.destinationPort(), no
	for i := 0; i < int(info[1]); i++ {
		from := binary.NativeEndian.Uint16(info[2+2*i:])
		to := from
		if info[2+2*most+i] != 0 && i+1 < int(info[1]) {
			i++
			to = binary.NativeEndian.Uint16(info[2+2*i:])
		}
		if port >= from && port <= to {
			in = yes
		}
	}
	in = ev.flow.ofDestination(in)
	switch {
	case info[0] == source, info[0] == either && in != yes:
		return maybe
	case info[2+2*most+most] != 0:
		return in.not()
	}
	return in
}

// reversePath is struct xt_rpfilter_info: does the way back leave through the
// interface.
func (ev *evaluation) reversePath(info []byte) truth {
	const loose, validMark, invert = 1, 2, 8
	if len(info) == 0 || !ev.flow.in || !ev.flow.direct {
		return maybe
	}
	return ev.flow.ofSource(truthOf(info[0]&invert == 0))
}

// icmp6 is struct ip6t_icmp: type, first and last code, whether it is inverted.
func (ev *evaluation) icmp6(info []byte) truth {
	if len(info) < 4 || ev.flow.protocol != unix.IPPROTO_ICMPV6 {
		return no
	}
	in := ev.flow.ofDestination(truthOf(info[0] == 0xff || info[0] == ev.flow.transport.bytes[0] && info[1] == 0))
	return in.notIf(info[3] != 0)
}

// hopLimit is struct ip6t_hl_info: how to compare, and with what.
func (ev *evaluation) hopLimit(info []byte) truth {
	const equal = 0
	if len(info) < 2 || info[0] != equal || ev.flow.hopLimit == 0 {
		return maybe
	}
	return ev.flow.ofDestination(truthOf(info[1] == ev.flow.hopLimit))
}

// target evaluates the targets that iptables has as modules.
func (ev *evaluation) target(e *expr.Target) (truth, *expr.Verdict) {
	switch e.Name {
	case "REJECT", "DROP":
		return yes, &expr.Verdict{Kind: expr.VerdictDrop}
	case "NOTRACK":
		ev.untrack(ev.holds)
		return yes, nil
	case "CT":
		const notrack = 1 // XT_CT_NOTRACK
		if info, ok := e.Info.(*xt.Unknown); !ok || len(*info) < 2 || binary.NativeEndian.Uint16(*info)&notrack != 0 {
			ev.untrack(ev.holds)
		} else {
			ev.assign(ev.holds)
		}
		return yes, nil
	case "DNAT", "REDIRECT", "NETMAP":
		return ev.flow.translate()
	case "SNAT":
		return ev.flow.translateSource(ev.flow.snatSource(e))
	case "MASQUERADE":
		return ev.flow.translateSource(ev.flow.source)
	case "MARK", "CONNMARK", "HMARK", "SET":
		ev.markTarget(e)
		return yes, nil
	}
	if ev.flow.goesOn(e.Name) {
		return yes, nil
	}
	ev.flow.changed |= translated | otherSource
	return maybe, &expr.Verdict{Kind: verdictUnknown}
}

// goesOn says that a target of iptables lets the packet go on to the next rule.
func (p *firstPacket) goesOn(target string) bool {
	if target == "HL" && p.hopLimit != 0 {
		p.changed |= astray
	}
	switch target {
	case "LOG", "NFLOG", "ULOG", "SECMARK", "CONNSECMARK", "TOS", "DSCP", "TTL", "HL", "ECN", "CHECKSUM",
		"CLASSIFY", "TRACE", "AUDIT", "RATEEST", "TEE", "LED", "IDLETIMER", "TCPMSS", "TCPOPTSTRIP":
		return true
	}
	return false
}
