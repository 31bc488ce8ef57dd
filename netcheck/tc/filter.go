package tc

import (
	"encoding/binary"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/netcheck/firewall"
	"connsync/netcheck/packet"
)

// filter is a filter of tc.
type filter struct {
	kind     string
	protocol uint16
	options  map[int][]byte
}

// list lists the filters of one hook of a device. The library leaves out actions that it
// does not know.
func list(index int, parent uint32) ([]filter, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETTFILTER, unix.NLM_F_DUMP)
	req.AddData(&nl.TcMsg{Family: nl.FAMILY_ALL, Ifindex: int32(index), Parent: parent})
	messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWTFILTER)
	if err != nil {
		return nil, err
	}
	var all []filter
	for _, m := range messages {
		msg := nl.DeserializeTcMsg(m)
		attributes, err := attributesOf(m[msg.Len():])
		if err != nil {
			return nil, err
		}
		f := filter{kind: string(attributes[nl.TCA_KIND]), protocol: binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, uint16(msg.Info)))}
		if f.options, err = attributesOf(attributes[nl.TCA_OPTIONS]); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func attributesOf(b []byte) (map[int][]byte, error) {
	parts, err := nl.ParseRouteAttr(b)
	all := make(map[int][]byte, len(parts))
	for _, p := range parts {
		all[int(p.Attr.Type&^unix.NLA_F_NESTED)] = p.Value
	}
	return all, err
}

// Attributes of the kinds of filters (linux/pkt_cls.h).
const (
	u32Select, u32Police, u32Actions    = 5, 6, 7
	bpfActions, bpfPolice, bpfFlags     = 1, 2, 8
	allActions, flowerActions, fwAction = 2, 3, 4
)

// mayTake says whether a filter may match one of the packets and keep it from going on.
func (f filter) mayTake(packets []header) bool {
	const direct = 1 // TCA_BPF_FLAG_ACT_DIRECT
	var actions []byte
	matches, polices := false, false
	for _, p := range packets {
		matches = matches || (f.protocol == unix.ETH_P_ALL || f.protocol == p.protocol) && f.mayMatch(p)
	}
	if !matches || len(f.options) == 0 {
		return false
	}
	switch f.kind {
	case "u32\x00":
		if _, ok := f.options[u32Select]; !ok { // a table of them
			return false
		}
		actions, polices = f.options[u32Actions], f.options[u32Police] != nil
	case "bpf\x00":
		if flags := f.options[bpfFlags]; len(flags) == 4 && binary.NativeEndian.Uint32(flags)&direct != 0 {
			return true
		}
		actions, polices = f.options[bpfActions], f.options[bpfPolice] != nil
	case "matchall\x00":
		actions = f.options[allActions]
	case "flower\x00":
		actions = f.options[flowerActions]
	case "fw\x00":
		actions = f.options[fwAction]
	default:
		return true
	}
	return polices || !harmless(actions)
}

// harmless says that actions let a packet go on as it is.
func harmless(actions []byte) bool {
	const kind, options, parameters, probability = 1, 2, 2, 3 // TCA_ACT_KIND, TCA_ACT_OPTIONS, of gact and mirred
	list, err := attributesOf(actions)
	for _, one := range list {
		action, errAction := attributesOf(one)
		of, errOptions := attributesOf(action[options])
		b, how := of[parameters], string(action[kind])
		const control, direction, size = 8, 20, 28 // in struct tc_gact and struct tc_mirred
		if errAction != nil || errOptions != nil || len(b) < direction {
			return false
		}
		_, random := of[probability]
		next := netlink.TcAct(int32(binary.NativeEndian.Uint32(b[control:])))
		passes := next == netlink.TC_ACT_OK || next == netlink.TC_ACT_PIPE || next == netlink.TC_ACT_UNSPEC
		copies := how == "mirred\x00" && len(b) >= size && isCopy(binary.NativeEndian.Uint32(b[direction:]))
		if !passes || !(how == "gact\x00" && !random || copies) {
			return false
		}
	}
	return err == nil
}

func isCopy(action uint32) bool {
	return action == uint32(netlink.TCA_EGRESS_MIRROR) || action == uint32(netlink.TCA_INGRESS_MIRROR)
}

// header is what is known of a packet from its network header on.
type header struct {
	protocol     uint16
	bytes, known []byte
}

func (h header) put(at int, b ...byte) {
	copy(h.bytes[at:], b)
	for i := range b {
		h.known[at+i] = 0xff
	}
}

// packetsOf are those that the sync needs in one direction.
func packetsOf(f firewall.Flow, in bool) []header {
	const size = 64
	source, destination := f.Current.Addr().Unmap().WithZone(""), f.Peer.Addr().Unmap().WithZone("")
	if in {
		source, destination = destination, source
	}
	to := destination
	if f.Group.IsValid() {
		to = f.Group
	}
	blank := func(protocol uint16) header { return header{protocol, make([]byte, size), make([]byte, size)} }
	port := binary.BigEndian.AppendUint16(nil, f.Port)
	if source.Is4() {
		ip, arp := blank(unix.ETH_P_IP), blank(unix.ETH_P_ARP)
		ip.put(0, 0x45)
		ip.put(packet.IPv4ProtocolAt, unix.IPPROTO_UDP)
		ip.put(packet.IPv4SourceAt, source.AsSlice()...)
		ip.put(packet.IPv4SourceAt+4, to.AsSlice()...)
		ip.put(20+2, port...)
		arp.put(2, unix.ETH_P_IP>>8, unix.ETH_P_IP&0xff)
		arp.put(packet.ARPSourceAt, source.AsSlice()...)
		arp.put(packet.ARPTargetAt, destination.AsSlice()...)
		return []header{ip, arp}
	}
	ip, nd := blank(unix.ETH_P_IPV6), blank(unix.ETH_P_IPV6)
	ip.put(packet.IPv6NextHeaderAt, unix.IPPROTO_UDP)
	ip.put(packet.IPv6SourceAt, source.AsSlice()...)
	ip.put(packet.IPv6SourceAt+16, to.AsSlice()...)
	ip.put(packet.IPv6HeaderSize+2, port...)
	nd.put(packet.IPv6NextHeaderAt, unix.IPPROTO_ICMPV6)
	nd.put(packet.IPv6HopLimitAt, packet.NDHopLimit)
	nd.put(packet.IPv6SourceAt, source.AsSlice()...)
	return []header{ip, nd}
}

// mayMatch says whether the keys of a filter u32 can fit a packet; of other kinds nothing
// is known.
func (f filter) mayMatch(p header) bool {
	const variable, size, keySize = 0xff &^ 1, 16, 16 // all flags but TC_U32_TERMINAL; of struct tc_u32_sel and tc_u32_key
	b := f.options[u32Select]
	if f.kind != "u32\x00" || len(b) < size || b[0]&variable != 0 {
		return true
	}
	for key := b[size:]; len(key) >= keySize; key = key[keySize:] { // a mask, what is left by it, where, and a mask of that
		at, moves := int(int32(binary.NativeEndian.Uint32(key[8:]))), binary.NativeEndian.Uint32(key[12:])
		if moves != 0 || at < 0 || at+4 > len(p.bytes) {
			continue
		}
		for i, mask := range key[:4] {
			if (p.bytes[at+i]^key[4+i])&mask&p.known[at+i] != 0 {
				return false
			}
		}
	}
	return true
}
