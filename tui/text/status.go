package text

import (
	"fmt"
	"strconv"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
	"connsync/plural"
)

// VerdictWord is the word that goes before the sentence of a verdict.
func VerdictWord(v health.Verdict) string { return textOf(v).word }

// ShortVerdict is the verdict in a few words, for the right of the title.
func ShortVerdict(v health.Verdict) string { return textOf(v).short }

// StatusLines is the verdict as plain text: the sentence, the cause and the
// next step, one line each, and then the links where there are several.
func StatusLines(h health.Health) []string {
	lines := []string{Column(StatusWord(h)) + LookSentence(h)}
	if cause := Clean(h.Cause); cause != "" {
		lines = append(lines, Column("")+cause)
	}
	if next := Clean(h.Next); next != "" {
		lines = append(lines, Column("")+"-> "+next)
	}
	if covered := Coverage(h); covered != "" {
		lines = append(lines, Column("")+Capital(covered)+".")
	}
	if there := OnPeer(h); there != "" {
		lines = append(lines, Column("")+Capital(there)+".")
	}
	for _, r := range linkRows(h) {
		lines = append(lines, Column(r.Word)+r.Text)
	}
	return lines
}

// ServiceNote is for a daemon that runs and does not start at boot, or that something else
// runs; blank for any other.
func ServiceNote(h health.Health) string {
	if k := h.Service.Keeper; k != (service.Keeper{}) {
		return Clean("Note: conntrackd is run by " + k.String() + ", so connsync does not restart it.")
	}
	if half := h.Service.HalfEnabled(); half != "" && h.Service.Active && !h.Off {
		return Clean("Note: " + half + "; " + h.Service.First(h.Called.Command("apply", "--enable")) + " fixes that.")
	}
	return ""
}

// OutOfPlace is the warning that there should be no sync on this host.
func OutOfPlace(why string) string { return Column(Warn) + Clean("Out of place: "+why+".") }

// WantsPeer reports whether the peer may not be set up as this node is, so that
// what to type there is part of the status.
func WantsPeer(h health.Health, s conntrackd.Settings) bool {
	switch h.Verdict {
	case health.VerdictSilent, health.VerdictReceivingOnly, health.VerdictSendingOnly, health.VerdictMismatch:
		return s.Enabled && s.Peer.Addr().IsValid()
	}
	return false
}

// Count is one of the daemon's numbers.
type Count struct{ Name, Value string }

// Counts are the numbers that say how well it goes, the most telling ones of
// each row of three first.
func Counts(h health.Health, s conntrackd.Settings) []Count {
	c := h.Counters
	ofPeer := Count{"peer's states", number(c.External)}
	if !s.ExternalCache {
		// They go straight into the kernel's table, and are counted there.
		ofPeer = Count{"in kernel", counted(h)}
	}
	counts := []Count{
		{"states here", number(c.Internal)}, {"lost", number(c.Lost)}, {"malformed", number(c.Malformed)},
		ofPeer, {"send errors", number(c.ErrorsSent)}, {"netlink overruns", number(c.Overruns)},
		{"resend queue", number(c.ResendQueue)}, {"receive drops", number(h.Sockets.Drops)}, {"cache full", number(c.NoSpace)},
	}
	if !s.ExternalCache {
		counts = append(counts, Count{"written to kernel", number(c.Injected)})
	}
	return counts
}

// counted is how many connections this kernel holds, where that is known.
func counted(h health.Health) string {
	if h.Coverage == nil {
		return "-"
	}
	return number(uint64(h.Coverage.Here()))
}

func number(n uint64) string {
	if n < 1e9 {
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("%.1fG", float64(n)/1e9)
}

// About is where and since when the daemon runs, and what it has got; s are the
// settings in force.
func About(h health.Health, s conntrackd.Settings) []Row {
	bound := ""
	switch {
	case h.Sockets.Bound:
		bound = "bound to " + Clean(h.Sockets.Address)
		if s.Multicast() {
			bound += " for group " + Clean(s.MulticastGroup)
		}
	case !h.Counters.Time.IsZero():
		bound = "NOT bound to the address and port that are set"
	}
	var rows []Row
	add := func(label, text string) {
		if text != "" {
			rows = append(rows, Row{Label: label, Text: text})
		}
	}
	add("survive", Coverage(h))
	add("on peer", onPeer(h, lately))
	add("link", Join(", ", Join(" ", Clean(h.Device), Clean(h.Link)), bound))
	if h.Sockets.Bound {
		add("buffers", buffer("receive", h.Sockets.ReceiveBuffer, s.ReceiveBuffer)+", "+buffer("send", h.Sockets.SendBuffer, s.SendBuffer))
	}
	add("daemon", daemon(h))
	return append(rows, linkRows(h)...)
}

// buffer compares what is in force with what was asked for. The kernel doubles
// what it is asked for.
func buffer(name string, inForce, asked int) string {
	switch {
	case asked <= 0:
		return fmt.Sprintf("%s %d (the kernel's own)", name, inForce)
	case inForce < 2*asked:
		return fmt.Sprintf("%s ONLY %d (asked 2 x %d)", name, inForce, asked)
	case inForce == 2*asked:
		return fmt.Sprintf("%s %d (2 x %d)", name, inForce, asked)
	}
	return fmt.Sprintf("%s %d (asked %d)", name, inForce, asked)
}

func daemon(h health.Health) string {
	state := h.Service
	parts := []string{Clean(state.Detail)}
	switch {
	case !state.Present && state.MainPID == 0:
		return Join(", ", parts...)
	case state.Active:
		parts = append(parts, Join(" for ", "running", uptime(h)))
	default:
		parts = append([]string{"stopped"}, parts...)
	}
	switch {
	case state.Unbooted: // the detail says so
	case state.Enabled:
		parts = append(parts, "starts at boot")
	case state.StartedBy != "":
		parts = append(parts, "at boot "+state.StartedBy+" starts it")
	default:
		parts = append(parts, "does NOT start at boot")
	}
	if state.Restarts > 0 {
		parts = append(parts, "restarted "+plural.Times(state.Restarts)+" by itself")
	}
	return Join(", ", parts...)
}

// uptime is the time since the daemon's start in steps of at least a minute,
// so that it does not change with every look.
func uptime(h health.Health) string {
	up := h.Uptime
	if since := h.Service.Since; up == 0 && !since.IsZero() && h.Counters.Time.After(since) {
		up = h.Counters.Time.Sub(since)
	}
	if up == 0 && h.Counters.Time.IsZero() {
		return ""
	}
	return span(up)
}

func span(d time.Duration) string {
	minutes := int(d / time.Minute)
	switch {
	case minutes < 1:
		return "less than a minute"
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes < 24*60:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
	return fmt.Sprintf("%d d %d h", minutes/(24*60), minutes/60%24)
}

// WatchLine is what is worth a line of a watch, without its time: an idle pair
// that is in sync says it once. before is the look before this one.
func WatchLine(before, now health.Health) string {
	line := fmt.Sprintf("%-14s", now.Verdict)
	if !now.Time.IsZero() {
		sent, received := "-", "-"
		if SameRun(before, now) {
			took := now.Time.Sub(before.Time)
			sent, received = perSecond(before.PacketsSent, now.PacketsSent, took), perSecond(before.PacketsRecv, now.PacketsRecv, took)
		}
		peers := counted(now)
		if !now.Direct {
			peers = number(now.External)
		}
		line += fmt.Sprintf(" sent %s/s received %s/s states %d/%s lost %d overruns %d",
			sent, received, now.Internal, peers, now.Lost, now.Overruns)
	}
	if now.Verdict != health.VerdictTwoWay && now.Cause != "" {
		line += ": " + Clean(now.Cause)
	}
	return line
}

// SameRun says that two looks were at the same run of the daemon, so that its
// counters can be compared.
func SameRun(before, now health.Health) bool {
	return !before.Time.IsZero() && before.Service.MainPID == now.Service.MainPID &&
		now.PacketsSent >= before.PacketsSent && now.PacketsRecv >= before.PacketsRecv
}

// perSecond is how fast a counter grew between two readings.
func perSecond(from, to uint64, took time.Duration) string {
	if took <= 0 || to < from {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(to-from)/took.Seconds())
}
