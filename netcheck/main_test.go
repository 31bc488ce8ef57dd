package netcheck

import (
	"context"
	"testing"

	"connsync/lab"
)

// What the tests run in namespaces, in processes of their own.
func TestMain(m *testing.M) {
	lab.Main(m, lab.Functions{
		"plan": lab.Function(func(ctx context.Context, t Target) (Report, error) {
			return Run(ctx, Plan(t), nil), nil
		}),
		"check":      lab.Function(checkTarget),
		"interfaces": lab.Function(listInterfaces),
		"watch":      lab.Function(watchStoryOf),
	})
}

// planIn runs the whole plan of a target in a namespace or a node.
func planIn(t *testing.T, where lab.Commander, target Target) Report {
	t.Helper()
	var report Report
	if err := lab.Call(t.Context(), where, "plan", target, &report); err != nil {
		t.Fatal(err)
	}
	return report
}
