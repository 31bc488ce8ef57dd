package packaging

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// What systemd-analyze thinks of a unit's exposure, from 0 to 10. That they still
// work is what the tests on a booted Debian show.
func TestUnitsAreHardened(t *testing.T) {
	for unit, most := range map[string]float64{"connsync-metrics": 2.4, "connsync-refresh": 2.6, "connsync-application": 3.7, "connsync-setup": 4.9} {
		path, err := filepath.Abs("systemd/" + unit + ".service")
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", path).Output()
		score := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if score == nil {
			t.Fatalf("%s: %v: %s", unit, err, out)
		}
		if got, err := strconv.ParseFloat(string(score[1]), 64); err != nil || got > most {
			t.Errorf("%s has exposure %s, want %.1f at most (%v)", unit, score[1], most, err)
		}
	}
}
