package lab

import (
	"sync"
	"testing"
	"time"
)

// Places that others remove just now do not keep anybody from a new one.
func TestPlacesComeAndGo(t *testing.T) {
	ctx, dir := within(t, time.Minute), t.TempDir()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				p, err := newPlace(ctx, dir)
				if err != nil {
					t.Error(err)
					return
				}
				if err := p.remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
