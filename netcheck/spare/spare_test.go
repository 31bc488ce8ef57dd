package spare

import (
	"testing"

	"connsync/netcheck"
	"connsync/netcheck/check"
)

func TestSharedWire(t *testing.T) {
	interfaces := []netcheck.Interface{
		{Name: "eth1"}, {Name: "eth2"}, {Name: "eth1.10", Kind: "vlan", Parent: "eth1"}, {Name: "eth1.20", Kind: "vlan", Parent: "eth1"},
		{Name: "mac0", Kind: "macvlan", Parent: "eth1.20"}, {Name: "loop0", Parent: "loop1"}, {Name: "loop1", Parent: "loop0"},
	}
	for _, tt := range []struct{ a, b, want string }{
		{"eth1", "eth2", ""}, {"eth1", "eth1", "eth1"}, {"eth1.10", "eth1.20", "eth1"}, {"eth1.10", "eth1", "eth1"}, {"mac0", "eth1.10", "eth1"},
		{"mac0", "eth2", ""}, {"eth9", "eth1", ""}, {"loop0", "eth1", ""},
	} {
		if got := sharedWire(interfaces, tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

// A link that works, but not as it should, hides none that does not work.
func TestWorst(t *testing.T) {
	result := func(id check.ID, status check.Status, mild bool) check.Result {
		return check.Result{ID: id, Finding: check.Finding{Status: status, Mild: mild, Detail: string(id)}}
	}
	passed, unknown := result("passed", check.Passed, false), result("unknown", check.Unknown, false)
	mild, hard := result("mild", check.Failed, true), result("hard", check.Failed, false)
	later := result("later", check.Failed, false)
	for _, tt := range []struct {
		results []check.Result
		want    string
	}{
		{[]check.Result{passed, result("skipped", check.Skipped, false)}, ""},
		{[]check.Result{passed, unknown}, "unknown"},
		{[]check.Result{unknown, mild}, "mild"},
		{[]check.Result{mild, unknown, hard, later}, "hard"},
	} {
		got := ""
		if f := worst(tt.results); f != nil {
			got = f.Detail
		}
		if got != tt.want {
			t.Errorf("%v: %q, want %q", tt.results, got, tt.want)
		}
	}
}
