package conntrackd

import "testing"

// What could not be looked at is not said to be right.
func TestPreparationUntouched(t *testing.T) {
	inPlace := Item{ID: ItemLogrotate, State: ItemInPlace}
	unseen := Item{ID: ItemEvents, State: ItemUnknown, Detail: "permission denied"}
	for want, p := range map[string]Preparation{
		"it is as it should be":          {Items: []Item{inPlace}},
		"events-mode: permission denied": {Items: []Item{inPlace, unseen}},
	} {
		if got := untouched(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
