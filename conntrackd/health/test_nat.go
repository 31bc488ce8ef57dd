package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
)

// The addresses that the test states with a source NAT are translated to, for
// documentation too (RFC 5737). Their bytes tell a wrong order.
var (
	lowNAT  = netip.AddrFrom4([4]byte{203, 0, 113, 1})
	highNAT = netip.AddrFrom4([4]byte{203, 0, 113, 2})
)

// translated is the state of the same node that has a source NAT. It goes beside the
// other one, so that a kernel which has no NAT holds up nothing.
func (t TestState) translated() TestState {
	t.DestinationPort = testPortNAT
	return t
}

// nat is the address that the translated state has in place of its source.
func (t TestState) nat() netip.Addr {
	if t.Source == lowTest {
		return lowNAT
	}
	return highNAT
}

// back is the state as its replies come.
func (t TestState) back() TestState {
	return TestState{t.Destination, t.Source, t.DestinationPort, t.SourcePort}
}

// Attributes of ctnetlink that package nl does not name.
const (
	ctaNATSource  = 6 // CTA_NAT_SRC
	ctaNATLowest  = 1 // CTA_NAT_V4_MINIP
	ctaNATHighest = 2 // CTA_NAT_V4_MAXIP
)

// createTranslated puts the translated state into the kernel's table. A kernel
// without NAT has none, which is no error.
func (t TestState) createTranslated() error {
	t = t.translated()
	nat := nl.NewRtAttr(unix.NLA_F_NESTED|ctaNATSource, nil)
	nat.AddRtAttr(ctaNATLowest, t.nat().AsSlice())
	nat.AddRtAttr(ctaNATHighest, t.nat().AsSlice())
	lifetime := nl.NewRtAttr(nl.CTA_TIMEOUT, binary.BigEndian.AppendUint32(nil, uint32(testLifetime/time.Second)))
	_, err := t.request(nl.IPCTNL_MSG_CT_NEW, unix.NLM_F_CREATE|unix.NLM_F_EXCL, t.back().tuple(nl.CTA_TUPLE_REPLY), lifetime, nat)
	if err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("put %s with a source NAT into the connection table: %w", t, err)
	}
	return nil
}

// arrivedNAT is the address that the translated state came to this kernel with, invalid
// where it is not here, or without NAT.
func (t TestState) arrivedNAT() (netip.Addr, error) {
	t = t.translated()
	replies, err := t.request(nl.IPCTNL_MSG_CT_GET, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return netip.Addr{}, nil
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%w: look for %s in the connection table: %w", conntrackd.ErrCannotLook, t, err)
	}
	for _, reply := range replies {
		if len(reply) < nl.SizeofNfgenmsg {
			continue
		}
		value := reply[nl.SizeofNfgenmsg:]
		for _, kind := range []uint16{nl.CTA_TUPLE_REPLY, nl.CTA_TUPLE_IP, nl.CTA_IP_V4_DST} {
			value = attribute(value, kind)
		}
		if to, ok := netip.AddrFromSlice(value); ok && to != t.Source {
			return to, nil
		}
	}
	return netip.Addr{}, nil
}

// attribute is the value of the first attribute of a kind; nil where there is none.
func attribute(b []byte, kind uint16) []byte {
	all, err := nl.ParseRouteAttr(b)
	if err != nil {
		return nil
	}
	for _, a := range all {
		if a.Attr.Type&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == kind {
			return a.Value
		}
	}
	return nil
}
