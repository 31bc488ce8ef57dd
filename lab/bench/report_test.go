package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRowsAgainstTheirTargets(t *testing.T) {
	b := &bench{}
	b.timed("within", 11*time.Millisecond, "a peer", 10*time.Millisecond, 1.1)
	b.timed("beyond", 1200*time.Microsecond, "a peer", time.Millisecond, 1.1)
	b.sized("without", 3e6, "a peer", 1e6, 0)
	b.rows = append(b.rows, row{name: "absent", why: "dialog is\nnot installed"})
	var got []string
	for _, r := range b.rows {
		got = append(got, strings.Join(strings.Fields(r.String()), " "))
	}
	want := []string{
		"within 11 ms 10 ms a peer x 1.1 at most 1.1",
		"beyond 1.2 ms 1 ms a peer x 1.2 at most 1.1: MISSED",
		"without 3.0 MB 1.0 MB a peer x 3",
		"absent not measured: dialog is not installed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b.rows[0].bad() || !b.rows[1].bad() || b.rows[2].bad() || !b.rows[3].bad() {
		t.Error("what is missed, or not measured, is bad, and nothing else")
	}
}

// The report takes the place of the last one in the page, whatever stands around it.
func TestReportIsWritten(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "measurements.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := options{document: filepath.Join(dir, "page.md"), picture: filepath.Join(dir, "bench.svg")}
	if err := os.WriteFile(o.document, page, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bench{rows: []row{{section: "new", name: "absent & gone", why: "no"}}}
	b.timed("fast", time.Millisecond, "a peer", time.Second, 1)
	if err := write(o, b.rows, time.Minute); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(o.document)
	if err != nil {
		t.Fatal(err)
	}
	begin, _, _ := strings.Cut(string(page), beginMark)
	_, end, _ := strings.Cut(string(page), endMark)
	if !strings.HasPrefix(string(got), begin) || !strings.HasSuffix(string(got), end) || !strings.Contains(string(got), "|  | fast | 1 ms | a peer | 1 s | 0.001 | at most 1 |\n"+endMark) {
		t.Errorf("the page is now\n%s", got)
	}
	picture, err := os.ReadFile(o.picture)
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		Texts []string `xml:"g>text"`
	}
	if err := xml.Unmarshal(picture, &svg); err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(svg.Texts, "|"); !strings.HasSuffix(said, "|absent & gone|not measured|fast / a peer|0.001") {
		t.Errorf("the picture says %q", said)
	}
	if at(1) != labelWidth+axisWidth/2 || at(1e-9) != labelWidth || at(1e9) != labelWidth+axisWidth {
		t.Error("1 stands in the middle of the axis, and what is beyond it at its ends")
	}
}

func TestBenchmarkLines(t *testing.T) {
	const out = "goos: linux\nBenchmarkPlan/healthy/ipv4-2 \t 3\t 400000000 ns/op\t 310.0 ms/plan\t 1.041 x-slowest\nPASS\n"
	m := benchmarkLine.FindStringSubmatch(out)
	if m == nil || m[1] != "Plan/healthy/ipv4" || strings.Join(strings.Fields(m[2]), " ") != "400000000 ns/op 310.0 ms/plan 1.041 x-slowest" {
		t.Errorf("%q", m)
	}
}
