package metrics

import (
	"fmt"
	"strings"
	"testing"

	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

// What starts conntrackd at boot need not be its own unit; of what is not known there is no
// metric.
func TestMetricOfTheBoot(t *testing.T) {
	for name, test := range map[string]struct {
		state service.State
		want  string
	}{
		"its own unit":     {service.State{Enabled: true}, "[1]"},
		"another one":      {service.State{StartedBy: "ha.service"}, "[1]"},
		"none":             {service.State{Active: true}, "[0]"},
		"no manager's":     {service.State{Active: true, Enabled: true, Unbooted: true, NoBoot: true}, "[0]"},
		"no known manager": {service.State{Active: true, Enabled: true, Unbooted: true}, "[]"},
	} {
		got := []float64{}
		for _, m := range (Measured{Seen: true, Health: health.Health{Service: test.state}}).Metrics() {
			if m.Name == "connsync_daemon_enabled" {
				got = append(got, m.Samples[0].Value)
			}
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %v, want %s", name, got, test.want)
		}
	}
}

func TestMetricsAsText(t *testing.T) {
	var b strings.Builder
	all := []Metric{
		{"connsync_x_info", Gauge, "X.", []Sample{{[]string{"a", "q\"b\\c\x1b[2J\nd", "e", ""}, 1}}},
		{"connsync_y_total", Counter, "Y.", []Sample{{nil, 1 << 50}}},
	}
	if err := Write(&b, all); err != nil {
		t.Fatal(err)
	}
	want := `# HELP connsync_x_info X.
# TYPE connsync_x_info gauge
connsync_x_info{a="q\"b\\c d",e=""} 1
# HELP connsync_y_total Y.
# TYPE connsync_y_total counter
connsync_y_total 1125899906842624
# EOF
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
