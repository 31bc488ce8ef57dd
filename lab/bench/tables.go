package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"connsync/lab"
)

// filterAt is the table that the filter is measured with, filterLines how many more
// addresses it then has.
const filterAt, filterLines = 100_000, 1000

// tables measures the coverage beside conntrack -L, and the way to primary beside the
// bare control requests, while the tables grow.
func tables(ctx context.Context, b *bench) (err error) {
	pair, err := newPair(ctx, b.program, 1<<20)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	have := 0
	for _, count := range []int{200, 1000, 10_000, filterAt, 200_000} {
		if err := load(ctx, pair, have, count); err != nil {
			return fmt.Errorf("%d entries: %w", count, err)
		}
		have = count
		if count >= 1000 {
			if err := coverage(ctx, b, pair, count); err != nil {
				return err
			}
		}
		if count != 1000 && count <= filterAt {
			if err := primary(ctx, b, pair, count); err != nil {
				return err
			}
		}
	}
	return nil
}

// load brings the kernel's table of A from one number of entries to another, and waits
// until the daemons have them.
func load(ctx context.Context, pair *lab.Pair, from, to int) error {
	var commands bytes.Buffer
	for i := from; i < to; i++ {
		fmt.Fprintf(&commands, "-I -p tcp -s 10.1.%d.2 -d 10.2.0.10 --sport %d --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 6000\n", 2+i/50_000, 1024+i%50_000)
		if (i+1)%5000 > 0 && i+1 < to {
			continue
		}
		cmd := exec.CommandContext(ctx, "conntrack", "-R", "/dev/stdin")
		cmd.Stdin = bytes.NewReader(commands.Bytes())
		if err := pair.A.Start(cmd); err != nil {
			return err
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("conntrack -R: %w", err)
		}
		commands.Reset()
		time.Sleep(100 * time.Millisecond) // the daemons keep up with this
	}
	for _, m := range []*lab.Member{pair.A, pair.B} {
		if m == pair.B && to > filterAt {
			break // nothing is measured there
		}
		for ; ; time.Sleep(100 * time.Millisecond) {
			held, err := m.Run(ctx, "cat", "/proc/sys/net/netfilter/nf_conntrack_count")
			if err != nil {
				return err
			}
			if n, _ := strconv.Atoi(strings.TrimSpace(held)); n >= to*99/100 {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s has %s of them", m.Name(), strings.TrimSpace(held))
			}
		}
	}
	return nil
}

func coverage(ctx context.Context, b *bench, pair *lab.Pair, count int) error {
	measure := func() (ours, theirs time.Duration, err error) {
		// A loss is no error of the measurement: its exit status is the verdict's.
		ours, err = several(3, func() (time.Duration, error) {
			return timeOf(ctx, pair.A, "sh", "-c", b.program+" coverage --json; [ $? -lt 64 ]")
		})
		if err == nil {
			theirs, err = several(3, func() (time.Duration, error) { return timeOf(ctx, pair.A, "conntrack", "-L") })
		}
		return ours, theirs, err
	}
	ours, theirs, err := measure()
	if err != nil {
		return err
	}
	b.timed(fmt.Sprintf("coverage of %d entries", count), ours, "conntrack -L", theirs, 0)
	if count != filterAt {
		return nil
	}
	was, err := pair.A.ReadFile(lab.ConfigPath)
	if err != nil {
		return err
	}
	filtered, err := moreFiltered(was)
	if err != nil {
		return err
	}
	if err := pair.A.WriteFile(lab.ConfigPath, filtered); err != nil {
		return err
	}
	evaluated, _, err := measure()
	if err == nil {
		b.timed(fmt.Sprintf("its Filter with %d lines more", filterLines), evaluated, "coverage without them", ours, 0)
	}
	return errors.Join(err, pair.A.WriteFile(lab.ConfigPath, was))
}

var ignored = regexp.MustCompile(`Address Ignore \{\n`)

// moreFiltered is a file whose Filter has more addresses, of nobody.
func moreFiltered(config []byte) ([]byte, error) {
	at := ignored.FindIndex(config)
	if at == nil {
		return nil, errors.New("the file has no Address Ignore")
	}
	var b bytes.Buffer
	b.Write(config[:at[1]])
	for i := range filterLines {
		fmt.Fprintf(&b, "\t\t\tIPv4_address 192.168.%d.%d\n", i/250, i%250)
	}
	b.Write(config[at[1]:])
	return b.Bytes(), nil
}

// primary measures what a failover does, on the node that takes over.
func primary(ctx context.Context, b *bench, pair *lab.Pair, count int) error {
	// As conntrackd's own primary-backup.sh.
	const bare = "conntrackd -c && conntrackd -f && conntrackd -R && conntrackd -B"
	theirs, err := several(3, func() (time.Duration, error) { return timeOf(ctx, pair.B, "sh", "-c", bare) })
	if err != nil {
		return err
	}
	ours, err := several(3, func() (time.Duration, error) { return timeOf(ctx, pair.B, b.program, "failover", "primary") })
	if err == nil {
		b.timed(fmt.Sprintf("failover primary, %d entries", count), ours, "conntrackd -c, -f, -R, -B", theirs, 0)
	}
	return err
}
