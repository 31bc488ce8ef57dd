package netcheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"

	"connsync/netcheck/dump"
)

// inquiry asks on the wire of one interface who has an address, whatever the
// routes and the neighbour cache say. It listens on that interface alone.
type inquiry struct {
	link Interface
	addr netip.Addr // without zone
	// source is the address that neighbour solicitations come from; the
	// unspecified address makes them those of duplicate address detection.
	// ARP asks without one, see arpRequest.
	source netip.Addr
	// tries requests are sent, one every interval, until one is answered.
	tries    int
	interval time.Duration
	// settle is how long further answers are waited for after the first one.
	settle time.Duration
}

// answers says who has an address.
type answers struct {
	owners []net.HardwareAddr // each once, none of this host
	after  time.Duration      // from the request to the first answer
}

var (
	errNoHardwareAddr = errors.New("has no hardware address to ask with")
	errNoSource       = errors.New("has no IPv6 address to ask from")
)

// wire is what differs between ARP and neighbour discovery.
type wire struct {
	protocol int // ETH_P_...
	filter   []bpf.RawInstruction
	to       net.HardwareAddr
	request  []byte
	// owner reads from a packet who has the address, if it says so.
	owner func(b []byte, from net.HardwareAddr) (net.HardwareAddr, bool)
}

// ask sends the requests and collects the answers. No answer is no error. It
// needs CAP_NET_RAW. An interface that is down is ENETDOWN.
func (q inquiry) ask(ctx context.Context) (answers, error) {
	if len(q.link.HardwareAddr) != 6 {
		return answers{}, fmt.Errorf("%s %w", q.link.Name, errNoHardwareAddr)
	}
	own, err := ownHardwareAddrs(ctx)
	if err != nil {
		return answers{}, err
	}
	w, err := q.wire()
	if err != nil {
		return answers{}, err
	}
	conn, err := packet.Listen(&net.Interface{Index: q.link.Index, Name: q.link.Name}, packet.Datagram, w.protocol,
		&packet.Config{Filter: w.filter})
	if err != nil {
		return answers{}, fmt.Errorf("open a packet socket on %s: %w", q.link.Name, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	var got answers
	for try := 0; try < q.tries && len(got.owners) == 0 && err == nil; try++ {
		got, err = q.try(conn, w, own)
	}
	if ctx.Err() != nil {
		return answers{}, context.Cause(ctx)
	}
	return got, err
}

func (q inquiry) wire() (wire, error) {
	if q.addr.Is4() {
		return q.arp(), nil
	}
	return q.nd()
}

// try sends one request and listens for an interval, or until the answers have
// settled.
func (q inquiry) try(conn *packet.Conn, w wire, own []net.HardwareAddr) (answers, error) {
	var got answers
	sent := time.Now()
	if _, err := conn.WriteTo(w.request, &packet.Addr{HardwareAddr: w.to}); err != nil {
		return got, fmt.Errorf("ask on %s: %w", q.link.Name, err)
	}
	if err := conn.SetReadDeadline(sent.Add(q.interval)); err != nil {
		return got, err
	}
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return got, nil
		}
		if err != nil {
			return got, fmt.Errorf("listen on %s: %w", q.link.Name, err)
		}
		mac, ok := w.owner(buf[:n], hardwareAddr(from))
		same := func(m net.HardwareAddr) bool { return bytes.Equal(m, mac) }
		if !ok || slices.ContainsFunc(own, same) || slices.ContainsFunc(got.owners, same) {
			continue
		}
		if len(got.owners) == 0 {
			got.after = time.Since(sent)
			if err := conn.SetReadDeadline(time.Now().Add(q.settle)); err != nil {
				return got, err
			}
		}
		got.owners = append(got.owners, bytes.Clone(mac))
	}
}

func hardwareAddr(from net.Addr) net.HardwareAddr {
	if a, ok := from.(*packet.Addr); ok {
		return a.HardwareAddr
	}
	return nil
}

// ownHardwareAddrs returns the hardware addresses of this host. Its other
// interfaces in the same network answer for all its addresses (arp_ignore=0),
// and that is nobody else.
func ownHardwareAddrs(ctx context.Context) ([]net.HardwareAddr, error) {
	links, err := dump.All(ctx, netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var own []net.HardwareAddr
	for _, l := range links {
		if mac := l.Attrs().HardwareAddr; len(mac) > 0 {
			own = append(own, mac)
		}
	}
	return own, nil
}
