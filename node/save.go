package node

import (
	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/service"
	"connsync/node/dependents"
	"context"
	"fmt"
	"time"
)

// Review is the change from s to settings as a person sees it before it happens;
// nothing is written. With prepareHost it also fixes host settings that break sync,
// and accepted are the offers that it carries out too. Where the application excludes
// sync, settings that enable it are refused.
func (n *Node) Review(ctx context.Context, s Saved, settings conntrackd.Settings, prepareHost bool, accepted ...prepare.ItemID) (apply.Review, error) {
	if settings.Enabled {
		if err := n.Gate(); err != nil {
			return apply.Review{}, err
		}
	}
	if n.Unread != "" {
		return apply.Review{}, fmt.Errorf("%s; omit --config, or write it anyway with --service none", n.Unread)
	}
	c, err := n.candidate(ctx, s, settings)
	if err != nil {
		return apply.Review{}, err
	}
	r := apply.Review{Candidate: c, PrepareHost: prepareHost, Accepted: accepted, Before: s.Standing(), Alone: n.Unmanaged()}
	unchanged := s.StateErr == nil && s.State.Active == settings.Enabled && s.State.Enabled == settings.Enabled
	unchanged = unchanged && (settings.Enabled || !s.State.Starting && !s.State.Ended && !s.State.Killed)
	if n.Unmanaged() {
		unchanged = true
	}
	if settings.Enabled && !n.Unmanaged() {
		p := n.Preparer()
		p.Accepted = accepted
		r.Preparation = p.Look(ctx, c)
	}
	if prepareHost {
		c.Notes = append(c.Notes, r.Preparation.Notes()...)
	}
	started := dependents.StartedBy(n.Service, s.State, settings.Enabled)
	if !c.Changed() && unchanged && !n.restarts(ctx, r) {
		r.OnlyHost = prepareHost && len(r.Preparation.Missing()) > 0
		if r.Unchanged = !r.OnlyHost; r.Unchanged {
			c.Notes = started
		}
		return r, nil
	}
	c.Notes = append(c.Notes, started...)
	if c.Changed() {
		r.Commands = append(r.Commands, "write "+n.Config)
	}
	wanted := conntrackd.Running{Active: settings.Enabled, Enabled: settings.Enabled}
	commands, notes := dependents.Commands(ctx, n.Service, serviceActions(s.State, s.StateErr == nil, wanted)...)
	r.Commands = append(r.Commands, commands...)
	c.Notes = append(c.Notes, notes...)
	return r, nil
}

// restarts says that conntrackd is restarted for a file that stays as it is, and notes why.
func (n *Node) restarts(ctx context.Context, r apply.Review) bool {
	restarts := n.Applier(r).Restarts(ctx, r.Candidate)
	if restarts {
		r.Candidate.Notes = append(r.Candidate.Notes, "conntrackd does not run with the file as it is now, so it is restarted.")
	}
	return restarts
}

// serviceActions are what a save asks of the service, in its order. What is set already
// is not asked for; where the state is not known everything is.
func serviceActions(now service.State, known bool, wanted conntrackd.Running) (actions []service.Action) {
	boot, run := service.ActionDisable, service.ActionStop
	if wanted.Enabled {
		boot = service.ActionEnable
	}
	if wanted.Active {
		run = service.ActionRestart
	}
	if !known || now.Enabled != wanted.Enabled {
		actions = append(actions, boot)
	}
	if !known || wanted.Active || now.Active || now.Starting || now.Killed || now.Ended {
		actions = append(actions, run)
	}
	return actions
}

// Unmanaged says that the service is left alone: it is neither asked nor changed,
// so that its state is not known.
func (n *Node) Unmanaged() bool {
	_, ok := n.Service.(service.Unmanaged)
	return ok
}

// Table returns t with what Enable Sync does with the service of n.
func (n *Node) Table(t conntrackd.SettingTable) conntrackd.SettingTable {
	switch n.Service.(type) {
	case service.Unmanaged:
		return t.Enabling("--service none leaves conntrackd alone.",
			"With --service none the file alone is written: conntrackd is not started, restarted or stopped, now or at boot.")
	case *service.Direct:
		return t.Enabling("conntrackd runs, or not; connsync starts nothing at boot.",
			"Enable starts conntrackd now; Disable stops it. No service manager runs it, so connsync does not start it at boot.")
	}
	return t
}

// Preparer sets right what the host does against its sync.
func (n *Node) Preparer() *prepare.Preparer {
	p := prepare.NewPreparer(n.Service, n.StateDir, prepare.Refresh{Program: n.Program, RuntimeDir: n.RuntimeDir, RunBy: n.RunBy})
	p.Mover = &prepare.Mover{Look: n.offerHook, Reload: reloadMover}
	return p
}

// repairPatience bounds what a start may spend on a save that was interrupted.
const repairPatience = 2 * time.Minute

// Repair finishes or rolls back a save that was interrupted, by a kill or a power
// cut, within two minutes. The zero value means that there was none.
func (n *Node) Repair(ctx context.Context) apply.Recovery {
	ctx, cancel := context.WithTimeout(ctx, repairPatience)
	defer cancel()
	return n.Applier(apply.Review{}).Recover(ctx, n.Config)
}
