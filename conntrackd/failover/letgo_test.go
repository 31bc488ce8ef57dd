package failover

import (
	"slices"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/step"
)

// A backup keeps for its peer what that may lack: one that is down, or has just started and
// holds nothing, or what began since alone.
func TestBackupKeepsWhatThePeerLacks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		internal, kernel, states, down int
		deaf                           bool
		status                         step.Status
		detail                         string
	}{
		"the peer has all":                       {200, 210, 200, 0, false, step.Done, "internal cache 200 to 0; the kernel's table has 210 entries"},
		"the peer has all, and most of it ended": {200, 60, 50, 0, false, step.Done, "internal cache 200 to 0"},
		"the peer has what began since":          {200, 210, 60, 0, false, step.Skipped, "the peer has sent 60 states, and may need the 200 that this node has"},
		"the peer has none":                      {200, 210, 0, 0, false, step.Skipped, "the peer has sent 0 states, and may need the 200 that this node has"},
		"the peer is down":                       {200, 210, 200, 100, false, step.Skipped, "the peer has sent 0 states"},
		"nothing is left to let go of":           {0, 210, 200, 0, false, step.Done, "the internal cache is empty"},
		"conntrackd does not obey":               {200, 210, 200, 0, true, step.Failed, "the internal cache still has 200 states"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &daemonModel{direct: true, heard: 100, internal: tt.internal, kernel: tt.kernel, states: tt.states, down: tt.down,
				deaf: map[control.Request]bool{control.RequestFlushInternal: tt.deaf}}
			f := serveModel(t, d)
			if tt.down == 0 { // the silence of a peer that is down is the same however long it is waited for
				f.Patience = time.Second
			}
			outcome := f.Run(t.Context(), RoleBackup, nil)
			if last := outcome.Steps[len(outcome.Steps)-1]; last.ID != stepLetGo || last.Status != tt.status || !strings.Contains(last.Detail, tt.detail) {
				t.Errorf("%s is %s: %s", last.ID, last.Status, last.Detail)
			}
			if asked, want := slices.Contains(d.asked, control.RequestFlushInternal), tt.status != step.Skipped && tt.internal > 0; asked != want || d.kernel != tt.kernel {
				t.Errorf("asked for it: %v, want %v; the kernel has %d of %d", asked, want, d.kernel, tt.kernel)
			}
		})
	}
}

// While the peer is waited for this node may have become primary, and have read its table
// into the cache.
func TestPrimaryIsNotLetGoOf(t *testing.T) {
	t.Parallel()
	d := &daemonModel{direct: true, heard: 100, internal: 200, kernel: 210, states: 200}
	f := serveModel(t, d)
	f.Patience = time.Second
	later := &Failover{Client: f.Client, RuntimeDir: f.RuntimeDir, Kernel: f.Kernel, Patience: f.Patience}
	outcome := f.Run(t.Context(), RoleBackup, func(s step.Step) {
		if s.ID == stepRequestResync && s.Status == step.Done {
			if primary := later.Run(t.Context(), RolePrimary, nil); primary.Err != nil || primary.Failed() {
				t.Errorf("%+v", primary)
			}
		}
	})
	if last := outcome.Steps[len(outcome.Steps)-1]; last.ID != stepLetGo || last.Status != step.Skipped || !strings.Contains(last.Detail, "another call of connsync failover") {
		t.Errorf("%s is %s: %s", last.ID, last.Status, last.Detail)
	}
	if slices.Contains(d.asked, control.RequestFlushInternal) || d.internal != 210 {
		t.Errorf("asked %v, and the internal cache has %d states", d.asked, d.internal)
	}
}

// What the peer told counts where it was told after the last call, which made this node a
// backup, and where the peer has in its own cache what is here.
func TestLetGo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		role      Role
		speaksFor int
		ago       time.Duration
		internal  int
		bypass    bool
		external  bool
		want      uint64
	}{
		"a backup":                     {RoleBackup, 200, 0, 200, false, false, 200},
		"a primary":                    {RolePrimary, 200, 0, 200, false, false, 0},
		"a faulty node":                {RoleFault, 200, 0, 200, false, false, 0},
		"no call yet":                  {"", 200, 0, 200, false, false, 0},
		"told before the call":         {RoleBackup, 200, time.Hour, 200, false, false, 0},
		"the peer has what began":      {RoleBackup, 60, 0, 200, false, false, 0},
		"nothing but its own messages": {RoleBackup, 200, 0, 3, false, false, 0},
		"no internal cache":            {RoleBackup, 200, 0, 200, true, false, 0},
		"external cache":               {RoleBackup, 200, 0, 200, false, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &daemonModel{direct: !tt.external, bypass: tt.bypass, internal: tt.internal, kernel: 210}
			f := serveModel(t, d)
			if tt.role != "" {
				unlock, _, err := f.lock(t.Context(), tt.role, Clock()-time.Minute)
				if unlock(); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := f.LetGo(t.Context(), tt.speaksFor, tt.ago); err != nil || got != tt.want || (d.internal == 0) != (tt.want > 0) {
				t.Errorf("let go of %d states, %d are left: %v", got, d.internal, err)
			}
		})
	}
}
