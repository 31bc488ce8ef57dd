package apply

import (
	"testing"

	"connsync/conntrackd/prepare"
)

// What could not be read is not said to be right.
func TestPreparationUntouched(t *testing.T) {
	inPlace := prepare.Item{ID: prepare.ItemLogrotate, State: prepare.ItemInPlace}
	unseen := prepare.Item{ID: prepare.ItemEvents, State: prepare.ItemUnknown, Detail: "permission denied"}
	for want, p := range map[string]prepare.Preparation{
		"the setting is correct":         {Items: []prepare.Item{inPlace}},
		"events-mode: permission denied": {Items: []prepare.Item{inPlace, unseen}},
	} {
		if got := untouched(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
