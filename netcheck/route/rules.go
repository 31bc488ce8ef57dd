package route

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/trust"
)

// policyRule is a rule that chooses a routing table, or refuses. netlink.RuleList leaves
// the action out, so the dump is read here; the actions that refuse have the numbers of
// the route types (linux/fib_rules.h).
type policyRule struct {
	pref, action int
	invert       bool
	tos          byte
	to, from     int // how many bits of the addresses count
	attributes   map[int][]byte
	sourcePorts  [2]uint16 // the first and the last; 0 and 0 for all
	byMask       bool      // they are of a mask
}

// Attributes of the masks of ports, which newer kernels have.
const sourceMask, destinationMask = 28, 29 // FRA_SPORT_MASK, FRA_DPORT_MASK

// policyRules lists the rules of a family, in their order.
func policyRules(family int) ([]policyRule, error) {
	var all []policyRule
	req := nl.NewNetlinkRequest(unix.RTM_GETRULE, unix.NLM_F_DUMP)
	req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
	err := req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWRULE, func(m []byte) bool {
		msg := nl.DeserializeRtMsg(m)
		attrs, err := nl.ParseRouteAttr(m[msg.Len():])
		if err != nil {
			return true
		}
		r := policyRule{action: int(msg.Type), invert: msg.Flags&unix.FIB_RULE_INVERT != 0, tos: msg.Tos,
			to: int(msg.Dst_len), from: int(msg.Src_len), attributes: make(map[int][]byte, len(attrs))}
		for _, a := range attrs {
			r.attributes[int(a.Attr.Type)] = bytes.Clone(a.Value)
		}
		if b := r.attributes[nl.FRA_PRIORITY]; len(b) == 4 { // which the kernel leaves out where it is 0
			r.pref = int(binary.NativeEndian.Uint32(b))
		}
		if b := r.attributes[nl.FRA_SPORT_RANGE]; len(b) == 4 {
			r.sourcePorts = [2]uint16{binary.NativeEndian.Uint16(b), binary.NativeEndian.Uint16(b[2:])}
		}
		if b := r.attributes[sourceMask]; len(b) == 2 {
			r.byMask = binary.NativeEndian.Uint16(b) != 0xffff
		}
		all = append(all, r)
		return true
	})
	return all, err
}

// takes says whether a rule is about all packets of a way, whatever else they are.
func (r policyRule) takes(w Way) bool {
	in := w.In
	if in == "" {
		in = "lo"
	}
	ok := !r.invert && r.tos == 0 && !r.byMask
	for kind, value := range r.attributes {
		switch kind {
		case nl.FRA_DST:
			ok = ok && within(value, r.to, w.To)
		case nl.FRA_SRC:
			ok = ok && within(value, r.from, w.From)
		case nl.FRA_OIFNAME:
			ok = ok && string(value) == w.Out+"\x00"
		case nl.FRA_IIFNAME:
			ok = ok && string(value) == in+"\x00"
		case nl.FRA_PRIORITY, nl.FRA_TABLE, nl.FRA_PROTOCOL, nl.FRA_SUPPRESS_PREFIXLEN, nl.FRA_SUPPRESS_IFGROUP, nl.FRA_FLOW, nl.FRA_PAD: // no selectors
		case nl.FRA_IP_PROTO:
			ok = ok && value[0] == unix.IPPROTO_UDP
		case nl.FRA_DPORT_RANGE: // first and last
			ok = ok && w.Port >= binary.NativeEndian.Uint16(value) && w.Port <= binary.NativeEndian.Uint16(value[2:])
		case destinationMask:
			ok = ok && binary.NativeEndian.Uint16(value) == 0xffff
		case nl.FRA_FWMARK: // the daemon sets none
			ok = ok && binary.NativeEndian.Uint32(value) == 0
		case nl.FRA_UID_RANGE: // the daemon is root's
			ok = ok && binary.NativeEndian.Uint32(value) == 0
		case nl.FRA_SPORT_RANGE:
			least, most := sourcePorts(w.In != "")
			ok = ok && r.sourcePorts[0] <= least && r.sourcePorts[1] >= most
		case nl.FRA_FWMASK, sourceMask: // without the above no selectors
		default:
			ok = false // whose packets those are is not known here
		}
	}
	return ok
}

// refusingRule finds the kind of the first rule that refuses the packets of a way, and the words
// of ip(8) that remove it and none of the same preference; zero where there is none.
func refusingRule(family int, w Way) (kind int, words string) {
	rules, err := policyRules(family)
	i := slices.IndexFunc(rules, func(r policyRule) bool { return refuses(r.action) && r.takes(w) })
	if err != nil || i < 0 {
		return 0, ""
	}
	kind = rules[i].action
	same := slices.DeleteFunc(slices.Clone(rules[:i]), func(r policyRule) bool { return r.pref != rules[i].pref })
	alone := len(same) == 0 && (i+1 == len(rules) || rules[i+1].pref != rules[i].pref)
	switch {
	case alone:
		return kind, fmt.Sprintf("rule del pref %d", rules[i].pref)
	case slices.ContainsFunc(same, rules[i].isOf):
		return kind, "" // the kernel would remove that one, which is more special
	}
	return kind, fmt.Sprintf("rule del pref %d %s%s", rules[i].pref, rules[i].selectors(), KindName(kind))
}

// isOf says whether the words that name r name another rule, too.
func (r policyRule) isOf(other policyRule) bool {
	for kind, value := range r.attributes {
		selects := !slices.Contains([]int{nl.FRA_TABLE, nl.FRA_SUPPRESS_PREFIXLEN, nl.FRA_SUPPRESS_IFGROUP, nl.FRA_FLOW, nl.FRA_PAD}, kind)
		if selects && !bytes.Equal(value, other.attributes[kind]) {
			return false
		}
	}
	return r.action == other.action && (r.to == 0 || r.to == other.to) && (r.from == 0 || r.from == other.from)
}

// selectors are those of a rule that takes a way, in the words of ip(8).
func (r policyRule) selectors() string {
	var b strings.Builder
	network := func(word string, kind, bits int) {
		if a, ok := netip.AddrFromSlice(r.attributes[kind]); ok {
			fmt.Fprintf(&b, "%s %v ", word, netip.PrefixFrom(a, bits))
		}
	}
	name := func(word string, kind int) {
		if v, ok := r.attributes[kind]; ok {
			fmt.Fprintf(&b, "%s %s ", word, bytes.TrimRight(v, "\x00"))
		}
	}
	network("from", nl.FRA_SRC, r.from)
	network("to", nl.FRA_DST, r.to)
	name("iif", nl.FRA_IIFNAME)
	name("oif", nl.FRA_OIFNAME)
	if _, ok := r.attributes[nl.FRA_IP_PROTO]; ok {
		b.WriteString("ipproto udp ")
	}
	if v, ok := r.attributes[nl.FRA_DPORT_RANGE]; ok {
		fmt.Fprintf(&b, "dport %d-%d ", binary.NativeEndian.Uint16(v), binary.NativeEndian.Uint16(v[2:]))
	}
	if r.sourcePorts[1] != 0 {
		fmt.Fprintf(&b, "sport %d-%d ", r.sourcePorts[0], r.sourcePorts[1])
	}
	if v, ok := r.attributes[nl.FRA_UID_RANGE]; ok {
		fmt.Fprintf(&b, "uidrange %d-%d ", binary.NativeEndian.Uint32(v), binary.NativeEndian.Uint32(v[4:]))
	}
	if v, ok := r.attributes[nl.FRA_FWMASK]; ok {
		fmt.Fprintf(&b, "fwmark 0/%#x ", binary.NativeEndian.Uint32(v))
	}
	return b.String()
}

// AskForMark says whether a policy rule of the family, 4 or 6, asks for the mark of packets.
func AskForMark(family int) (bool, error) {
	rules, err := trust.Message(func() ([]policyRule, error) {
		return policyRules(map[int]int{4: unix.AF_INET, 6: unix.AF_INET6}[family])
	})
	return slices.ContainsFunc(rules, func(r policyRule) bool { return len(r.attributes[nl.FRA_FWMARK]) > 0 }), err
}

// DependOnSourcePort says whether the answers may be others from another source port than
// the one that is asked for.
func DependOnSourcePort(questions ...Question) (bool, error) {
	for _, q := range questions {
		family := unix.AF_INET
		if q.To.Unmap().Is6() {
			family = unix.AF_INET6
		}
		rules, err := policyRules(family)
		if err != nil {
			return false, fmt.Errorf("list the policy rules: %w", err)
		}
		least, most := sourcePorts(q.In != 0)
		usual, failure := Ask(q)
		for _, r := range rules {
			if r.byMask {
				return true, nil
			}
			for _, port := range []int{int(r.sourcePorts[0]), int(r.sourcePorts[1]) + 1} { // where another answer begins
				if r.sourcePorts[1] == 0 || port < int(least) || port > int(most) {
					continue
				}
				q.SourcePort = uint16(port)
				if a, err := Ask(q); a != usual || !errors.Is(err, failure) {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// sourcePorts are the first and the last port that a kernel gives to who asks for none:
// this one, or any.
func sourcePorts(any bool) (least, most uint16) {
	content, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil && !any {
		_, err = fmt.Sscan(string(content), &least, &most)
	}
	if err != nil || any {
		return 1024, math.MaxUint16
	}
	return least, most
}

func within(network []byte, bits int, addr netip.Addr) bool {
	n, ok := netip.AddrFromSlice(network)
	return ok && netip.PrefixFrom(n, bits).Contains(addr)
}
