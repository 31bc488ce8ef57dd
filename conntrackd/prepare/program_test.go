package prepare

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestHostProgramSaysThatItsTimeEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := runHostProgram(ctx, "sleep", "60"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
