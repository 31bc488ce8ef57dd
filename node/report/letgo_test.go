package report

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
	"connsync/node"
)

// A backup whose peer reports to have taken the connections over lets go of them; one whose
// keepalived still has the addresses does not.
func TestBackupLetsGo(t *testing.T) {
	for name, tt := range map[string]struct {
		role    coverage.Role
		foreign uint32
		verdict health.Verdict
		age     time.Duration
		want    bool
	}{
		"taken over":           {coverage.RoleBackup, 0, health.VerdictTwoWay, 0, true},
		"the peer stands by":   {coverage.RoleBackup, 200, health.VerdictTwoWay, 0, false},
		"the addresses here":   {coverage.RolePrimary, 0, health.VerdictTwoWay, 0, false},
		"one way":              {coverage.RoleBackup, 0, health.VerdictReceivingOnly, 0, false},
		"a report from before": {coverage.RoleBackup, 0, health.VerdictTwoWay, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var mu sync.Mutex
			var asked []control.Request
			conntracktest.ServeControl(t, filepath.Join(dir, "ctl"), func(r control.Request) []byte {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, r)
				switch r {
				case control.RequestCache:
					return []byte("cache:internal\tactive objects:\t\t200\n\nexternal inject:\nconnections created:\t\t0\tfailed:\t0\nconnections updated:\t\t0\tfailed:\t0\nconnections destroyed:\t\t0\tfailed:\t0\n")
				case control.RequestRuntime:
					return []byte("\tresync with kernel table:\t0\n")
				case control.RequestLink:
					return []byte("UDP traffic device=sync0 status=RUNNING role=ACTIVE:\n 0 Bytes sent 0 Bytes recv\n 0 Pckts sent 0 Pckts recv\n 0 Error send 0 Error recv\n")
				}
				return nil
			})
			client := control.NewClient(filepath.Join(dir, "ctl"))
			call := failover.Failover{Client: client, RuntimeDir: dir, Kernel: func() (int, error) { return 200, nil }, Patience: time.Millisecond, Started: failover.Clock() - time.Minute}
			call.Run(t.Context(), failover.RoleBackup, nil)
			r := Reporter{node: &node.Node{}}
			r.node.RuntimeDir = dir
			h := health.Health{Verdict: tt.verdict, Coverage: &coverage.Coverage{Role: tt.role},
				Holding: health.Holding{Told: &mailbox.Told{Report: mailbox.Report{Kernel: 200, Foreign: tt.foreign}, Age: tt.age}}}
			if err := r.letGo(t.Context(), client, h); err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(asked, control.RequestFlushInternal); got != tt.want {
				t.Errorf("let go: %v, want %v", got, tt.want)
			}
		})
	}
}
