package apply

import (
	"strconv"
	"strings"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/health"
	"connsync/conntrackd/pairtest"
)

// twoLinks are files that differ in the order of their two UDP links only. The
// daemon starts with the one of settings s in either.
func twoLinks(s conntrackd.Settings, dir string) map[string]string {
	start, rest, _ := strings.Cut(conntracktest.Config(s, dir), "  UDP {")
	link, rest, _ := strings.Cut(rest, "  }\n")
	marked := "  UDP Default {" + link + "  }\n"
	other := "  UDP {" + conntracktest.Swap(link, "Port "+strconv.Itoa(int(s.Port)), "Port 3785") + "  }\n"
	return map[string]string{"first": start + marked + other + rest, "second": start + other + marked + rest}
}

// onlyTheOtherLink are the sockets of daemons that listen on port 3785 alone,
// but for the one that runs now.
func onlyTheOtherLink(n *pairtest.Node) func(int, conntrackd.Settings) (health.Sockets, error) {
	now := n.State().MainPID
	return func(pid int, s conntrackd.Settings) (health.Sockets, error) {
		if pid == now {
			return health.ReadSockets(pid, s)
		}
		return health.Sockets{Bound: s.Port == 3785, Address: "10.77.0.1:3785", ReceiveBuffer: 1 << 30}, nil
	}
}

// A save that is rolled back, at once or by the next start after a kill, is seen
// to listen on the link with which the daemon starts.
func TestRollbackIsVerifiedOnTheDefaultLink(t *testing.T) {
	for name, file := range twoLinks(conntracktest.Settings(), "DIR") {
		start := func(t *testing.T) *pairtest.Node {
			t.Parallel()
			a, _ := pairtest.New(t)
			c := candidateOf(a, a.Settings)
			c.New = []byte(conntracktest.Swap(file, "DIR", a.Dir))
			if o := applyOn(t.Context(), a, applierOf(a), c); o.Err != nil {
				t.Fatal(o.Err)
			}
			return a
		}
		broken := func(a *pairtest.Node) *conntrackd.Candidate {
			c := candidateOf(a, a.Settings)
			c.New = append(c.New, "Banana\n"...)
			return c
		}
		t.Run(name+", rolled back", func(t *testing.T) {
			a := start(t)
			o := applyOn(t.Context(), a, applierOf(a), broken(a))
			last := o.Steps[len(o.Steps)-1]
			if !o.RolledBack || last.ID != StepVerify || !strings.HasSuffix(last.Detail, " on 10.77.0.1:3780") {
				t.Errorf("rolled back %t: %+v", o.RolledBack, last)
			}
		})
		t.Run(name+", rolled back without it", func(t *testing.T) {
			a := start(t)
			applier := applierOf(a)
			applier.Sockets = onlyTheOtherLink(a)
			o := applyOn(t.Context(), a, applier, broken(a))
			if o.RolledBack || o.Err == nil || !strings.HasSuffix(o.Err.Error(), "it listens on 10.77.0.1:3785, not on 10.77.0.1:3780") {
				t.Errorf("rolled back %t: %v", o.RolledBack, o.Err)
			}
		})
		t.Run(name+", recovered", func(t *testing.T) {
			a := start(t)
			interruptSave(a, broken(a), toWrite, toStop)
			if r := recoverSave(a); r.Result != RecoveryRolledBack || r.Err != nil || !SocketsOf(a, a.Settings).Bound {
				t.Errorf("recovery %q, %v", r.Result, r.Err)
			}
		})
		t.Run(name+", recovered without it", func(t *testing.T) {
			a := start(t)
			applier := applierOf(a)
			applier.Sockets = onlyTheOtherLink(a)
			interruptSave(a, broken(a), toWrite, toStop)
			var r Recovery
			a.Do(func() error {
				r = applier.Recover(t.Context(), a.ConfigPath())
				return nil
			})
			if r.Result != RecoveryFailed || r.Err == nil || !strings.HasSuffix(r.Err.Error(), "it listens on 10.77.0.1:3785, not on 10.77.0.1:3780") {
				t.Errorf("recovery %q, %v", r.Result, r.Err)
			}
		})
	}
}
