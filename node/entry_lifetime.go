package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/refresh"
	"connsync/netcheck/check"
	"connsync/plural"
)

// lifetimes name the settings that the check tells of, in its words.
var lifetimes = []struct {
	kind refresh.Kind
	name string
}{
	{refresh.KindICMP, "ICMP"}, {refresh.KindUDP, "UDP one way"}, {refresh.KindUDPStream, "UDP"},
	{refresh.KindGREStream, "GRE"}, {refresh.KindSCTP, "SCTP"}, {refresh.KindTCP, "TCP"},
}

// entryLifetime asks whether connections that are in use would expire on the peer.
func (h *hostChecks) entryLifetime(ctx context.Context) check.Finding {
	if h.settings.ExternalCache {
		return h.reports(ctx)
	}
	lives, shortest, err := readLifetimes()
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
	f := judgeRefresh(status, lives)
	switch {
	case f.Status != check.Failed || f.Remedy != "":
	case bySave:
		f.Remedy, f.Mend = "connsync apply --prepare-host", check.MendHost
	default:
		f.Remedy = "connsync refresh --every auto --background"
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
			return check.Finding{Status: check.Failed, Remedy: "connsync apply --prepare-host", Mend: check.MendHost,
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

// readLifetimes says how long entries live of which packets come, one way after
// the other, and the shortest time; zero where the kernel has no such setting.
func readLifetimes() (lives string, shortest time.Duration, err error) {
	var words []string
	for _, l := range lifetimes {
		t, err := l.kind.Timeout()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", 0, err
		}
		words = append(words, fmt.Sprintf("%s after %s", l.name, inWords(t)))
	}
	_, shortest, err = refresh.Shortest()
	return strings.Join(words, ", "), shortest, err
}

func inWords(d time.Duration) string {
	if days := d / (24 * time.Hour); days >= 2 && d%(24*time.Hour) == 0 {
		return plural.Of(days, "day", "days")
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// judgeRefresh judges a refresh that runs, or none that does not.
func judgeRefresh(s *refresh.Status, lives string) check.Finding {
	failed := func(format string, args ...any) check.Finding {
		return check.Finding{Status: check.Failed, Detail: fmt.Sprintf(format, args...) + ": connections that are in use without changing their state expire on the peer, " + lives}
	}
	switch {
	case s == nil:
		return failed("connsync refresh does not run")
	case s.Error != "":
		return failed("connsync refresh fails (%s)", s.Error)
	case s.Idle != "":
		return check.Finding{Status: check.Passed, Detail: "connsync refresh runs and waits: " + s.Idle}
	case 2*s.Interval > s.Lifetime:
		f := failed("connsync refresh looks every %s, and entries may live %s", inWords(s.Interval), inWords(s.Lifetime))
		f.Remedy = "connsync refresh --every auto"
		return f
	case !s.Looked.IsZero() && time.Since(s.Looked) > 3*s.Interval+10*time.Second:
		return failed("connsync refresh (process %d) has not looked since %s", s.PID, s.Looked.Format(time.DateTime))
	}
	return check.Finding{Status: check.Passed, Detail: fmt.Sprintf(
		"connsync refresh looks every %s; without it connections in use would expire on the peer, %s", inWords(s.Interval), lives)}
}
