package firewall

import (
	"connsync/lab"
	"context"
	"errors"
	"testing"
	"time"
)

// An nft that was ended with its caller's time does not look like one that
// refused the rules.
func TestRunNftSaysThatItsTimeEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := lab.Covered("#!/bin/sh\nexec sleep 60\n", func() error { return RunNft(ctx, "list ruleset") }, "/usr/sbin/nft")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
