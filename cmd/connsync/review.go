package main

import (
	"connsync/conntrackd"
	"connsync/tui"
	"context"
)

// review is the change as a person sees it before it happens. No sync is made
// where it should not exist, whatever led here.
func (n *node) review(ctx context.Context, s saved, settings conntrackd.Settings, prepareHost bool) (tui.Review, error) {
	if settings.Enabled {
		if err := n.gate(); err != nil {
			return tui.Review{}, err
		}
	}
	c, err := n.candidate(ctx, s, settings)
	if err != nil {
		return tui.Review{}, err
	}
	r := tui.Review{Candidate: c, PrepareHost: prepareHost}
	inForce := s.unseen == nil && s.state.Active == settings.Enabled && s.state.Enabled == settings.Enabled
	inForce = inForce && (settings.Enabled || !s.state.Starting && s.dead() == "")
	if n.unmanaged() {
		inForce = true
	}
	if settings.Enabled && !n.unmanaged() {
		r.Preparation = n.preparer().Look(ctx, c)
	}
	if !c.Changed() && inForce {
		r.OnlyHost = prepareHost && len(r.Preparation.Missing()) > 0
		r.Unchanged = !r.OnlyHost
		return r, nil
	}
	if c.Changed() {
		r.Commands = append(r.Commands, "write "+n.config)
	}
	for _, action := range actions(settings.Enabled) {
		r.Commands = append(r.Commands, n.service.Commands(action)...)
	}
	return r, nil
}

func actions(enabled bool) []conntrackd.Action {
	if enabled {
		return []conntrackd.Action{conntrackd.ActionEnable, conntrackd.ActionRestart}
	}
	return []conntrackd.Action{conntrackd.ActionStop, conntrackd.ActionDisable}
}

func (n *node) unmanaged() bool {
	_, ok := n.service.(conntrackd.Unmanaged)
	return ok
}

// preparer sets right what the host does against its sync.
func (n *node) preparer() *conntrackd.Preparer {
	return conntrackd.NewPreparer(n.service, n.stateDir)
}
