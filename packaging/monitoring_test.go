package packaging

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/lab"
)

// watched is a pair whose nodes write their metrics, and a host on which
// node_exporter reads the files of both and a real Prometheus evaluates the
// alert rules.
type watched struct {
	*lab.Pair
	t       *testing.T
	ctx     context.Context
	program string
	host    *lab.Node
	dir     string
	paused  sync.Mutex // held, nobody writes metrics
}

// quick are the rules with short delays: what they look for is untouched.
func quick(t *testing.T) string {
	t.Helper()
	rules, err := os.ReadFile("monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^( +for:) \d+m$`).ReplaceAllString(string(rules), "$1 1s")
}

const prometheusConfig = `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: node
    static_configs: [{targets: ["127.0.0.1:9101", "127.0.0.1:9102"]}]
    relabel_configs:
      - {source_labels: [__address__], regex: ".*1", target_label: instance, replacement: a}
      - {source_labels: [__address__], regex: ".*2", target_label: instance, replacement: b}
`

// newWatched takes the program out of the package.
func newWatched(t *testing.T, ctx context.Context) *watched {
	t.Helper()
	w := &watched{t: t, ctx: ctx, dir: t.TempDir()}
	run(t, "dpkg-deb", "--extract", deb(t, goarch), w.dir)
	w.program = filepath.Join(w.dir, "usr/sbin/connsync")
	var err error
	if w.Pair, err = lab.NewPair(ctx, lab.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if w.host, err = lab.NewNode(ctx, "monitor"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.host.Close() })
	for file, content := range map[string]string{"prometheus.yml": prometheusConfig, "alerts.yaml": quick(t)} {
		if err := os.WriteFile(filepath.Join(w.dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, member := range []*lab.Member{w.A, w.B} {
		if err := os.Mkdir(w.textfiles(member), 0o755); err != nil {
			t.Fatal(err)
		}
		w.start("prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
			"--collector.textfile.directory="+w.textfiles(member), fmt.Sprintf("--web.listen-address=127.0.0.1:910%d", i+1))
	}
	w.start("prometheus", "--config.file="+w.dir+"/prometheus.yml", "--storage.tsdb.path="+w.dir+"/tsdb", "--web.listen-address=127.0.0.1:9090")
	return w
}

func (w *watched) textfiles(m *lab.Member) string { return filepath.Join(w.dir, m.Name()) }

func (w *watched) file(m *lab.Member) string { return filepath.Join(w.textfiles(m), "connsync.prom") }

// start starts a program on the monitoring host, where it ends with it.
func (w *watched) start(name string, args ...string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, name, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := w.host.Start(cmd); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", name, said.String())
		}
	})
}

// setUp configures both nodes and lets them write metrics, over and over.
func (w *watched) setUp() {
	w.t.Helper()
	for _, m := range []*lab.Member{w.B, w.A} {
		if out, err := m.Run(w.ctx, w.program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", w.Other(m).Sync.String()); err != nil {
			w.t.Fatalf("apply: %v\n%s", err, out)
		}
	}
	var writers sync.WaitGroup
	ctx, stop := context.WithCancel(w.ctx)
	w.t.Cleanup(func() { stop(); writers.Wait() })
	for _, m := range []*lab.Member{w.A, w.B} {
		writers.Go(func() {
			for ctx.Err() == nil {
				// The exit status is the verdict's.
				m.Run(ctx, w.program, "status", "--format", "openmetrics", "--output", w.file(m)+".new")
				w.paused.Lock()
				os.Rename(w.file(m)+".new", w.file(m))
				w.paused.Unlock()
			}
		})
	}
}

// query asks Prometheus; each line of the answer is a series.
func (w *watched) query(expr string) []string {
	w.t.Helper()
	out, err := w.host.Run(w.ctx, "promtool", "query", "instant", "http://127.0.0.1:9090", expr)
	if err != nil {
		w.t.Fatalf("query %s: %v\n%s", expr, err, out)
	}
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
}

// firing are the alerts that fire, as NAME on INSTANCE.
func (w *watched) firing() []string {
	var alerts []string
	for _, line := range w.query(`count by (alertname, instance) (ALERTS{alertstate="firing"})`) {
		f := regexp.MustCompile(`alertname="(\w+)", instance="(\w+)"`).FindStringSubmatch(line)
		if f == nil {
			w.t.Fatalf("an alert without a name or instance: %s", line)
		}
		alerts = append(alerts, f[1]+" on "+f[2])
	}
	return alerts
}

// until waits for an alert, which does not fire before the fault is made.
func (w *watched) until(alert string, fault func()) {
	w.t.Helper()
	if now := w.firing(); contains(now, alert) {
		w.t.Fatalf("%s fires before its fault: %v", alert, now)
	}
	fault()
	for begin := time.Now(); ; time.Sleep(500 * time.Millisecond) {
		now := w.firing()
		if contains(now, alert) {
			w.t.Logf("%s after %v", alert, time.Since(begin).Round(time.Second/10))
			return
		}
		if w.ctx.Err() != nil || time.Since(begin) > time.Minute {
			w.t.Fatalf("%s never fired; what fires is %v; the verdicts are %v", alert, now, w.query("connsync_verdict == 1"))
		}
	}
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

func (w *watched) in(m *lab.Member, command string) {
	w.t.Helper()
	if out, err := m.Run(w.ctx, "sh", "-c", command); err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// states makes a hundred states a second on the node until ctx ends.
func states(ctx context.Context, m *lab.Member) error {
	return m.Do(func() error {
		for i := range 60000 {
			if ctx.Err() != nil {
				break
			}
			client, server, port := net.IPv4(10, 1, 0, 9), net.IPv4(10, 2, byte(i>>8), byte(i)), uint16(1024+i)
			flow := &netlink.ConntrackFlow{FamilyType: unix.AF_INET, TimeOut: 60,
				Forward: netlink.IPTuple{SrcIP: client, DstIP: server, Protocol: unix.IPPROTO_UDP, SrcPort: port, DstPort: 53},
				Reverse: netlink.IPTuple{SrcIP: server, DstIP: client, Protocol: unix.IPPROTO_UDP, SrcPort: 53, DstPort: port}}
			if err := netlink.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET, flow); err != nil {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
		return nil
	})
}

// No alert fires on a healthy pair, and each one does on its fault: the
// program's metrics, read by node_exporter, judged by Prometheus.
func TestAlertsFireOnTheirFaults(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := newWatched(t, ctx)
	w.setUp()
	w.healthy()
	w.dashboard()

	const drop = `echo 'table inet fault { chain c { type filter hook prerouting priority -300; udp dport 3780 %s drop; }; }' | nft -f -`
	busy, idle := context.WithCancel(ctx)
	defer idle()
	done := make(chan error, 1)
	w.until("ConnsyncLosing on a", func() {
		w.in(w.A, fmt.Sprintf(drop, "numgen inc mod 3 == 0"))
		go func() { done <- states(busy, w.B) }()
	})
	idle() // a node under load notices late that it is not heard
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.in(w.A, "nft delete table inet fault")
	w.until("ConnsyncOneWay on a", func() {
		w.in(w.B, fmt.Sprintf(drop, ""))
	})
	w.in(w.B, "nft delete table inet fault")
	w.until("ConnsyncStopped on a", func() { w.in(w.A, "conntrackd -k") })
	w.unknown()
}

// healthy waits until both nodes are in sync and Prometheus has evaluated that
// more than once, and wants no alert.
func (w *watched) healthy() {
	w.t.Helper()
	seen := 0
	for begin := time.Now(); seen < 3; time.Sleep(time.Second) {
		// Before Prometheus listens there is no answer.
		out, _ := w.host.Run(w.ctx, "promtool", "query", "instant", "http://127.0.0.1:9090", `connsync_verdict{verdict="two-way"} == 1`)
		if strings.Count(out, "=> 1") == 2 {
			seen++
		}
		if time.Since(begin) > time.Minute {
			w.t.Fatalf("the pair is not in sync, or is not seen to be: %s", out)
		}
	}
	if alerts := w.firing(); len(alerts) > 0 {
		w.t.Errorf("on a healthy pair %v fire", alerts)
	}
	if pending := w.query("ALERTS"); len(pending) > 0 {
		w.t.Errorf("on a healthy pair there are alerts: %v", pending)
	}
	if rules := w.query(`prometheus_rule_group_rules`); len(rules) > 0 {
		w.t.Fatalf("Prometheus is not meant to scrape itself: %v", rules)
	}
}

// unknown is for metrics that are old, and for those that are gone.
func (w *watched) unknown() {
	w.t.Helper()
	w.paused.Lock()
	defer w.paused.Unlock()
	w.until("ConnsyncUnknown on b", func() {
		w.in(w.B, fmt.Sprintf(`awk '/^connsync_status_timestamp_seconds/ {printf "%%s %%.3f\n", $1, $2 - 400; next} {print}' %[1]s >%[1]s.old && mv %[1]s.old %[1]s`, w.file(w.B)))
	})
	w.until("ConnsyncUnknown on a", func() {
		if err := os.Remove(w.file(w.A)); err != nil {
			w.t.Fatal(err)
		}
	})
}
