package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// The word before a verdict and the severity of its alert say the same.
func TestSeveritiesAgree(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../../packaging/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	severities := map[string]string{}
	for _, rule := range strings.Split(string(rules), "- alert:")[1:] {
		severity := regexp.MustCompile(`severity: (\w+)`).FindStringSubmatch(rule)
		for _, verdicts := range regexp.MustCompile(`verdict=~?"([a-z|-]+)"`).FindAllStringSubmatch(rule, -1) {
			for v := range strings.SplitSeq(verdicts[1], "|") {
				severities[v] = severity[1]
			}
		}
	}
	words := map[string]string{text.Fail: "critical", text.Warn: "warning", text.Unknown: "warning", text.OK: ""}
	for _, v := range health.Verdicts() {
		if word := text.VerdictWord(v); severities[string(v)] != words[word] {
			t.Errorf("%s: %q before the verdict, and the severity of the alert is %q", v, word, severities[string(v)])
		}
	}
}
