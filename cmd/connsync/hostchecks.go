package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// The checks of what the host does against its sync beside the file. The first
// four have the IDs of the items that a save sets right.
const (
	checkProtocols    netcheck.ID = "protocols-file"
	checkHashLimit    netcheck.ID = "hash-limit"
	checkSecondDaemon netcheck.ID = "second-daemon"
)

// hostChecks share one look at the host.
type hostChecks struct {
	n        *node
	settings conntrackd.Settings
	once     sync.Once

	saved     saved
	candidate *conntrackd.Candidate
	host      conntrackd.Host
	found     conntrackd.Preparation
	err       error // of the file
}

func (n *node) hostChecks(settings conntrackd.Settings) []netcheck.Check {
	h := &hostChecks{n: n, settings: settings}
	file := []netcheck.ID{checkNameReadable, checkDaemon} // what a new file needs
	list := []netcheck.Check{
		{ID: netcheck.ID(conntrackd.ItemUnit), Title: "conntrackd comes back after a crash", Needs: file, Run: h.unit},
		{ID: netcheck.ID(conntrackd.ItemResync), Title: "Started node gets all states", Needs: file, Run: h.resync},
		{ID: netcheck.ID(conntrackd.ItemEvents), Title: "Kernel reports every connection", Run: h.item(conntrackd.ItemEvents)},
		{ID: netcheck.ID(conntrackd.ItemLogrotate), Title: "Log rotation leaves conntrackd running", Run: h.item(conntrackd.ItemLogrotate)},
		{ID: checkProtocols, Title: "Protocol names in the filter are known", Needs: file, Run: h.protocols},
		{ID: checkHashLimit, Title: "conntrackd's tables hold the kernel's", Needs: file, Run: h.hashLimit},
		{ID: checkSecondDaemon, Title: "No second conntrackd runs", Run: h.secondDaemon},
	}
	for i := range list {
		list[i].Severity = netcheck.Warning
	}
	return list
}

// look is done by whichever check comes first, and serves all.
func (h *hostChecks) look(ctx context.Context) error {
	h.once.Do(func() {
		// Without a new file, there is less of the host to look at.
		h.candidate = &conntrackd.Candidate{Path: h.n.config, Settings: h.settings}
		if h.saved, h.err = h.n.load(ctx); h.err == nil {
			h.host, h.err = conntrackd.ReadHost()
		}
		if h.err == nil {
			if c, err := h.n.candidate(ctx, h.saved, h.settings); err == nil {
				h.candidate = c
			} else {
				h.err = err
			}
		}
		h.found = h.n.preparer().Look(ctx, h.candidate)
	})
	return h.err
}

// file is the one that a save would write.
func (h *hostChecks) file() *conntrackd.File {
	f, _ := conntrackd.Parse(h.candidate.Path, h.candidate.New)
	return f
}

// item asks for an item of the preparation that no file has a part in.
func (h *hostChecks) item(id conntrackd.ItemID) func(context.Context) netcheck.Finding {
	return func(ctx context.Context) netcheck.Finding {
		_ = h.look(ctx)
		i, ok := h.found.Item(id)
		if !ok {
			return netcheck.Finding{Status: netcheck.Passed, Detail: "there is nothing of the kind on this host"}
		}
		return itemFinding(i)
	}
}

func unseen(err error) netcheck.Finding {
	return netcheck.Finding{Status: netcheck.Unknown, Detail: err.Error(), Err: err}
}

func itemFinding(i conntrackd.Item) netcheck.Finding {
	f := netcheck.Finding{Detail: i.Detail}
	switch i.State {
	case conntrackd.ItemInPlace:
		f.Status = netcheck.Passed
		if f.Detail == "" {
			f.Detail = "it is as it should be"
		}
	case conntrackd.ItemMissing:
		f.Status, f.Remedy = netcheck.Failed, "connsync apply --prepare-host"
		f.Detail = i.Reason
		if i.Detail != "" {
			f.Detail = i.Detail + ": " + i.Reason
		}
	case conntrackd.ItemForeign:
		f.Status = netcheck.Failed
		f.Detail += "; " + i.Reason
		f.Remedy = "connsync apply --dry-run --prepare-host"
	default:
		f.Status = netcheck.Unknown
	}
	return f
}

// unit is about systemd; without it nothing starts the daemon again.
func (h *hostChecks) unit(ctx context.Context) netcheck.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	if i, ok := h.found.Item(conntrackd.ItemUnit); ok {
		return itemFinding(i)
	}
	if h.n.unmanaged() {
		return netcheck.Finding{Status: netcheck.Unknown, Detail: "the service is left alone, so its unit was not looked at", Remedy: "connsync check --service auto"}
	}
	return netcheck.Finding{Status: netcheck.Passed,
		Detail: "no unit runs conntrackd here; connsync removes a stale lock when it starts it, and nothing else starts it again"}
}

// resync needs both: that the daemon asks, and that it sends.
func (h *hostChecks) resync(ctx context.Context) netcheck.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	if f := h.file(); !f.StartupResync() && f.Mode() != "ALARM" {
		return netcheck.Finding{Status: netcheck.Failed,
			Detail: "StartupResync is off: a node that restarts holds no states of the peer until they change",
			Remedy: "StartupResync on, in the Mode section of " + h.n.config}
	}
	if i, ok := h.found.Item(conntrackd.ItemResync); ok {
		return itemFinding(i)
	}
	return netcheck.Finding{Status: netcheck.Passed, Detail: "the daemon asks for all states when it starts, and connsync sends all after a save"}
}

func (h *hostChecks) protocols(ctx context.Context) netcheck.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	names, accept := h.file().ProtocolFilter()
	if len(names) == 0 {
		return netcheck.Finding{Status: netcheck.Passed, Detail: "the file filters no protocol by its name"}
	}
	unknown, err := conntrackd.UnknownProtocols(names)
	switch {
	case err != nil:
		return unseen(err)
	case len(unknown) == 0:
		return netcheck.Finding{Status: netcheck.Passed, Detail: "/etc/protocols knows " + strings.Join(names, ", ")}
	}
	detail := "/etc/protocols does not know " + strings.Join(unknown, ", ") + ": conntrackd drops the name from its filter"
	if accept && len(unknown) == len(names) {
		detail += ", and an empty Accept list lets nothing through"
	}
	return netcheck.Finding{Status: netcheck.Failed, Detail: detail, Remedy: "apt-get install netbase"}
}

// hashLimit looks at both sides of the limit: this node's table, and what the
// peer has sent to a running daemon. The size of the peer's table cannot be
// seen from here.
func (h *hostChecks) hashLimit(ctx context.Context) netcheck.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	limit, table := h.file().HashLimit(), h.host.ConntrackMax
	if table == 0 {
		return netcheck.Finding{Status: netcheck.Unknown, Detail: "the kernel does not say its nf_conntrack_max", Remedy: "modprobe nf_conntrack"}
	}
	remedy := fmt.Sprintf("HashLimit %d, in the General section of %s", 2*table, h.n.config)
	if limit < table {
		return netcheck.Finding{Status: netcheck.Failed, Remedy: remedy,
			Detail: fmt.Sprintf("HashLimit %d is less than the kernel's nf_conntrack_max %d: states beyond it are lost without a word", limit, table)}
	}
	refused, err := h.refused(ctx)
	if err != nil {
		return netcheck.Finding{Status: netcheck.Unknown, Err: err, Remedy: asRoot,
			Detail: "conntrackd did not say how many states it had no room for: " + err.Error()}
	}
	if refused > 0 {
		return netcheck.Finding{Status: netcheck.Failed, Remedy: remedy,
			Detail: fmt.Sprintf("conntrackd had no room for %d states since its start; the peer's nf_conntrack_max may be larger than HashLimit %d", refused, limit)}
	}
	return netcheck.Finding{Status: netcheck.Passed,
		Detail: fmt.Sprintf("HashLimit %d, nf_conntrack_max %d; the peer's, which is not seen from here, is to be the same", limit, table)}
}

// refused is how many states a running daemon had no room for. It is zero where
// none runs, or one for statistics.
func (h *hostChecks) refused(ctx context.Context) (uint64, error) {
	socket := h.saved.file.ControlSocket()
	if socket == "" || h.saved.unseen == nil && !h.saved.state.Active {
		return 0, nil
	}
	cache, err := conntrackd.NewClient(socket).Cache(ctx)
	if errors.Is(err, conntrackd.ErrNotListening) || errors.Is(err, conntrackd.ErrStatsMode) {
		return 0, nil
	}
	return cache.NoSpace, err
}

func (h *hostChecks) secondDaemon(ctx context.Context) netcheck.Finding {
	state, err := h.n.service.State(ctx)
	if err != nil && !errors.Is(err, conntrackd.ErrServiceUnmanaged) {
		return unseen(err)
	}
	others, err := conntrackd.OtherDaemons(state.MainPID)
	if err != nil {
		return unseen(err)
	}
	if h.n.unmanaged() && len(others) == 1 {
		return netcheck.Finding{Status: netcheck.Passed, Detail: fmt.Sprintf("one conntrackd runs (process %d)", others[0].PID)}
	}
	if len(others) == 0 {
		return netcheck.Finding{Status: netcheck.Passed, Detail: "there is none beside " + h.n.service.Name()}
	}
	var words []string
	for _, d := range others {
		words = append(words, fmt.Sprintf("process %d with %s", d.PID, d.Config))
	}
	return netcheck.Finding{Status: netcheck.Failed, Remedy: fmt.Sprintf("kill %d", others[0].PID),
		Detail: "another conntrackd runs beside " + h.n.service.Name() + ": " + strings.Join(words, ", ") + "; of two on one port only one gets the messages"}
}
