package pairtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Flags of TCP.
const (
	synFlag = 0x02
	ackFlag = 0x10
)

// Begin has the node's kernel begin count connections of 10.1.0.2 to 10.2.0.2 by packets, as
// one does that forwards them: UDP with a request and its reply, TCP established. Their
// source ports begin with first. Nothing receives the packets.
func (n *Node) Begin(protocol byte, first, count int) {
	n.T.Helper()
	n.watchConnections()
	client, server := [4]byte{10, 1, 0, 2}, [4]byte{10, 2, 0, 2}
	n.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		send := func(from, to [4]byte, rest []byte) {
			b := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0}, from[:]...)
			b = append(append(b, to[:]...), rest...)
			if e := unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: to}); e != nil && err == nil {
				err = fmt.Errorf("send a packet of %v to %v: %w", from, to, e)
			}
		}
		for i := range count {
			port := uint16(first + i)
			if protocol == unix.IPPROTO_UDP {
				send(client, server, udp(port, 53))
				send(server, client, udp(53, port))
				continue
			}
			send(client, server, tcp(port, 80, 1, 0, synFlag))
			send(server, client, tcp(80, port, 100, 2, synFlag|ackFlag))
			send(client, server, tcp(port, 80, 2, 101, ackFlag))
		}
		return err
	})
}

// watchConnections has the kernel look at the node's packets and keep what they begin for
// ten minutes, and gives both ends of the connections a way out.
func (n *Node) watchConnections() {
	n.T.Helper()
	const rules = "table ip begin {\n chain c {\n  type filter hook output priority 0;\n  ct state new accept\n }\n}\n"
	path := n.Dir + "/begin.nft"
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		n.T.Fatal(err)
	}
	for _, line := range []string{
		"nft -f " + path, "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600", "ip route replace 10.1.0.0/16 dev sync0", "ip route replace 10.2.0.0/16 dev sync0",
	} {
		words := strings.Fields(line)
		if out, err := n.Namespace.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			n.T.Fatalf("%s: %v: %s", line, err, out)
		}
	}
}

// udp is a datagram of UDP with one byte, and no checksum.
func udp(from, to uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	return append(b, 0, 9, 0, 0, 'x')
}

// tcp is a segment of TCP without data, and without a checksum, which the kernel does not
// look at in what the node sends itself.
func tcp(from, to uint16, sequence, acknowledged uint32, flags byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, acknowledged)
	return append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
}
