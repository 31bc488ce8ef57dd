package service

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
)

// An rc-service that hangs is not taken for one that knows no state.
func TestOpenRCStateSaysThatThereIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOpenRC(&Direct{})
		o.run = func(ctx context.Context, _ ...string) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if words := o.status(t.Context()); !strings.Contains(words, "nothing within 20s") {
			t.Errorf("status %q", words)
		}
	})
}
