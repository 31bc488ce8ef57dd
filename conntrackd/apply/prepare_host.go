package apply

import (
	"context"
	"fmt"
	"strings"

	"connsync/conntrackd/prepare"
	"connsync/conntrackd/step"
)

// prepare sets right what the host does against its sync. It restarts nothing:
// a save that restarts does so afterwards.
func (t *transaction) prepare(ctx context.Context) error {
	if t.a.Preparer == nil || !t.c.Settings.Enabled || t.service == nil {
		return nil
	}
	const title = "Prepare the host"
	found := t.a.Preparer.Look(ctx, t.c)
	missing := found.Missing()
	if len(missing) == 0 {
		t.skip(StepPrepare, title, untouched(found))
		return nil
	}
	return t.step(StepPrepare, title, func() (step.Status, string, error) {
		var err error
		if t.host, err = t.a.Preparer.Prepare(ctx, missing); err != nil {
			return "", "", fmt.Errorf("prepare the host: %w", err)
		}
		now := t.a.Preparer.Look(ctx, t.c)
		if left := now.Missing(); len(left) > 0 {
			return "", "", fmt.Errorf("prepare the host: %s: it is still missing: %s", left[0].ID, left[0].Detail)
		}
		var done []string
		for _, i := range missing {
			if after, ok := now.Item(i.ID); !ok || after.State != prepare.ItemForeign && after.State != prepare.ItemUnknown {
				done = append(done, string(i.ID))
			}
		}
		words := othersOf(now)
		if len(done) > 0 {
			words = append([]string{strings.Join(done, ", ") + " (" + t.a.Called.Command("unprepare") + " restores what was there)"}, words...)
		}
		return step.Done, strings.Join(words, "; "), nil
	})
}

// othersOf says what is wrong and not ours to set right.
func othersOf(p prepare.Preparation) []string {
	var words []string
	for _, s := range p.Stays() {
		words = append(words, s.String())
	}
	return words
}

// untouched says why a host of which nothing is missing is left as it is.
func untouched(p prepare.Preparation) string {
	if others := othersOf(p); len(others) > 0 {
		return strings.Join(others, "; ")
	}
	return "the setting is correct"
}

// unprepare undoes what this save has changed on the host.
func (t *transaction) unprepare(ctx context.Context) error {
	if !t.host.Any() {
		return nil
	}
	return t.step(StepUnprepare, "Roll back the host", func() (step.Status, string, error) {
		if err := t.host.RollBack(ctx); err != nil {
			return "", "", fmt.Errorf("roll back the host: %w", err)
		}
		return step.Done, "", nil
	})
}
