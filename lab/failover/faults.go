package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"connsync/lab"
)

// fault is something that keeps connections from a node while both nodes hear each
// other, or keeps the nodes apart.
type fault struct {
	name string
	// make makes it; nil is no fault.
	make func(ctx context.Context, s *stage) error
	// needs says what the fault needs: the external cache, the states in the
	// kernel, or its place before the connections.
	cache, kernel, before bool
	there                 bool // on the peer, which has to be asked
	mute                  bool // the peer can tell nothing
	// lasting connections are used for so long after it.
	inUse time.Duration
}

// faults are those that left a peer empty under a perfect heartbeat, and a lossy
// and a cut link.
func faults() []fault {
	return append(fileFaults(), kernelFaults()...)
}

// fileFaults are in a node's file.
func fileFaults() []fault {
	const ignore, list, limit = "Address Ignore {", "Filter From Userspace {", "HashLimit"
	edits := func(old, text string, m func(*lab.Pair) *lab.Member) func(context.Context, *stage) error {
		return func(ctx context.Context, s *stage) error { return s.edit(ctx, m(s.pair), old, text) }
	}
	all := []fault{
		{name: "Address Ignore of the LAN", make: edits(ignore, ignore+" IPv4_address 10.1.0.0/24", nodeA)},
		{name: "Address Ignore of 0.0.0.0/0", make: edits(ignore, ignore+" IPv4_address 0.0.0.0/0", nodeA)},
		{name: "Address Accept of another network", make: edits(ignore, "Address Accept { IPv4_address 203.0.113.0/24", nodeA)},
		{name: "Protocol Accept of TCP", make: edits(list, list+" Protocol Accept { TCP }", nodeA)},
		{name: "Protocol Ignore of UDP", make: edits(list, list+" Protocol Ignore { UDP }", nodeA)},
		{name: "State Accept of established TCP", make: edits(list, list+" State Accept { ESTABLISHED CLOSED TIME_WAIT CLOSE_WAIT for TCP }", nodeA)},
		{name: "PollSecs", make: edits("HashSize", "PollSecs 600 HashSize", nodeA)},
		{name: "HashLimit too small here", make: edits(limit, limit+" 5 #", nodeA)},
		{name: "HashLimit too small there", cache: true, there: true, make: edits(limit, limit+" 5 #", nodeB)},
	}
	for i := range all {
		all[i].before = true
	}
	return all
}

// kernelFaults are in a node's kernel, in its daemon, and between the nodes.
func kernelFaults() []fault {
	return []fault{
		{name: "no fault"},
		{name: "events off", make: runs(nodeA, "sysctl", "-qw", "net.netfilter.nf_conntrack_events=0")},
		{name: "events off on the peer", there: true, mute: true, make: runs(nodeB, "sysctl", "-qw", "net.netfilter.nf_conntrack_events=0")},
		// With the external cache nothing is written there before the failover.
		{name: "kernel table full there", before: true, kernel: true, there: true, make: fillTable},
		{name: "table flushed there", kernel: true, there: true, make: runs(nodeB, "conntrack", "-F")},
		{name: "external cache flushed there", cache: true, there: true, make: runs(nodeB, "conntrackd", "-f", "external")},
		{name: "half of the messages lost", before: true, make: func(_ context.Context, s *stage) error {
			return s.pair.Sync.Drop(s.pair.A.Port, "numgen random mod 100 < 50")
		}},
		{name: "sync link cut", mute: true, make: func(_ context.Context, s *stage) error { return s.pair.Sync.Cut(s.pair.A.Port) }},
		{name: "refresh off, timeouts 6 to 12 s", inUse: 15 * time.Second, before: true, make: func(ctx context.Context, s *stage) error {
			// Where nothing refreshes, nothing needs to be stopped.
			_, _ = s.pair.A.Run(ctx, s.program, "refresh", "--stop")
			return s.setTimeouts(shortTimeouts)
		}},
	}
}

func nodeA(p *lab.Pair) *lab.Member { return p.A }
func nodeB(p *lab.Pair) *lab.Member { return p.B }

// runs runs a command on a node.
func runs(m func(*lab.Pair) *lab.Member, command ...string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		out, err := m(s.pair).Run(ctx, command[0], command[1:]...)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
		}
		return nil
	}
}

// edit changes a node's file as an operator would by hand, and restarts its daemon.
func (s *stage) edit(ctx context.Context, m *lab.Member, old, text string) error {
	script := fmt.Sprintf(`set -e
grep -q '%[2]s' %[1]s
sed -i '0,/%[2]s/s|%[2]s|%[3]s|' %[1]s
conntrackd -C %[1]s -k
while pidof conntrackd >/dev/null; do sleep 0.05; done
conntrackd -d -C %[1]s`, lab.ConfigPath, strings.ReplaceAll(old, "/", `\/`), text)
	if out, err := m.Run(ctx, "sh", "-c", script); err != nil {
		return fmt.Errorf("%s: edit the file: %w\n%s", m.Name(), err, out)
	}
	return s.pair.WaitHeard(ctx)
}

// fillTable fills the kernel's table of B, whose own events are switched off, or
// all of it would come to A.
func fillTable(ctx context.Context, s *stage) error {
	b := s.pair.B
	if err := b.Sysctl("net.netfilter.nf_conntrack_events", "0"); err != nil {
		return err
	}
	out, err := b.Run(ctx, "sysctl", "-n", "net.netfilter.nf_conntrack_max")
	if err != nil {
		return err
	}
	var most int
	if _, err := fmt.Sscan(out, &most); err != nil {
		return fmt.Errorf("nf_conntrack_max is %q: %w", out, err)
	}
	var lines strings.Builder
	for i := range most {
		fmt.Fprintf(&lines, "-I -p udp -s 172.%d.%d.%d -d 192.0.2.1 --sport 9 --dport 9 -t 900\n", 16+i>>16, i>>8&255, i&255)
	}
	cmd := b.CommandContext(ctx, "conntrack", "-R", "-")
	cmd.Stdin = strings.NewReader(lines.String())
	_ = cmd.Run() // the last of them find no room
	return b.Sysctl("net.netfilter.nf_conntrack_events", "1")
}
