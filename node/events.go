package node

import (
	"context"

	"connsync/conntrackd/events"
	"connsync/conntrackd/health"
	"connsync/conntrackd/refresh"
)

// Events is what has happened to the sync of this node.
func (n *Node) Events(ctx context.Context) events.Log {
	sources := events.Sources{StateDir: n.StateDir, Service: n.Service}
	saved, err := n.Load(ctx)
	if err == nil {
		sources.LogFile = saved.File.LogFile()
	}
	log := sources.Read(ctx)
	if err != nil {
		log.Unread = append(log.Unread, events.Unread{Source: n.Config, Error: err.Error()})
	}
	return log
}

// RecordVerdict keeps a verdict that was settled on, for [Node.Events].
func (n *Node) RecordVerdict(h health.Health) error {
	return (&events.Recorder{StateDir: n.StateDir}).Settled(h)
}

// wasEnabled says whether the newest save in force enabled the sync.
func (n *Node) wasEnabled() bool {
	e, err := n.History().Newest(n.Config)
	return err == nil && e.Asked.Active
}

// RefreshReport says what keeps connections in use alive on the peer.
func (n *Node) RefreshReport(s Saved) refresh.Report {
	r := refresh.NewReport(n.RuntimeDir)
	r.Needed = !s.Settings.ExternalCache && s.WhyNoSettings == "" && s.Content != nil
	r.Installed, r.AtBoot = n.Preparer().RefreshInstalled()
	return r
}
