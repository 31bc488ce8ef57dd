package health

import (
	"context"
	"testing"
	"time"

	"connsync/conntrackd/pairtest"
)

// A second after the restart of the daemon the verdict is that of this run:
// "two-way" as soon as both directions were seen in it, and until then that
// there was no time to tell, never that the peer is silent.
func TestHealthASecondAfterTheRestart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scenario
		until time.Duration // after the restart, where the verdict does not come
	}{
		{scenario{name: "own-restarted-a-second-ago", want: VerdictTwoWay}, window},
		{scenario{name: "own-restarted-a-second-ago-no-word-yet", want: VerdictUnknown, cause: "has just started; no message from the peer yet",
			late: func(_, b *pairtest.Node) { nft(b, "output", "udp dport 3780 drop") }}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &tt.scenario
			s.start(t)
			time.Sleep(pairtest.Contact)
			if s.late != nil {
				s.late(s.a, s.b)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.a.Do(func() error {
				if err := s.observer.Start(ctx); err != nil {
					return err
				}
				s.observer.gather(ctx) // of the run before
				if err := s.a.Service.Restart(ctx); err != nil {
					return err
				}
				for began := time.Now(); time.Since(began) < tt.until; time.Sleep(100 * time.Millisecond) {
					s.last = s.observer.gather(ctx)
					switch h := s.last.health(); {
					case h.Verdict == VerdictTwoWay && s.want == VerdictTwoWay:
						t.Logf("measured: two-way %v after the restart", time.Since(began).Round(10*time.Millisecond))
						return nil
					case h.Verdict != VerdictUnknown:
						t.Errorf("%v after the restart: %s, %s", time.Since(began), h.Verdict, h.Cause)
					}
				}
				return nil
			})
			s.judge(t)
		})
	}
}
