package text

import (
	"slices"

	"connsync/conntrackd/health"
)

// verdictText is what is said of a verdict.
type verdictText struct {
	word  string // the word that goes before it
	short string // a few words
	full  string // a sentence; blank where the few words are one
}

// textOf has FAIL for what a failover would lose all connections of one node with, and
// "warn" for what it would lose some with.
func textOf(v health.Verdict) verdictText {
	switch v {
	case health.VerdictTwoWay:
		return verdictText{OK, "in sync both ways", ""}
	case health.VerdictReceivingOnly:
		return verdictText{Fail, "only receiving", "Only receiving: the peer does not hear this node."}
	case health.VerdictSendingOnly:
		return verdictText{Fail, "only sending", "Only sending: this node does not hear the peer."}
	case health.VerdictSilent:
		return verdictText{Fail, "no word from the peer", ""}
	case health.VerdictLosing:
		return verdictText{Warn, "losing messages", "Losing messages: both ways are up, not everything arrives."}
	case health.VerdictPartial:
		return verdictText{Warn, "partly in sync", "Partly in sync: both ways are up, not every connection would survive."}
	case health.VerdictMismatch:
		return verdictText{Fail, "not in sync", "Not in sync: messages from the peer do not match the settings."}
	case health.VerdictStopped:
		return verdictText{Fail, "sync stopped", "Stopped: no conntrackd runs with these settings."}
	}
	return verdictText{Unknown, "sync unknown", "Unknown: whether the nodes are in sync could not be told."}
}

// SyncDisabled is a sync that is off on purpose, in a few words.
const SyncDisabled = "sync disabled"

// StatusWord is the word that goes before the sentence of a look.
func StatusWord(h health.Health) string {
	if h.Off {
		return Off
	}
	return VerdictWord(h.Verdict)
}

// ShortStatus is a look in a few words, for the right of the title.
func ShortStatus(h health.Health) string {
	if h.Off {
		return SyncDisabled
	}
	return ShortVerdict(h.Verdict)
}

// LookSentence is [StatusSentence] of a look, which knows a sync that is off on purpose.
func LookSentence(h health.Health) string {
	if h.Off {
		return "Sync is off."
	}
	return StatusSentence(h.Verdict)
}

// StatusSentence is the verdict on the sync in one sentence. Why and what to
// do are [health.Health]'s Cause and Next.
func StatusSentence(v health.Verdict) string {
	t := textOf(v)
	if t.full == "" {
		return Capital(t.short) + "."
	}
	return t.full
}

// Worse reports whether the sync was better before; a blank or unknown verdict is
// neither better nor worse.
func Worse(before, after health.Verdict) bool {
	rank := func(v health.Verdict) int { return slices.Index(health.Verdicts(), v) }
	if before == "" || before == health.VerdictUnknown || after == health.VerdictUnknown {
		return false
	}
	return rank(after) > rank(before)
}

// WorseThan says what the sync was before a save after which it is worse.
func WorseThan(before health.Verdict) string {
	return "It was better before the save: " + ShortVerdict(before) + "."
}
