package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"connsync/cmd/connsync/metrics"
	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
	"connsync/tui/text"
)

// everything has all metrics.
func everything() metrics.Measured {
	return metrics.Measured{
		Time: time.UnixMilli(1795740815587), Configured: true, Mode: "FTFW", Seen: true, OutOfPlace: true,
		Settings: conntrackd.Settings{Interface: "eth1", Port: 3780, SendBuffer: 65536, ReceiveBuffer: 65536,
			Current: netip.MustParsePrefix("10.0.0.101/24"), Peer: netip.MustParsePrefix("10.0.0.102/24")},
		Health: health.Health{
			Verdict:  health.VerdictLosing,
			Service:  service.State{Active: true, Since: time.Unix(1795740000, 0)},
			Sockets:  health.Sockets{Bound: true},
			Counters: control.Counters{Time: time.Unix(1795740815, 0), Device: "eth1", Link: "RUNNING", Lost: 1 << 60},
		},
	}
}

// The names follow Prometheus' conventions, and the documentation has every one.
func TestMetricsAreNamedAndDocumented(t *testing.T) {
	text := page(t, "docs/fleet-and-monitoring.md")
	seen := map[string]bool{}
	for _, m := range everything().Metrics() {
		if seen[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		seen[m.Name] = true
		if !regexp.MustCompile(`^connsync_[a-z_]+$`).MatchString(m.Name) || !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s %q: no name or no sentence", m.Name, m.Help)
		}
		if total := strings.HasSuffix(m.Name, "_total"); total != (m.Kind == metrics.Counter) {
			t.Errorf("%s is a %s", m.Name, m.Kind)
		}
		if !strings.Contains(text, "`"+m.Name+"`") && !strings.Contains(text, "`"+m.Name+"{") {
			t.Errorf("%s is not in docs/fleet-and-monitoring.md", m.Name)
		}
	}
}

func TestPagesListTheVerdicts(t *testing.T) {
	page := page(t, "docs/status.md")
	for _, v := range health.Verdicts() {
		if row := "\n| `" + string(v) + "` | `" + text.StatusSentence(v) + "` | "; !strings.Contains(page, row) {
			t.Errorf("docs/status.md: verdict and sentence are not in the table: %s", row)
		}
	}
	if rows := regexp.MustCompile("(?m)^\\| `[a-z-]+` \\| .* \\| [012] \\|$").FindAllString(page, -1); len(rows) != len(health.Verdicts()) {
		t.Errorf("docs/status.md has %d verdicts, and there are %d", len(rows), len(health.Verdicts()))
	}
}

// What was not seen has no metric: a zero would be a statement.
func TestMetricsOfWhatWasNotSeen(t *testing.T) {
	var b strings.Builder
	m := metrics.Measured{Health: health.Health{Verdict: health.VerdictUnknown}, Time: time.UnixMilli(1795740815587)}
	if err := metrics.Write(&b, m.Metrics()); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for line := range strings.Lines(b.String()) {
		if name, _, _ := strings.Cut(line, " "); name != "#" {
			name, _, _ = strings.Cut(name, "{")
			names[name] = true
		}
	}
	if len(names) != 3 || !names["connsync_verdict"] || !names["connsync_build_info"] || !names["connsync_status_timestamp_seconds"] {
		t.Errorf("metrics of an unknown state: %v", names)
	}
	if !strings.Contains(b.String(), "connsync_status_timestamp_seconds 1795740815.587\n") {
		t.Errorf("the time is not in it:\n%s", b.String())
	}
}

// A write that fails leaves the old file and nothing beside it.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "connsync.prom")
	for _, content := range []string{"one\n", "two\n"} {
		if err := replaceFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("the file is %q (%v), want %q", got, err, content)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(dir, "taken"), nil); err == nil {
		t.Error("a directory was replaced")
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(dir, "fifo"), nil); err == nil || !strings.Contains(err.Error(), "fifo is not a regular file") {
		t.Errorf("a pipe, which a device is like: %v", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Base(path), link); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("three\n")); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "three\n" {
		t.Errorf("behind the link is %q (%v)", got, err)
	}
	if to, err := os.Readlink(link); err != nil || to != filepath.Base(path) {
		t.Errorf("the link is %q now (%v)", to, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("left: %v (%v)", entries, err)
	}
}
