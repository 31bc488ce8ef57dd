package text

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
)

const someDiff = "--- /f\n+++ /f\n@@ -1,2 +1,2 @@\n a\n-b\n--- b\n+c\n"

// preparation is a host with an item of each state.
func preparation() prepare.Preparation {
	return prepare.Preparation{Items: []prepare.Item{
		{ID: "unit", Title: "Change the unit", Reason: "it is killed", State: prepare.ItemMissing, Commands: []string{"write /u\x1b[2J", "reload"}},
		{ID: "events", Title: "Switch events on", Reason: "nothing is reported", State: prepare.ItemMissing},
		{ID: "logrotate", Detail: "somebody changed the rule", State: prepare.ItemForeign},
		{ID: "other", Detail: "permission denied", State: prepare.ItemUnknown},
		{ID: "fine", Detail: "the setting is correct", State: prepare.ItemInPlace},
	}}
}

func TestRowsOfAChange(t *testing.T) {
	c := Change{
		Candidate: &conntrackd.Candidate{Path: "/f", Old: []byte("a"), New: []byte("b"), Undoes: 3, Notes: []string{"a note\x1b[2J"}},
		Diff:      someDiff, Replaces: []string{"Multicast link"}, Commands: []string{"write /f", "restart"},
		Preparation: preparation(), PrepareHost: true, FirstNode: true,
	}
	want := []Row{
		{Text: "Rolls back save 3."},
		{Text: "Changes /f: 1 line added, 2 removed."},
		{Label: "! replaces", Text: "Multicast link", Word: Warn},
		{Label: "runs", Text: "write /f"},
		{Label: "runs", Text: "restart"},
		{Label: "host", Text: "Change the unit: it is killed.", Commands: []string{"write /u", "reload"}},
		{Label: "host", Text: "Switch events on: nothing is reported."},
		{Label: "Not changed", Text: "somebody changed the rule", Word: Warn},
		{Label: "Not changed", Text: "other: permission denied", Word: Warn},
		{Label: "note", Text: "first node of the pair: the path to the peer was not proven."},
		{Label: "note", Text: "a note"},
	}
	if diff := cmp.Diff(want, c.Rows()); diff != "" {
		t.Error(diff)
	}
	c.PrepareHost = false
	for i, r := range c.HostRows()[:2] {
		if r.Label != "skip" {
			t.Errorf("row %d is labelled %q where the host is left alone", i, r.Label)
		}
	}
}

func TestFileOfAChange(t *testing.T) {
	for name, tc := range map[string]struct {
		candidate *conntrackd.Candidate
		diff      string
		want      string
	}{
		"no candidate": {nil, someDiff, "The file stays as it is."},
		"no diff":      {&conntrackd.Candidate{New: []byte("a")}, "", "The file stays as it is."},
		"removed":      {&conntrackd.Candidate{Path: "/f", Old: []byte("a")}, someDiff, "Removes /f, 2 lines; it did not exist before that save."},
		"created":      {&conntrackd.Candidate{Path: "/f", New: []byte("a")}, someDiff, "Creates /f, 1 line."},
	} {
		if got := (Change{Candidate: tc.candidate, Diff: tc.diff}).Rows(); len(got) != 1 || got[0].Text != tc.want {
			t.Errorf("%s: %+v, want %q", name, got, tc.want)
		}
	}
}

func TestSectionsOfAChange(t *testing.T) {
	c := Change{Preparation: preparation(), PrepareHost: true}
	host := Section{"This would be done about the host (not with --prepare-host=false):",
		[]string{"unit: Change the unit", "  write /u", "  reload", "events: Switch events on"}}
	stays := Section{"Not changed:", []string{"logrotate: somebody changed the rule", "other: permission denied"}}
	if diff := cmp.Diff([]Section{host, stays}, c.Sections()); diff != "" {
		t.Error(diff)
	}
	host.Title = "This would not be done about the host, because of --prepare-host=false:"
	c.PrepareHost = false
	c.Replaces, c.Commands, c.Candidate = []string{"TCP"}, []string{"restart"}, &conntrackd.Candidate{Notes: []string{"a note"}}
	want := []Section{{"This replaces:", []string{"TCP"}}, {"Notes:", []string{"a note"}}, {"These commands would run:", []string{"restart"}}, host, stays}
	if diff := cmp.Diff(want, c.Sections()); diff != "" {
		t.Error(diff)
	}
}

func TestHostChoice(t *testing.T) {
	for n, want := range map[int]string{
		1: "Prepare the host (1 item above); connsync unprepare undoes it.",
		2: "Prepare the host (2 items above); connsync unprepare undoes it.",
	} {
		if got := HostChoice(n, ""); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestForeignChange(t *testing.T) {
	changed := &hostfile.ChangedError{Path: "/f\x1b[2J", Read: []byte("a\n"), Now: []byte("b\n")}
	if got := ForeignChange(fmt.Errorf("write: %w", changed)); got != changed.Diff() || got == "" {
		t.Errorf("%q", got)
	}
	for _, err := range []error{nil, errors.New("no space")} {
		if got := ForeignChange(err); got != "" {
			t.Errorf("%v: %q", err, got)
		}
	}
	if got := ForeignSince(changed.Path); got != "Someone else has changed /f since it was read:" {
		t.Error(got)
	}
	if got := ForeignRefusal(changed.Path); got != "Someone else has changed /f since the form read it. Reload File takes that into the form; what you have typed stays." {
		t.Error(got)
	}
}
