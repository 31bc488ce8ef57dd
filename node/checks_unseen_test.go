package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
	"connsync/netcheck/check"
)

// What keeps the host's files from being seen is told by the first check that it concerns,
// with its remedy; the others name that one.
func TestUnseenHostIsToldOnce(t *testing.T) {
	const cause, remedy = "/proc/1/ns/pid is withheld", "do this"
	err := fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, &hostfile.CauseError{Cause: cause, Remedy: remedy, Err: errors.New("denied")})
	var h hostChecks
	h.titles = map[check.ID]string{check.ID(prepare.ItemUnit): "Unit", check.ID(prepare.ItemEvents): "Events"}
	for _, id := range []prepare.ItemID{prepare.ItemUnit, prepare.ItemEvents, prepare.ItemLogrotate} {
		h.found.Items = append(h.found.Items, prepare.Item{ID: id, State: prepare.ItemUnknown, Detail: err.Error(), Err: err})
	}
	for _, test := range []struct {
		broken  error // the file, of which the unit's check tells alone
		teller  prepare.ItemID
		telling string
	}{{nil, prepare.ItemUnit, "Unit"}, {errors.New("line 3"), prepare.ItemEvents, "Events"}} {
		h.err = test.broken
		for _, i := range h.found.Items {
			f := h.itemFinding(i)
			switch {
			case f.Status != check.Unknown || !errors.Is(f.Err, conntrackd.ErrCannotLook):
				t.Errorf("%s: %v %v", i.ID, f.Status, f.Err)
			case i.ID == test.teller && (!strings.HasSuffix(f.Detail, ": "+cause) || f.Remedy != remedy):
				t.Errorf("%s: %s -> %s", i.ID, f.Detail, f.Remedy)
			case i.ID == prepare.ItemLogrotate && (f.Detail != fmt.Sprintf("for the same reason as %q", test.telling) || f.Remedy != ""):
				t.Errorf("%s: %s -> %s", i.ID, f.Detail, f.Remedy)
			}
		}
	}
	stays := h.found.Stays()
	if len(stays) != 1 || stays[0].String() != "unit-recovery, events-mode, logrotate: "+err.Error() {
		t.Errorf("what stays is told as %v", stays)
	}
}
