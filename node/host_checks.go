package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/service"
	"connsync/netcheck/check"
	"connsync/node/dependents"
	"connsync/node/install"
	"connsync/plural"
)

// The checks of what the host does against its sync beside the file, apart from those
// that have the ID of an item of package prepare, which a save sets right.
const (
	checkProtocols    check.ID = "protocols-file"
	checkHashLimit    check.ID = "hash-limit"
	checkExpectations check.ID = "expectations"
	checkSecondDaemon check.ID = "second-daemon"
	checkCoverage     check.ID = "coverage"
)

// hostChecks share one look at the host.
type hostChecks struct {
	n        *Node
	settings conntrackd.Settings
	once     sync.Once
	titles   map[check.ID]string

	saved     Saved
	candidate *conntrackd.Candidate
	host      conntrackd.Host
	found     prepare.Preparation
	err       error // of the file
}

func (n *Node) hostChecks(settings conntrackd.Settings) []check.Check {
	h := &hostChecks{n: n, settings: settings, titles: map[check.ID]string{}}
	file := []check.ID{checkNameReadable, checkDaemon} // what a new file needs
	list := []check.Check{
		{ID: check.ID(prepare.ItemUnit), Title: "conntrackd comes back after a crash", Needs: file, Run: h.unit},
		{ID: check.ID(prepare.ItemResync), Title: "Started node gets all states", Needs: file, Run: h.resync},
		{ID: check.ID(prepare.ItemEvents), Title: "Kernel reports every connection", Run: h.item(prepare.ItemEvents)},
		{ID: check.ID(prepare.ItemLogrotate), Title: "Log rotation leaves conntrackd running", Run: h.item(prepare.ItemLogrotate)},
		{ID: checkProtocols, Title: "Protocol names in the filter are known", Needs: file, Run: h.protocols},
		{ID: checkHashLimit, Title: "conntrackd's tables hold the kernel's", Needs: file, Run: h.hashLimit},
		{ID: check.ID(prepare.ItemRefresh), Title: "Connections in use stay on the peer", Run: h.entryLifetime},
		{ID: checkExpectations, Title: "Announced connections are synchronised", Needs: file, Run: h.expectations},
		{ID: checkSecondDaemon, Title: "No second conntrackd runs", Run: h.secondDaemon},
		{ID: checkCoverage, Title: "Connections are replicated", Needs: file, Run: h.coverage},
	}
	for i := range list {
		list[i].Severity = check.Warning
		h.titles[list[i].ID] = list[i].Title
	}
	return list
}

// look is done by whichever check comes first, and serves all.
func (h *hostChecks) look(ctx context.Context) error {
	h.once.Do(func() {
		// Without a new file, there is less of the host to look at.
		h.candidate = &conntrackd.Candidate{Path: h.n.Config, Settings: h.settings}
		if h.saved, h.err = h.n.Load(ctx); h.err == nil {
			h.host, h.err = conntrackd.ReadHost()
		}
		if h.err == nil {
			if c, err := h.n.candidate(ctx, h.saved, h.settings); err == nil {
				h.candidate = c
			} else {
				h.err = err
			}
		}
		h.found = h.n.Preparer().Look(ctx, h.candidate)
	})
	return h.err
}

// file is the one that a save would write.
func (h *hostChecks) file() *conntrackd.File {
	f, _ := conntrackd.Parse(h.candidate.Path, h.candidate.New)
	return f
}

// item asks for an item of the preparation that no file has a part in.
func (h *hostChecks) item(id prepare.ItemID) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		_ = h.look(ctx)
		i, ok := h.found.Item(id)
		if !ok {
			return check.Finding{Status: check.Passed, Detail: "not applicable on this host"}
		}
		return h.itemFinding(i)
	}
}

func unseen(err error) check.Finding {
	return check.Finding{Status: check.Unknown, Detail: err.Error(), Err: err}
}

// itemFinding is the finding of the check of an item. A cause that a check before it has
// told as well is told there alone.
func (h *hostChecks) itemFinding(i prepare.Item) check.Finding {
	f := check.Finding{Detail: i.Detail}
	switch i.State {
	case prepare.ItemInPlace:
		f.Status = check.Passed
		if f.Detail == "" {
			f.Detail = "the setting is correct"
		}
	case prepare.ItemMissing:
		f.Status, f.Remedy, f.Mend = check.Failed, h.n.Called.Command("apply", "--prepare-host"), check.MendHost
		f.Detail = i.Reason
		if i.Detail != "" {
			f.Detail = i.Detail + ": " + i.Reason
		}
	case prepare.ItemForeign:
		f.Status = check.Failed
		f.Detail += "; " + i.Reason
		f.Remedy = cmp.Or(i.Remedy, h.n.Called.Command("apply", "--dry-run", "--prepare-host"))
	default:
		f.Status, f.Err = check.Unknown, i.Err
		var cause *hostfile.CauseError
		switch told := h.told(i); {
		case told != "":
			f.Detail = fmt.Sprintf("for the same reason as %q", h.titles[check.ID(told)])
		case errors.As(i.Err, &cause):
			f.Detail, f.Remedy = strings.TrimSuffix(f.Detail, ": "+cause.Remedy), cause.Remedy
		}
	}
	return f
}

// told is the item whose check tells why nothing can be said of i either; blank where
// that of i does.
func (h *hostChecks) told(i prepare.Item) prepare.ItemID {
	for _, before := range h.found.Items {
		ofFile := before.ID == prepare.ItemUnit || before.ID == prepare.ItemResync
		switch {
		case before.ID == i.ID:
			return ""
		case h.err != nil && ofFile: // whose checks tell that
		case before.State == i.State && before.Detail == i.Detail:
			return before.ID
		}
	}
	return ""
}

func (h *hostChecks) unit(ctx context.Context) check.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	if i, ok := h.found.Item(prepare.ItemUnit); ok {
		beside, err := dependents.Of(ctx, h.n.Service)
		if err != nil {
			return unseen(err)
		}
		return dependents.Beside(h.itemFinding(i), beside)
	}
	if h.n.Unmanaged() {
		return check.Finding{Status: check.Unknown, Detail: "--service none does not read the service, so its unit is unknown", Remedy: h.n.Called.With("--service", "auto").Command("check")}
	}
	return dependents.Restarts(h.n.Service, h.saved.State.Keeper, h.n.Called.Command("apply"))
}

// resync needs both: that the daemon asks, and that it sends.
func (h *hostChecks) resync(ctx context.Context) check.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	if f := h.file(); !f.StartupResync() && f.Mode() != "ALARM" {
		return check.Finding{Status: check.Failed,
			Detail: "StartupResync is off: a node that restarts holds no states of the peer until they change",
			Remedy: "StartupResync on, in the Mode section of " + h.n.Config}
	}
	if i, ok := h.found.Item(prepare.ItemResync); ok {
		return h.itemFinding(i)
	}
	if h.file().Mode() == "ALARM" {
		return check.Pass("mode ALARM sends every state again and again")
	}
	return dependents.Sends(h.n.Service)
}

func (h *hostChecks) protocols(ctx context.Context) check.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	names, accept := h.file().ProtocolFilter()
	if len(names) == 0 {
		return check.Finding{Status: check.Passed, Detail: "the file filters no protocol by its name"}
	}
	known, err := coverage.ReadProtocols("/etc/protocols")
	if err != nil {
		return unseen(err)
	}
	unknown := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := known[name]; return ok })
	if len(unknown) == 0 {
		return check.Finding{Status: check.Passed, Detail: "/etc/protocols knows " + strings.Join(names, ", ")}
	}
	detail := "/etc/protocols does not know " + strings.Join(unknown, ", ") + ": conntrackd drops the name from its filter"
	if accept && len(unknown) == len(names) {
		detail += ", and an empty Accept list lets nothing through"
	}
	return check.Finding{Status: check.Failed, Detail: detail, Remedy: install.Command(install.Netbase, false)}
}

// hashLimit looks at both sides of the limit: this node's table, and what the
// peer has sent to a running daemon. The size of the peer's table cannot be
// seen from here.
func (h *hostChecks) hashLimit(ctx context.Context) check.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	limit, table := h.file().HashLimit(), h.host.ConntrackMax
	if table == 0 {
		return check.Finding{Status: check.Unknown, Detail: "the kernel does not say its nf_conntrack_max", Remedy: "modprobe nf_conntrack"}
	}
	remedy := fmt.Sprintf("HashLimit %d, in the General section of %s", 2*table, h.n.Config)
	if limit < table {
		return check.Finding{Status: check.Failed, Remedy: remedy,
			Detail: fmt.Sprintf("HashLimit %d is less than the kernel's nf_conntrack_max %d: states beyond it are lost silently", limit, table)}
	}
	refused, err := h.refused(ctx)
	if err != nil {
		return check.Finding{Status: check.Unknown, Err: err, Remedy: asRoot(err),
			Detail: "conntrackd did not report how many states it refused: " + err.Error()}
	}
	if refused > 0 {
		return check.Finding{Status: check.Failed, Remedy: remedy,
			Detail: fmt.Sprintf("conntrackd had no room for %s since its start; the peer's nf_conntrack_max may be larger than HashLimit %d", plural.Of(refused, "state", "states"), limit)}
	}
	return check.Finding{Status: check.Passed,
		Detail: fmt.Sprintf("HashLimit %d, nf_conntrack_max %d; the peer's must be the same, which cannot be checked from here", limit, table)}
}

// refused is how many states a running daemon had no room for. It is zero where
// none runs, or one for statistics.
func (h *hostChecks) refused(ctx context.Context) (uint64, error) {
	socket := h.saved.File.ControlSocket()
	if socket == "" || h.saved.StateErr == nil && !h.saved.State.Active {
		return 0, nil
	}
	cache, err := control.NewClient(socket).Cache(ctx)
	if errors.Is(err, control.ErrNotListening) || errors.Is(err, control.ErrStatsMode) {
		return 0, nil
	}
	return cache.NoSpace, err
}

func (h *hostChecks) secondDaemon(ctx context.Context) check.Finding {
	state, err := h.n.Service.State(ctx)
	if err != nil && !errors.Is(err, service.ErrUnmanaged) {
		return unseen(err)
	}
	others, err := service.OtherDaemons(state.MainPID)
	if err != nil {
		return unseen(err)
	}
	if h.n.Unmanaged() && len(others) == 1 {
		return check.Finding{Status: check.Passed, Detail: fmt.Sprintf("one conntrackd runs (process %d)", others[0].PID)}
	}
	if len(others) == 0 {
		return check.Finding{Status: check.Passed, Detail: "no other conntrackd runs"}
	}
	if other := service.Elsewhere(h.n.Service, state, h.n.Config); other != nil {
		return check.Finding{Status: check.Failed, Detail: other.Cause, Err: other, Remedy: other.Remedy}
	}
	var words []string
	for _, d := range others {
		words = append(words, fmt.Sprintf("process %d with %s", d.PID, d.Config))
	}
	return check.Finding{Status: check.Failed,
		Remedy: fmt.Sprintf("ps -o pid,ppid,args -p %d shows what started it; have that stop it, or use its file: %s", others[0].PID, h.n.Called.With("--config", others[0].Config).Command()),
		Detail: "another conntrackd runs: " + strings.Join(words, ", ") + "; of two on one port only one gets the messages"}
}
