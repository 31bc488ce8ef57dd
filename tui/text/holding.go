package text

import (
	"fmt"
	"strings"
	"time"

	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
	"connsync/plural"
	"connsync/shell"
)

// OnPeer is what the peer has said that it holds, in one line; blank where the two nodes
// do not hear each other, or nobody counted.
func OnPeer(h health.Health) string {
	return onPeer(h, func(age time.Duration) string { return fmt.Sprintf("%d s ago", age/time.Second) })
}

// lately is the age of a report in steps that a screen does not show each second.
func lately(age time.Duration) string {
	if age < time.Minute {
		return "in the last minute"
	}
	return span(age) + " ago"
}

func onPeer(h health.Health, aged func(time.Duration) string) string {
	told := h.Holding.Told
	switch {
	case h.Coverage == nil || !peerKnown(h):
		return ""
	case told == nil:
		return "there is no report of the peer of what it holds: connsync refresh there makes one twice a minute; if none comes, run connsync status there, or " +
			Clean(h.Called.OnBoth("status", "--prove")) + " on both nodes"
	}
	if why, unclear := unclears[h.Holding.Unclear]; unclear {
		return Join("; ", fmt.Sprintf("what the peer holds does not show in what it reported %s: %s", aged(told.Age), why), differ(h.Holding.Differ, h.Called))
	}
	return Join("; ", fmt.Sprintf("%d of %s are on the peer, as it reported %s", h.Holding.OnPeer, plural.Of(h.Holding.Of, "connection", "connections"), aged(told.Age)),
		differ(h.Holding.Differ, h.Called))
}

// unclears say why a report does not show what the peer holds.
var unclears = map[health.Unclear]string{
	health.UnclearCommitted: "it may have committed its external cache, and connections of its own are in its kernel too",
	health.UnclearRefused:   "its kernel refused states, and as many connections are there as have to be",
}

// differ says which settings have to be equal on both nodes and are not.
func differ(d []health.Difference, called shell.Program) string {
	var names []string
	for _, one := range d {
		names = append(names, map[health.Difference]string{
			health.DifferBuffers: "Send or Receive Buffer Size", health.DifferCache: "External Cache", health.DifferMode: "Mode",
			health.DifferOther: "an advanced setting (compare " + Clean(called.OnBoth("show")) + " of both nodes)",
		}[one])
	}
	if names == nil {
		return ""
	}
	return "it has another value than this node for " + strings.Join(names, " and ")
}

// shortages are the words for the causes that the peer may tell, as they are in JSON.
var shortages = map[mailbox.Cause]string{
	mailbox.CauseNone: "", mailbox.CauseTableFull: "table-full", mailbox.CauseCacheFull: "external-cache-full",
	mailbox.CauseNotWritten: "refused", mailbox.CauseEmptied: "emptied",
}

// hooks are the words for what the peer told of its hook, as they are in JSON.
var hooks = map[mailbox.Hook]string{mailbox.HookRuns: "runs", mailbox.HookUnseen: "unseen", mailbox.HookFails: "fails"}

// Shortage is why a node holds less than its peer has, in a word for scripts; blank
// where it holds all.
func Shortage(c mailbox.Cause) string {
	if word, ok := shortages[c]; ok {
		return word
	}
	return fmt.Sprintf("cause-%d", c) // of a later version
}

// daemonVersion is a version that the peer told; blank where it did not know.
func daemonVersion(v [3]uint8) string {
	if v == ([3]uint8{}) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
}

// PeerReport is what the peer told, as JSON.
type PeerReport struct {
	Held     *int   `json:"held"` // of this node's connections; null where the report does not show it
	Of       *int   `json:"of"`   // that it should hold; null with Held
	Seconds  int    `json:"seconds_ago"`
	Cause    string `json:"cause"`    // why it holds less; blank where it does not
	Kernel   uint32 `json:"kernel"`   // connections in its kernel
	External uint32 `json:"external"` // connections in its external cache
	Refused  uint32 `json:"refused"`  // writes that failed there and were not made good
	Limit    uint32 `json:"limit"`    // its nf_conntrack_max, or with an external cache its HashLimit
	Daemon   string `json:"conntrackd"`
	// Hook is what takes its external cache into its kernel at a failover: "runs",
	// "unseen" or "fails"; blank where it does not know.
	Hook    string   `json:"failover_hook"`
	Helpers []string `json:"helpers"` // conntrack helpers that its rules assign; null where it does not know
	// Differ are the settings that it has otherwise than this node.
	Differ []health.Difference `json:"settings_differ"`
}

// NewPeerReport is what the peer told; nil where it has not told, which is not zero.
func NewPeerReport(h health.Holding) *PeerReport {
	t := h.Told
	if t == nil {
		return nil
	}
	r := &PeerReport{
		Seconds: int(t.Age / time.Second), Cause: Shortage(t.Cause), Kernel: t.Kernel, External: t.External, Refused: t.Refused, Limit: t.Limit,
		Daemon: daemonVersion(t.Daemon), Differ: append([]health.Difference{}, h.Differ...), Hook: hooks[t.Hook],
	}
	if h.Of >= 0 {
		r.Held, r.Of = &h.OnPeer, &h.Of
	}
	if t.Helpers.Known() {
		r.Helpers = t.Helpers.Names()
	}
	return r
}
