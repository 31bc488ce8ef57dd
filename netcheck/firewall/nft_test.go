package firewall

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An nft that was ended with its caller's time does not look like one that
// refused the rules.
func TestRunNftSaysThatItsTimeEnded(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nft"), []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := RunNft(ctx, "list ruleset"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
