package rootless

import (
	"slices"
	"testing"
)

func TestWithout(t *testing.T) {
	run, tests := []string{"x.test", "-test.timeout=1m", "-test.run=B"}, []string{"TestA", "TestB"}
	for _, tt := range []struct {
		user      int
		arguments []string
		want      []string
	}{
		{1000, run, []string{"x.test", "-test.skip=^(TestA|TestB)$", "-test.timeout=1m", "-test.run=B"}},
		{0, run, run},
		{1000, []string{"x.test", "show"}, []string{"x.test", "show"}}, // the test's own program, as another one
	} {
		if got := without(tt.user, tt.arguments, tests); !slices.Equal(got, tt.want) {
			t.Errorf("user %d, %q: %q, want %q", tt.user, tt.arguments, got, tt.want)
		}
	}
}

func TestUnnamed(t *testing.T) {
	within := func() string { return Unnamed() }
	if got := within(); got != "TestUnnamed" {
		t.Errorf("it is %q", got)
	}
	named = append(named, "TestUnnamed")
	defer func() { named = nil }()
	if got := within(); got != "" {
		t.Errorf("named, it is %q", got)
	}
}
