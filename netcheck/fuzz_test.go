package netcheck

import (
	"net"
	"net/netip"
	"testing"
)

// FuzzFrame holds that no frame, and no message of the kernel, makes a reader fail,
// and that what is read from a frame lies in it.
func FuzzFrame(f *testing.F) {
	udp := append([]byte{0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 102, 10, 0, 0, 101}, 0x0e, 0xc4, 0x0e, 0xc4, 0, 9, 0, 0, 'x')
	refusal := append(append([]byte{0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 102, 10, 0, 0, 101}, 3, 3, 0, 0, 0, 0, 0, 0), udp...)
	for _, b := range [][]byte{nil, {0x45}, {0x4f}, udp, refusal, udp[:27], {5, 0, 1, 0, 1}, {8, 0, 4, 0, 1, 0, 0, 0}, {12, 0, 9, 0, 8, 0, 0, 0, 1, 0, 0, 0}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, peer := range []string{"10.0.0.102", "fe80::102"} {
			o := overhearing{peer: netip.MustParseAddr(peer), ports: []uint16{3780}}
			for _, own := range []bool{false, true} {
				if d, ok := o.datagram(b, own); ok && len(d.Payload) > len(b) {
					t.Errorf("%d bytes out of %d", len(d.Payload), len(b))
				}
			}
		}
		arpOwner(b, [4]byte{10, 0, 0, 102})
		ndOwner(b, net.HardwareAddr{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("fe80::102"))
		parseRefusal(b)
		outputLinks(b)
	})
}
