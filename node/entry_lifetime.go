package node

import (
	"context"

	"connsync/conntrackd/control"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/refresh"
	"connsync/netcheck/check"
	"connsync/node/lifetime"
)

// entryLifetime asks whether connections that are in use would expire on the peer.
func (h *hostChecks) entryLifetime(ctx context.Context) check.Finding {
	if h.settings.ExternalCache {
		return h.reports(ctx)
	}
	lives, shortest, err := lifetime.Read()
	switch {
	case err != nil:
		return check.Finding{Status: check.Unknown, Err: err, Remedy: asRoot(err), Detail: err.Error()}
	case shortest == 0:
		return check.Finding{Status: check.Unknown, Remedy: "modprobe nf_conntrack", Detail: "the kernel does not say how long its conntrack entries live"}
	}
	status, err := refresh.Running(h.n.RuntimeDir)
	if err != nil {
		return check.Finding{Status: check.Unknown, Err: err, Remedy: asRoot(err), Detail: "whether connsync refresh runs is not known: " + err.Error()}
	}
	_ = h.look(ctx)
	i, _ := h.found.Item(prepare.ItemRefresh)
	bySave := i.State == prepare.ItemMissing
	if status == nil && bySave && !h.syncRuns(ctx) {
		return check.Finding{Status: check.Passed, Detail: "no sync runs yet; a save starts connsync refresh, without which connections in use would expire on the peer, " + lives}
	}
	f := lifetime.Judge(status, lives, h.n.Called)
	switch {
	case f.Status != check.Failed || f.Remedy != "":
	case bySave:
		f.Remedy, f.Mend = h.n.Called.Command("apply", "--prepare-host"), check.MendHost
	default:
		f.Remedy = h.n.Called.Command("refresh", "--every", "auto", "--background")
	}
	return f
}

// reports is entryLifetime where nothing expires on the peer: the refresh only reports
// to it then.
func (h *hostChecks) reports(ctx context.Context) check.Finding {
	const kept = "the peer keeps the states in its external cache, where connections in use do not expire"
	status, err := refresh.Running(h.n.RuntimeDir)
	if _ = h.look(ctx); err == nil && status == nil && h.syncRuns(ctx) {
		if i, _ := h.found.Item(prepare.ItemRefresh); i.State == prepare.ItemMissing {
			return check.Finding{Status: check.Failed, Remedy: h.n.Called.Command("apply", "--prepare-host"), Mend: check.MendHost,
				Detail: kept + "; connsync refresh does not run, so the peer is not told whether its connections would survive"}
		}
	}
	return check.Finding{Status: check.Passed, Detail: kept}
}

// syncRuns says whether a daemon answers where the file in force has it; one that
// cannot be asked may run.
func (h *hostChecks) syncRuns(ctx context.Context) bool {
	if h.saved.File == nil || h.saved.File.ControlSocket() == "" {
		return false
	}
	return control.NewClient(h.saved.File.ControlSocket()).Alive(ctx)
}
