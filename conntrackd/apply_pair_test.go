package conntrackd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// candidate is a save of what the node's file would be with settings s.
func candidateOf(n *testNode, s Settings) *Candidate {
	n.t.Helper()
	old, err := readFile(n.config())
	if err != nil {
		n.t.Fatal(err)
	}
	return &Candidate{Path: n.config(), Settings: s, Old: old, New: []byte(testConfig(s, n.dir))}
}

func applierOf(n *testNode) *Applier {
	return &Applier{
		Service: n.service, StateDir: filepath.Join(n.dir, "state"), RuntimeDir: filepath.Join(n.dir, "run"),
		FirstNode: true, Settle: 300 * time.Millisecond, Listen: listenTest[Overheard],
	}
}

// apply saves in the node's network.
func applyOn(ctx context.Context, n *testNode, a *Applier, c *Candidate) Outcome {
	n.t.Helper()
	var outcome Outcome
	n.do(func() error {
		outcome = a.Apply(ctx, c, func(s Step) {
			if s.Status != StepRunning {
				n.t.Logf("%-16s %-8s %6.3fs  %s", s.ID, s.Status, s.Took.Seconds(), s.Detail)
			}
		})
		return nil
	})
	return outcome
}

// mustApply is apply of a save that has to succeed.
func mustApply(n *testNode, s Settings) Outcome {
	n.t.Helper()
	outcome := applyOn(n.t.Context(), n, applierOf(n), candidateOf(n, s))
	if outcome.Err != nil {
		n.t.Fatalf("apply: %v", outcome.Err)
	}
	return outcome
}

// observe watches the node's daemon until the verdict is want or time is up.
func observeVerdict(n *testNode, want Verdict) Health {
	n.t.Helper()
	content, err := os.ReadFile(n.config())
	if err != nil {
		n.t.Fatal(err)
	}
	f, _ := Parse(n.config(), content)
	o := &Observer{
		Service: n.service, Client: NewClient(f.ControlSocket()), Settings: n.settings,
		Mode: f.Mode(), Listen: listenTest[Overheard],
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), 15*time.Second)
	defer cancel()
	var health Health
	n.do(func() error {
		if err := o.Start(ctx); err != nil {
			return err
		}
		for ctx.Err() == nil {
			if health = o.Observe(ctx); health.Verdict == want {
				return nil
			}
			time.Sleep(200 * time.Millisecond)
		}
		return nil
	})
	if health.Verdict != want {
		n.t.Errorf("verdict %s (%s), want %s", health.Verdict, health.Cause, want)
	}
	return health
}

// sockets are those of the running daemon.
func socketsOf(n *testNode, s Settings) Sockets {
	n.t.Helper()
	var sockets Sockets
	n.do(func() (err error) {
		state, err := n.service.State(n.t.Context())
		if err != nil || !state.Active {
			return fmt.Errorf("no daemon: %v", err)
		}
		sockets, err = ReadSockets(state.MainPID, s)
		return err
	})
	return sockets
}
