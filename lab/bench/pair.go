package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"connsync/lab"
)

// newPair is a pair whose nodes sync, as connsync sets them up.
func newPair(ctx context.Context, program string, buffer int) (*lab.Pair, error) {
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		return nil, err
	}
	for _, m := range []*lab.Member{pair.B, pair.A} {
		size := strconv.Itoa(buffer)
		args := []string{"apply", "--enable", "--first-node", "--prepare-host=false", "--accept-unknown", "--interface", lab.SyncInterface, "--send-buffer", size,
			"--receive-buffer", size, "--current-ip", m.Sync.String(), "--peer-ip", pair.Other(m).Sync.String()}
		if _, err := m.Run(ctx, program, args...); err != nil {
			return nil, errors.Join(err, pair.Close())
		}
	}
	if err := pair.WaitHeard(ctx); err != nil {
		return nil, errors.Join(err, pair.Close())
	}
	return pair, nil
}

// timeOf is how long a program takes on a node; what it prints is left unread.
func timeOf(ctx context.Context, m *lab.Member, name string, args ...string) (time.Duration, error) {
	var failure bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &failure
	cmd.WaitDelay = 2 * time.Second // a daemon may have kept the output open
	began := time.Now()
	err := m.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	took := time.Since(began)
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return 0, fmt.Errorf("%s: %s %s: %w: %s", m.Name(), name, strings.Join(args, " "), err, bytes.TrimSpace(failure.Bytes()))
	}
	return took, nil
}

const syncPort = 3780

// gap is how long nothing on the node listened on the port while do ran; zero where
// something always did.
func gap(ctx context.Context, m *lab.Member, do func() error) (time.Duration, error) {
	ctx, stop := context.WithCancel(ctx)
	longest, done := time.Duration(0), make(chan error, 1)
	go func() {
		done <- m.Do(func() error {
			var since time.Time
			for ; ctx.Err() == nil; time.Sleep(500 * time.Microsecond) {
				sockets, err := os.ReadFile("/proc/thread-self/net/udp")
				switch open := bytes.Contains(sockets, fmt.Appendf(nil, ":%04X 00000000", syncPort)); {
				case err != nil:
					return err
				case !open && since.IsZero():
					since = time.Now()
				case open && !since.IsZero():
					longest, since = max(longest, time.Since(since)), time.Time{}
				}
			}
			return nil
		})
	}()
	err := do()
	time.Sleep(100 * time.Millisecond)
	stop()
	return longest, errors.Join(err, <-done)
}

// save measures the whole of a save, and the time without sync, beside a bare restart;
// and a look at the status beside the daemon's own numbers.
func save(ctx context.Context, b *bench) (err error) {
	pair, err := newPair(ctx, b.program, 65536)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	const restart = "conntrackd -k; while pidof conntrackd >/dev/null; do sleep 0.001; done; exec conntrackd -d -C " + lab.ConfigPath
	var saves, restarts, without, bare []time.Duration
	for i := range 9 {
		var took time.Duration
		closed, err := gap(ctx, pair.A, func() (err error) {
			took, err = timeOf(ctx, pair.A, b.program, "apply", "--accept-unknown", "--prepare-host=false", "--send-buffer", strconv.Itoa(131072<<(i%2)), "--receive-buffer", strconv.Itoa(131072<<(i%2)))
			return err
		})
		if err != nil {
			return err
		}
		saves, without = append(saves, took), append(without, closed)
		closed, err = gap(ctx, pair.A, func() (err error) {
			took, err = timeOf(ctx, pair.A, "sh", "-c", restart)
			return err
		})
		if err != nil {
			return err
		}
		restarts, bare = append(restarts, took), append(bare, closed)
	}
	b.timed("a save with its checks and its proof", median(saves), "conntrackd -k, conntrackd -d", median(restarts), 0)
	b.timed("time without sync of a save", median(without), "conntrackd -k, conntrackd -d", median(bare), 1.1)

	status, err := several(5, func() (time.Duration, error) { return timeOf(ctx, pair.A, b.program, "status") })
	if err != nil {
		return err
	}
	numbers, err := several(5, func() (time.Duration, error) { return timeOf(ctx, pair.A, "conntrackd", "-s") })
	if err == nil {
		b.timed("status, which hears the peer", status, "conntrackd -s", numbers, 0)
	}
	return err
}

// several is the median of so many times.
func several(times int, measure func() (time.Duration, error)) (time.Duration, error) {
	var all []time.Duration
	for range times {
		took, err := measure()
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	return median(all), nil
}

// replication measures how many new connections a second come to the peer without loss
// at each size of the buffers, and how soon.
func replication(ctx context.Context, b *bench) error {
	first := 0
	for _, buffer := range []int{65536, 131072, 262144, 1 << 20} {
		most, err := lossless(ctx, b.program, buffer)
		if err != nil {
			return fmt.Errorf("buffers of %d bytes: %w", buffer, err)
		}
		if first == 0 {
			first = most
		}
		perSecond := func(n int) string { return fmt.Sprintf("%d/s", n) }
		b.rows = append(b.rows, row{name: fmt.Sprintf("new connections without loss, buffers of %d", buffer), ours: perSecond(most),
			beside: "with buffers of 65536", theirs: perSecond(first), ratio: float64(most) / float64(max(first, 1))})
	}
	found, err := benchmark(ctx, "./lab", "^BenchmarkReplication$", "100x", 1)
	if err != nil {
		return err
	}
	soon := time.Duration(found["Replication"]["median-µs"] * float64(time.Microsecond))
	b.timed("from a SYN to the entry on the peer", soon, "the connection of the client", time.Duration(float64(soon)/found["Replication"]["x-connect"]), 0)
	return nil
}

// lossless is the highest of some rates at which the peer loses nothing for a second.
func lossless(ctx context.Context, program string, buffer int) (most int, err error) {
	pair, err := newPair(ctx, program, buffer)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	// Nobody answers, so that each datagram is a connection of its own.
	if out, err := pair.Server.Command("nft", "add table ip q; add chain ip q in { type filter hook input priority 0; }; add rule ip q in meta l4proto 17 drop").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	var out *net.UDPConn
	if err := pair.Client.Do(func() (err error) {
		out, err = net.ListenUDP("udp4", nil)
		return err
	}); err != nil {
		return 0, err
	}
	defer out.Close()
	next := 0
	for _, rate := range []int{500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000} {
		before, err := losses(ctx, pair.B)
		if err != nil {
			return 0, err
		}
		sent := paced(out, rate, &next)
		time.Sleep(1500 * time.Millisecond) // what was lost is noticed with the next message
		after, err := losses(ctx, pair.B)
		if err != nil || after > before || sent < rate*9/10 {
			return most, err
		}
		most = rate
	}
	return most, nil
}

// paced sends datagrams of new connections for a second, and returns how many it could.
func paced(out *net.UDPConn, rate int, next *int) (sent int) {
	for began := time.Now(); time.Since(began) < time.Second; time.Sleep(time.Millisecond) {
		for due := int(float64(rate) * time.Since(began).Seconds()); sent < due; sent++ {
			*next++
			to := &net.UDPAddr{IP: net.IPv4(10, 2, 1, byte(10+*next/50_000)), Port: 1000 + *next%50_000}
			_, _ = out.WriteToUDP([]byte("x"), to) // one that the kernel drops is no connection
		}
	}
	return sent
}

var lost = regexp.MustCompile(`Packets lost:\s+(\d+)`)

// losses are the messages that a node's conntrackd missed, and those that its socket had
// no room for.
func losses(ctx context.Context, m *lab.Member) (int, error) {
	out, err := m.Run(ctx, "conntrackd", "-s", "network")
	if err != nil {
		return 0, err
	}
	n := 0
	if found := lost.FindStringSubmatch(out); found != nil {
		n, _ = strconv.Atoi(found[1])
	}
	udp, err := m.Run(ctx, "cat", "/proc/net/snmp")
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(strings.NewReader(udp)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 5 && f[0] == "Udp:" && f[5] != "RcvbufErrors" {
			full, _ := strconv.Atoi(f[5])
			n += full
		}
	}
	return n, nil
}
