package metrics

import (
	"strings"
	"testing"
)

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
