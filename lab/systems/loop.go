package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"connsync/lab"
)

// saveBesideLoop writes the file and leaves the daemon to what runs it. A save that would
// have to restart it is refused, and the daemon is left alone.
func saveBesideLoop(ctx context.Context, s *stage) error {
	for _, m := range []*lab.Member{s.pair.B, s.pair.A} {
		if _, err := s.apply(ctx, m, "--first-node --service none --accept-unknown"); err != nil {
			return err
		}
		if _, err := s.sh(ctx, m.Node, "setsid sh /run/respawn >/dev/null 2>&1 & until conntrackd -s >/dev/null 2>&1; do sleep 0.1; done"); err != nil {
			return err
		}
	}
	if err := s.inSync(ctx); err != nil {
		return err
	}
	return s.refused(ctx, "apply --port 3781")
}

// refused wants a command to be refused in words that name the loop.
func (s *stage) refused(ctx context.Context, command string) error {
	a := s.pair.A.Node
	before, err := s.sh(ctx, a, "pidof conntrackd")
	if err != nil {
		return err
	}
	if out, err := s.sh(ctx, a, s.connsync+" "+command); err == nil || !strings.Contains(out, "is run by sh (process ") {
		return fmt.Errorf("%s is not refused for the loop: %w: %s", command, err, out)
	}
	if after, err := s.sh(ctx, a, "pidof conntrackd"); err != nil || after != before {
		return fmt.Errorf("%s: the daemon was process %s and is %s (%w)", command, before, after, err)
	}
	return nil
}

func refusedByLoop(ctx context.Context, s *stage) error { return s.refused(ctx, "rollback --yes") }

func killInLoop(ctx context.Context, s *stage) error {
	if _, err := s.sh(ctx, s.pair.A.Node, killIt); err != nil {
		return err
	}
	return s.inSync(ctx)
}

// host runs a line of shell on this host.
func host(line string) error {
	if said, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}
