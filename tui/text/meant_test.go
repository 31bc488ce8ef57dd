package text

import (
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
)

// A save is listed by what it meant, not by what happened to the file.
func TestEntryTellsWhatItMeant(t *testing.T) {
	on, statistics := conntrackd.Running{Active: true, Enabled: true}, apply.Standing{}
	statistics.Running = on
	synced := apply.Standing{Settings: pairSettings(), Running: on}
	left := synced
	left.Alone = true
	differences := conntrackd.NewSettingTable().Differences(pairSettings(), conntrackd.Defaults())
	entry := func(before, after apply.Standing) apply.Entry {
		return apply.Entry{Outcome: apply.EntrySaved, Service: "conntrackd.service", Before: "1", After: "2", Was: on, Asked: on, Change: &apply.Change{Before: before, After: after}}
	}
	undone := entry(synced, statistics)
	undone.Undoes, undone.Changes = 1, differences
	failed := entry(statistics, synced)
	failed.Outcome = apply.EntryRolledBack
	for want, e := range map[string]apply.Entry{
		"sync was ENABLED over eth1 with 10.0.0.102": entry(statistics, synced),
		"rolled back save 1, sync was turned OFF":    undone,
		"changed the file":                           entry(synced, synced),
	} {
		if got := EntryWhat(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, e := range []apply.Entry{failed, entry(synced, left)} {
		if got := EntryWhat(e); got != "changed the file" {
			t.Errorf("%q of one that is not in force, or left the service alone", got)
		}
	}
	for want, now := range map[string]*apply.Standing{
		"": nil, SyncIsOff: &statistics, "Sync is ENABLED over eth1 with 10.0.0.102.": &synced,
		"Sync runs over TCP on eth1, a link that connsync does not manage.": {Running: on, OtherLink: "TCP on eth1"},
	} {
		if got := InForce(now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
