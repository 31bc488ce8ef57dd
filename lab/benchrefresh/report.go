package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"connsync/lab"
)

const reportHeading = "| connections | bytes per report | CPU per report: connsync, conntrackd here | memory of connsync |\n| --- | --- | --- | --- |\n"

// reportsCounted is how many reports are measured in a row.
const reportsCounted = 4

// measureReports measures what one report to the peer costs with so many connections
// through node A. The refresh has no other work meanwhile.
func measureReports(ctx context.Context, program string, count int) (row string, err error) {
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	s := &stage{pair: pair, program: program, count: count}
	for _, prepare := range []func(context.Context) error{s.configure, s.use, s.awaitPeer} {
		if err := prepare(ctx); err != nil {
			return "", err
		}
	}
	cmd := pair.A.CommandContext(ctx, program, "refresh", "--every", "1h")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	// The first report comes after the only look of the refresh, and has to look twice.
	if err := s.awaitReports(ctx, 1); err != nil {
		return "", err
	}
	before, err := s.readReporter(ctx)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.awaitReports(ctx, reportsCounted); err != nil {
		return "", err
	}
	after, err := s.readReporter(ctx)
	if err != nil {
		return "", err
	}
	// An idle node sends an acknowledgement of 16 bytes a second.
	idle := uint64(16 * time.Since(began).Seconds())
	sent := after.bytes - before.bytes
	per := func(d time.Duration) time.Duration { return (d / reportsCounted).Round(time.Millisecond) }
	memory, err := residentMemory(ctx, pair.A)
	return fmt.Sprintf("| %d | %d | %v, %v | %s |", count, (sent-min(sent, idle))/reportsCounted,
		per(after.connsync-before.connsync), per(after.here-before.here), memory), err
}

// readReporter reads what the nodes have used, and the refresh, which is the one connsync
// there.
func (s *stage) readReporter(ctx context.Context) (counters, error) {
	c, err := s.read(ctx)
	if err == nil {
		c.connsync, err = used(ctx, s.pair.A, "$(pidof connsync)")
	}
	return c, err
}

// awaitReports waits for so many more reports of node A.
func (s *stage) awaitReports(ctx context.Context, more int) error {
	last, err := s.reportEntry(ctx)
	for end := time.Now().Add(5 * time.Minute); more > 0 && err == nil; {
		if time.Now().After(end) {
			return errors.New("node A does not report to its peer")
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		var now string
		if now, err = s.reportEntry(ctx); now != last {
			last = now
			more--
		}
	}
	return err
}

// reportEntry is the conntrack entry of the newest report, without what it counts down.
// Node B makes none.
func (s *stage) reportEntry(ctx context.Context) (string, error) {
	out, err := s.pair.A.Run(ctx, "sh", "-c", "conntrack -L -f ipv6 -m 1668182905 2>/dev/null || true")
	if err != nil {
		return "", err
	}
	_, ends, _ := strings.Cut(out, "src=")
	return ends, nil
}

func residentMemory(ctx context.Context, m *lab.Member) (string, error) {
	out, err := m.Run(ctx, "sh", "-c", "grep VmRSS /proc/$(pidof connsync)/status")
	var kB int
	if err == nil {
		_, err = fmt.Sscanf(strings.TrimPrefix(strings.TrimSpace(out), "VmRSS:"), "%d", &kB)
	}
	return fmt.Sprintf("%d MB", kB/1000), err
}
