package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
)

// TestState is an entry that a node puts into its kernel's connection table to
// see it arrive at the other: UDP between two addresses that are reserved for
// documentation (RFC 5737), which no packet has.
type TestState struct {
	Source, Destination         netip.Addr
	SourcePort, DestinationPort uint16
}

const (
	testSourcePort = 40001
	// The destination port says what the node has to tell.
	testPortWaiting = 40002 // "I have not seen yours"
	testPortSeen    = 40003 // "I have seen yours"
	testPortNAT     = 40004 // none of both: the state has a source NAT, see [TestState.translated]
	// testLifetime ends a test state whose maker did not come to do it.
	testLifetime = 5 * time.Second
)

// The ends of the test states.
var (
	lowTest  = netip.AddrFrom4([4]byte{198, 51, 100, 1})
	highTest = netip.AddrFrom4([4]byte{198, 51, 100, 2})
)

// TestStates are the ones that this node and its peer put into their tables.
// Which is whose follows from the order of the sync addresses, so that both
// nodes agree.
func TestStates(s conntrackd.Settings) (own, peers TestState) {
	own = TestState{lowTest, highTest, testSourcePort, testPortWaiting}
	peers = TestState{highTest, lowTest, testSourcePort, testPortWaiting}
	if s.Peer.Addr().Less(s.Current.Addr()) {
		own, peers = peers, own
	}
	return own, peers
}

// saying is the state with the word whether the other one was seen.
func (t TestState) saying(seen bool) TestState {
	t.DestinationPort = testPortWaiting
	if seen {
		t.DestinationPort = testPortSeen
	}
	return t
}

// String names the protocol and both ends.
func (t TestState) String() string {
	return fmt.Sprintf("udp %s to %s", netip.AddrPortFrom(t.Source, t.SourcePort), netip.AddrPortFrom(t.Destination, t.DestinationPort))
}

// Command is what shows the state on a node into whose kernel table it comes,
// and in an external cache.
func (t TestState) Command(externalCache bool) string {
	if externalCache {
		return fmt.Sprintf("conntrackd -e | grep src=%s", t.Source)
	}
	return fmt.Sprintf("conntrack -L -p udp -s %s -d %s", t.Source, t.Destination)
}

// words are the state as conntrack and conntrackd print it.
func (t TestState) words() string {
	return fmt.Sprintf("src=%s dst=%s sport=%d dport=%d", t.Source, t.Destination, t.SourcePort, t.DestinationPort)
}

// create puts the state into the kernel's table of the calling thread's
// network namespace. It needs CAP_NET_ADMIN.
func (t TestState) create() error {
	source, destination := net.IP(t.Source.AsSlice()), net.IP(t.Destination.AsSlice())
	err := netlink.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET, &netlink.ConntrackFlow{
		FamilyType: unix.AF_INET, TimeOut: uint32(testLifetime / time.Second),
		Forward: netlink.IPTuple{SrcIP: source, DstIP: destination, Protocol: unix.IPPROTO_UDP, SrcPort: t.SourcePort, DstPort: t.DestinationPort},
		Reverse: netlink.IPTuple{SrcIP: destination, DstIP: source, Protocol: unix.IPPROTO_UDP, SrcPort: t.DestinationPort, DstPort: t.SourcePort},
	})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("put %s into the connection table: %w", t, err)
	}
	return nil
}

// remove takes the state out of the table; that it is gone already is no error.
func (t TestState) remove() error {
	_, err := t.request(nl.IPCTNL_MSG_CT_DELETE, 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("take %s out of the connection table: %w", t, err)
	}
	return nil
}

// present says whether the kernel's table holds the state.
func (t TestState) present() (bool, error) {
	replies, err := t.request(nl.IPCTNL_MSG_CT_GET, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%w: look for %s in the connection table: %w", conntrackd.ErrCannotLook, t, err)
	}
	return len(replies) > 0, nil
}

// request asks about the one entry (linux/netfilter/nfnetlink_conntrack.h); a
// list of the whole table would take a busy firewall a second. more is what the entry
// has beside its first tuple.
func (t TestState) request(operation, flags int, more ...*nl.RtAttr) ([][]byte, error) {
	r := nl.NewNetlinkRequest(int(netlink.ConntrackTable)<<8|operation, unix.NLM_F_ACK|flags)
	r.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_INET, Version: nl.NFNETLINK_V0})
	r.AddData(t.tuple(nl.CTA_TUPLE_ORIG))
	for _, a := range more {
		r.AddData(a)
	}
	return r.Execute(unix.NETLINK_NETFILTER, 0)
}

// tuple is the state as an attribute of the kind given.
func (t TestState) tuple(kind int) *nl.RtAttr {
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|kind, nil)
	addresses := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_IP, nil)
	addresses.AddRtAttr(nl.CTA_IP_V4_SRC, t.Source.AsSlice())
	addresses.AddRtAttr(nl.CTA_IP_V4_DST, t.Destination.AsSlice())
	protocol := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil)
	protocol.AddRtAttr(nl.CTA_PROTO_NUM, []byte{unix.IPPROTO_UDP})
	protocol.AddRtAttr(nl.CTA_PROTO_SRC_PORT, binary.BigEndian.AppendUint16(nil, t.SourcePort))
	protocol.AddRtAttr(nl.CTA_PROTO_DST_PORT, binary.BigEndian.AppendUint16(nil, t.DestinationPort))
	return tuple
}
