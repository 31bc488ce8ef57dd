package netcheck

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"connsync/lab"
	"connsync/netcheck/check"
)

// What the tests run in namespaces, in processes of their own.
func TestMain(m *testing.M) {
	lab.SideBySide(8) // they wait for silent wires
	lab.Main(m, lab.Functions{
		"plan": lab.Function(func(ctx context.Context, t Target) (check.Report, error) {
			return check.Run(ctx, Plan(t), nil), nil
		}),
		"time":       lab.Function(timePlan),
		"one":        lab.Function(runOne),
		"send":       lab.Function(sendForbidden),
		"check":      lab.Function(checkTarget),
		"interfaces": lab.Function(listInterfaces),
		"watch":      lab.Function(watchStoryOf),
	})
}

// duration is how long a plan took, and the slowest of its checks.
type duration struct{ Whole, Slowest time.Duration }

func timePlan(ctx context.Context, t Target) (d duration, err error) {
	begin := time.Now()
	report := check.Run(ctx, Plan(t), nil)
	d.Whole = time.Since(begin)
	for _, r := range report.Results {
		d.Slowest = max(d.Slowest, r.Took)
	}
	return d, nil
}

// question is one check of a plan, whatever it needs.
type question struct {
	Target Target
	ID     check.ID
	// Cancel, unless zero, is when to end its context.
	Cancel time.Duration
}

func runOne(ctx context.Context, q question) (check.Result, error) {
	if q.Cancel != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.Cancel)
		defer cancel()
	}
	for _, c := range Plan(q.Target) {
		if c.ID == q.ID {
			begin := time.Now()
			f := c.Run(ctx) // not by Run, which would not wait for it
			r := check.Result{ID: c.ID, Severity: c.Severity, Finding: f, Took: time.Since(begin)}
			if f.Mild {
				r.Severity = check.Warning
			}
			return r, nil
		}
	}
	return check.Result{}, fmt.Errorf("there is no check %q", q.ID)
}

// forbidden is what became of pro-bing where sending is forbidden.
type forbidden struct {
	Err        string
	Took       time.Duration
	Goroutines int // left behind
}

// sendForbidden runs pro-bing past the look at the route.
func sendForbidden(ctx context.Context, t Target) (forbidden, error) {
	link, err := linkWithAddresses(ctx, t.Interface)
	if err != nil {
		return forbidden{}, err
	}
	before, begin := runtime.NumGoroutine(), time.Now()
	got, err := probe(ctx, t, link)
	f := forbidden{Took: time.Since(begin)}
	for range 50 { // one that has said it is done may still be about to end
		if f.Goroutines = runtime.NumGoroutine() - before; f.Goroutines <= 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got.err != nil {
		f.Err = got.err.Error()
	}
	return f, err
}

// planIn runs the whole plan of a target in a namespace or a node.
func planIn(t *testing.T, where lab.Commander, target Target) check.Report {
	t.Helper()
	var report check.Report
	if err := lab.Call(t.Context(), where, "plan", target, &report); err != nil {
		t.Fatal(err)
	}
	return report
}
