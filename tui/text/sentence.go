package text

import (
	"fmt"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
)

// Tense is whether a change is told before it happens or afterwards.
type Tense int

// The tenses.
const (
	Future Tense = iota
	Past
	Back // a change to come that rolls back a save
)

// Consequence is what a change means to whoever runs the pair.
type Consequence struct {
	Sentence string
	// Warns says that sync will be off, or stops until somebody acts on the peer.
	Warns bool
}

const (
	// SyncIsOff is said where sync is off, of what is in force.
	SyncIsOff = "Sync is OFF. " + noneSurvives
	// noneSurvives is what that means.
	noneSurvives = "Connections will not survive a failover."
	// notManaged goes on behind the name of a link of another kind.
	notManaged = ", a link that connsync does not manage."
)

// InForce tells what the settings in force mean; blank where the service could not be asked,
// or is neither enabled nor disabled.
func InForce(now *apply.Standing) string {
	switch {
	case now == nil:
	case now.Syncs() && now.OtherLink != "":
		return "Sync runs over " + Clean(now.OtherLink) + notManaged
	case now.Syncs():
		return fmt.Sprintf("Sync is ENABLED over %s with %s.", Clean(now.Settings.Interface), now.Settings.Peer.Addr())
	case wasOff(*now):
		return SyncIsOff
	}
	return ""
}

// ConsequenceOf tells what a change from one standing to another means. A nil before
// is not known.
func ConsequenceOf(t conntrackd.SettingTable, before *apply.Standing, after apply.Standing, tense Tense) Consequence {
	over := fmt.Sprintf("over %s with %s", Clean(after.Settings.Interface), after.Settings.Peer.Addr())
	switch {
	case after.Alone:
		return Consequence{Sentence: tense.of("Only the file %s; conntrackd is left alone.", "is written", "was written")}
	case after.Syncs() && after.OtherLink != "":
		return Consequence{tense.of("Sync %s over "+Clean(after.OtherLink)+notManaged, "will run", "was set to run"), true}
	case after.Running.Active && !after.Running.Enabled && after.HasLink():
		return Consequence{tense.of("conntrackd %s now, and not at boot.", "will run", "was started"), true}
	case !after.Syncs() && before != nil && wasOff(*before):
		return Consequence{Sentence: tense.of("Sync %s OFF"+staysOff(*before, after)+".", "stays", "stayed")}
	case !after.Syncs():
		return Consequence{tense.of("Sync %s", "will be turned OFF. "+noneSurvives, "was turned OFF."), true}
	case before == nil, wasOff(*before), !before.Running.Active, !before.Running.Enabled:
		return Consequence{Sentence: tense.of("Sync %s ENABLED "+over+".", "will be", "was")}
	}
	return changed(t, before.Settings, after, over, tense)
}

// wasOff says that nothing synced, nor would at boot.
func wasOff(before apply.Standing) bool {
	return !before.Running.Active && !before.Running.Enabled || !before.HasLink()
}

// staysOff goes on with what becomes of a sync that was off and stays off.
func staysOff(before, after apply.Standing) string {
	switch {
	case after.Running.Active:
		return "; conntrackd runs without a sync link"
	case before.Running.Active:
		return "; conntrackd is stopped, which ran without a sync link"
	case after.HasLink():
		return "; the settings are saved for later"
	}
	return ""
}

func (tense Tense) of(format, future, past string) string {
	if tense == Past {
		future = past
	}
	return strings.Replace(format, "%s", future, 1) // names in the format may have a %
}

// changed is for a sync that was on and stays on.
func changed(t conntrackd.SettingTable, before conntrackd.Settings, after apply.Standing, over string, tense Tense) Consequence {
	parts := differences(t, t.Differences(before, after.Settings))
	matching := apply.PeerHasToMatch(before, after.Settings)
	said := Join(", ", parts...)
	switch {
	case len(parts) == 0:
		return Consequence{Sentence: tense.of("Sync %s ENABLED "+over+".", "stays", "stayed")}
	case tense == Past:
		return Consequence{said + ".", matching}
	case tense == Back && matching:
		return Consequence{Sentence: said + ", as before the save: sync works with a peer that is set up to match."}
	case !matching:
		return Consequence{Sentence: said + ": sync pauses while conntrackd restarts."}
	case after.Heard == nil:
		return Consequence{said + ": sync works only with a peer that is set up to match; whether it is, is unknown.", true}
	case *after.Heard:
		return Consequence{Sentence: said + ": the peer is set up to match already; sync works after conntrackd's restart."}
	case before.Current.Addr() == after.Settings.Current.Addr() && before.Peer.Addr() == after.Settings.Peer.Addr():
		return Consequence{said + ": sync stops until the peer has the same.", true}
	}
	return Consequence{said + ": sync stops until the peer is set up to match.", true}
}

// differences tells what became of each setting, by its name for people.
func differences(t conntrackd.SettingTable, all []conntrackd.Difference) []string {
	var parts []string
	for _, d := range all {
		label := Clean(string(d.Setting)) // a record of another version may have one that this one lacks
		if e, ok := t.Find(d.Setting); ok {
			label = e.Label
		}
		parts = append(parts, fmt.Sprintf("%s %s -> %s", label, orNone(d.From), orNone(d.To)))
	}
	return parts
}

func orNone(value string) string {
	if value = strings.TrimSpace(value); value == "" {
		return "none"
	}
	return Clean(value)
}

// EntrySummary tells what a save of the history meant, or that it did not come to
// that.
func EntrySummary(t conntrackd.SettingTable, e apply.Entry, before, after apply.Standing) string {
	if !e.InForce() {
		return "This save did not take effect."
	}
	return ConsequenceOf(t, &before, after, Past).Sentence
}
