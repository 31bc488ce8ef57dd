package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// stoppedCases are three nodes whose verdict is stopped: one that was never set up, one
// that was disabled, and one with metrics of a version that does not say.
const stoppedCases = `rule_files: [alerts.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'connsync_verdict{instance="new",verdict="stopped"}', values: 1x5}
      - {series: 'connsync_set_up{instance="new"}', values: 0x5}
      - {series: 'connsync_verdict{instance="disabled",verdict="stopped"}', values: 1x5}
      - {series: 'connsync_set_up{instance="disabled"}', values: 1x5}
      - {series: 'connsync_verdict{instance="old",verdict="stopped"}', values: 1x5}
    promql_expr_test:
      - expr: sum by (instance) (ALERTS{alertname="ConnsyncStopped",alertstate="firing"})
        eval_time: 5m
        exp_samples:
          - {labels: '{instance="disabled"}', value: 1}
          - {labels: '{instance="old"}', value: 1}
`

// Nobody is called where the package is installed and sync was never set up.
func TestStoppedAlertSparesWhatWasNeverSetUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules, err := os.ReadFile("monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"alerts.yaml": string(rules), "cases.yaml": stoppedCases} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "promtool", "test", "rules", "cases.yaml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
