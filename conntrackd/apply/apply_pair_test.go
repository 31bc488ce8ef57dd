package apply

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/step"
)

// candidateOf is a save of what the node's file would be with settings s.
func candidateOf(n *pairtest.Node, s conntrackd.Settings) *conntrackd.Candidate {
	n.T.Helper()
	old, err := hostfile.Read(n.ConfigPath())
	if err != nil {
		n.T.Fatal(err)
	}
	return &conntrackd.Candidate{Path: n.ConfigPath(), Settings: s, Old: old, New: []byte(conntracktest.Config(s, n.Dir))}
}

func applierOf(n *pairtest.Node) *Applier {
	return &Applier{
		Service: n.Service, StateDir: filepath.Join(n.Dir, "state"), RuntimeDir: filepath.Join(n.Dir, "run"),
		FirstNode: true, Settle: 300 * time.Millisecond, Listen: pairtest.Listen[health.Overheard],
	}
}

// apply saves in the node's network.
func applyOn(ctx context.Context, n *pairtest.Node, a *Applier, c *conntrackd.Candidate) Outcome {
	n.T.Helper()
	var outcome Outcome
	n.Do(func() error {
		outcome = a.Apply(ctx, c, func(s step.Step) {
			if s.Status != step.Running {
				n.T.Logf("%-16s %-8s %6.3fs  %s", s.ID, s.Status, s.Took.Seconds(), s.Detail)
			}
		})
		return nil
	})
	return outcome
}

// mustApply is apply of a save that has to succeed.
func mustApply(n *pairtest.Node, s conntrackd.Settings) Outcome {
	n.T.Helper()
	outcome := applyOn(n.T.Context(), n, applierOf(n), candidateOf(n, s))
	if outcome.Err != nil {
		n.T.Fatalf("apply: %v", outcome.Err)
	}
	return outcome
}

// observe watches the node's daemon until the verdict is want or time is up.
func observeVerdict(n *pairtest.Node, want health.Verdict) health.Health {
	n.T.Helper()
	content, err := os.ReadFile(n.ConfigPath())
	if err != nil {
		n.T.Fatal(err)
	}
	f, _ := conntrackd.Parse(n.ConfigPath(), content)
	o := &health.Observer{
		Service: n.Service, Client: control.NewClient(f.ControlSocket()), Settings: n.Settings,
		Mode: f.Mode(), Listen: pairtest.Listen[health.Overheard],
	}
	ctx, cancel := context.WithTimeout(n.T.Context(), time.Minute)
	defer cancel()
	var seen health.Health
	n.Do(func() error {
		if err := o.Start(ctx); err != nil {
			return err
		}
		for ctx.Err() == nil {
			if seen = o.Observe(ctx); seen.Verdict == want {
				return nil
			}
			time.Sleep(200 * time.Millisecond)
		}
		return nil
	})
	if seen.Verdict != want {
		n.T.Errorf("verdict %s (%s), want %s", seen.Verdict, seen.Cause, want)
	}
	return seen
}

// SocketsOf are those of the running daemon.
func SocketsOf(n *pairtest.Node, s conntrackd.Settings) health.Sockets {
	n.T.Helper()
	var sockets health.Sockets
	n.Do(func() (err error) {
		state, err := n.Service.State(n.T.Context())
		if err != nil || !state.Active {
			return fmt.Errorf("no daemon: %v", err)
		}
		sockets, err = health.ReadSockets(state.MainPID, s)
		return err
	})
	return sockets
}
