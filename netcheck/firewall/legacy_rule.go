package firewall

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// legacyRule is a rule in the words of iptables-save, without its chain.
type legacyRule []string

// weigh reads the rule from left to right. An option that is not understood is
// one that may not match.
func (r legacyRule) weigh(w *follower, c *chain) (truth, *expr.Verdict) {
	holds, invert, module := yes, false, ""
	for i := 0; i < len(r); i++ {
		if r[i] == "!" {
			invert = true
			continue
		}
		argument := ""
		if i+1 < len(r) {
			argument = r[i+1]
		}
		t := maybe
		switch r[i] {
		case "-j", "-g":
			if holds == no {
				return no, nil
			}
			return legacyTarget(w, c, holds, r[i] == "-g", argument, r[i+1:])
		case "-m":
			// Modules whose options are understood, or that match by themselves.
			module = argument
			t = truthOr(slices.Contains([]string{"udp", "tcp", "comment", "conntrack", "state", "multiport", "icmp6", "icmp", "hl", "addrtype", "mark", "connmark"}, argument))
			if argument == "rpfilter" && w.flow.in && w.flow.direct {
				t = w.flow.ofSource(truthOf(!slices.Contains(r, "--invert")))
			}
		case "--mark":
			if bits, mask, ok := maskedNumber(argument); ok && module != "" {
				t, invert = w.isMarked(module, bits, mask, invert), false
			}
		default:
			t = w.option(r[i], argument)
		}
		holds, invert = holds.and(t.notIf(invert)), false
		if hasText(r[i]) || !strings.HasPrefix(argument, "-") && argument != "!" {
			i++
		}
	}
	return holds, nil
}

// hasText says that the next word belongs to an option, whatever it looks like.
func hasText(option string) bool {
	switch option {
	case "--comment", "--string", "--hex-string", "--u32", "--bytecode", "--name", "--hashlimit-name", "--match-set", "--helper", "--path",
		"--rateest", "--rateest1", "--rateest2", "--genre", "--label", "--nfacct-name":
		return true
	}
	return false
}

func legacyTarget(w *follower, c *chain, holds truth, goTo bool, name string, rest []string) (truth, *expr.Verdict) {
	switch {
	case goTo:
		return holds, &expr.Verdict{Kind: expr.VerdictGoto, Chain: name}
	case name == "ACCEPT":
		return holds, &expr.Verdict{Kind: expr.VerdictAccept}
	case name == "DROP" || name == "REJECT":
		return holds, &expr.Verdict{Kind: expr.VerdictDrop}
	case name == "RETURN":
		return holds, &expr.Verdict{Kind: expr.VerdictReturn}
	case name == "NOTRACK" || name == "CT" && slices.Contains(rest, "--notrack"):
		w.untrack(holds)
		return holds, nil
	case name == "CT":
		w.assign(holds)
		return holds, nil
	case slices.Contains([]string{"MARK", "CONNMARK", "HMARK", "SET"}, name):
		w.legacyMark(holds, name, rest[1:])
		return holds, nil
	case w.flow.goesOn(name):
		return holds, nil
	case name == "SNAT":
		_, verdict := w.flow.translateSource(legacySource(rest))
		return holds, verdict
	case name == "MASQUERADE":
		_, verdict := w.flow.translateSource(w.flow.source)
		return holds, verdict
	case w.rules.chains[chainName{c.Family, c.Table, name, c.program}] != nil:
		return holds, &expr.Verdict{Kind: expr.VerdictJump, Chain: name}
	}
	w.flow.changed |= translated | otherSource
	return holds, &expr.Verdict{Kind: verdictUnknown}
}

// option weighs one option of iptables.
func (w *follower) option(name, argument string) truth {
	p := w.flow
	switch name {
	case "-i", "-o":
		pattern, open := strings.CutSuffix(argument, "+")
		ours := (name == "-i") == p.in && (argument == p.iface || open && strings.HasPrefix(p.iface, pattern))
		return truthOf(ours).unless(name == "-i" && w.hasDevice())
	case "-s", "-d":
		if name == "-d" {
			return p.ofDestination(inNetwork(p.destination, argument))
		}
		return p.ofSource(inNetwork(p.source, argument))
	case "-p":
		protocols := map[string]byte{"udp": unix.IPPROTO_UDP, "ipv6-icmp": unix.IPPROTO_ICMPV6, "icmpv6": unix.IPPROTO_ICMPV6, "igmp": unix.IPPROTO_IGMP, "all": p.protocol}
		return truthOf(protocols[argument] == p.protocol || argument == strconv.Itoa(int(p.protocol)))
	case "--dport", "--dports":
		if p.protocol != unix.IPPROTO_UDP {
			return no
		}
		return p.ofDestination(inPorts(p.destinationPort(), argument))
	case "--icmpv6-type":
		kind, _, code := strings.Cut(argument, "/")
		n, err := strconv.Atoi(kind)
		return p.ofDestination(truthOr(!code).and(truthOf(p.protocol == unix.IPPROTO_ICMPV6 && n == int(p.transport.bytes[0]))).unless(err != nil))
	case "--hl-eq":
		return truthOf(argument == strconv.Itoa(int(p.hopLimit))).unless(p.hopLimit == 0)
	case "--comment", "--invert", "--loose", "--validmark", "--accept-local":
		return yes
	case "--src-type":
		return p.inAddressTypes(false, argument)
	case "--dst-type":
		return p.inAddressTypes(true, argument)
	case "--state", "--ctstate":
		states := map[string]uint32{"INVALID": stateInvalid, "NEW": stateNew, "UNTRACKED": stateUntrackedXT, "SNAT": statesTranslatedXT, "DNAT": statesTranslatedXT}
		mask := uint32(0)
		for s := range strings.SplitSeq(argument, ",") {
			mask |= states[s]
		}
		return w.inState(mask)
	}
	return maybe
}

// inAddressTypes reads iptables' list of address types.
func (p *firstPacket) inAddressTypes(destination bool, list string) truth {
	// In the order of their bits (linux/netfilter/xt_addrtype.h).
	names := []string{"UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "THROW", "NAT", "XRESOLVE"}
	var mask xt.AddrTypeFlags
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return maybe
		}
		mask |= 1 << i
	}
	return p.isOfType(destination, mask)
}

func inNetwork(addr netip.Addr, text string) truth {
	if !strings.Contains(text, "/") {
		text += "/" + strconv.Itoa(addr.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return maybe // a mask with holes
	}
	return truthOf(p.Contains(addr))
}

// inPorts reads iptables' lists of ports and of ranges with a colon.
func inPorts(port uint16, list string) truth {
	in := no
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, ":")
		if !isRange {
			to = from
		}
		low, errLow := strconv.ParseUint(from, 10, 16)
		high, errHigh := strconv.ParseUint(to, 10, 16)
		switch {
		case errLow != nil || errHigh != nil:
			return maybe
		case uint64(port) >= low && uint64(port) <= high:
			in = yes
		}
	}
	return in
}
