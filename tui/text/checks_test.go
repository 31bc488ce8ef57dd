package text

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/netcheck"
	"connsync/netcheck/check"
)

func TestCheckLines(t *testing.T) {
	result := func(s check.Status, severity check.Severity, detail, remedy string) check.Result {
		return check.Result{ID: "peer-link", Title: "Peer answers on the link", Severity: severity,
			Finding: check.Finding{Status: s, Detail: detail, Remedy: remedy}}
	}
	tests := []struct {
		result check.Result
		want   []string
	}{
		{result(check.Passed, check.Blocker, "0.1 ms", ""), []string{"ok       Peer answers on the link: 0.1 ms"}},
		{result(check.Passed, check.Blocker, "", ""), []string{"ok       Peer answers on the link"}},
		{result(check.Failed, check.Blocker, "nobody answers", "plug it in"),
			[]string{"FAIL     Peer answers on the link: nobody answers", "         -> plug it in"}},
		{result(check.Failed, check.Warning, "nobody answers", "plug it in"),
			[]string{"warn     Peer answers on the link: nobody answers", "         -> plug it in"}},
		{result(check.Skipped, check.Blocker, "needs \"Route\"", ""), []string{"skip     Peer answers on the link: needs \"Route\""}},
		{result(check.Unknown, check.Blocker, "no permission", ""), []string{"unknown  Peer answers on the link: no permission"}},
		{result(check.Pending, check.Blocker, "", ""), []string{"...      Peer answers on the link"}},
		{result(check.Status(99), check.Blocker, "", ""), []string{"unknown  Peer answers on the link"}},
		{result(check.Failed, check.Blocker, "a\x1b[2J\x00b\nc", "\x1b]0;x\x07d"),
			[]string{"FAIL     Peer answers on the link: ab c", "         -> d"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, CheckLines(tt.result)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.result, diff)
		}
	}
}

func TestSentenceOfChecks(t *testing.T) {
	report := func(marks string) check.Report {
		var r check.Report
		for _, m := range marks {
			res := check.Result{Severity: check.Blocker, Finding: check.Finding{Status: check.Passed}}
			switch m {
			case 'w':
				res.Severity, res.Status = check.Warning, check.Failed
			case 'u':
				res.Severity, res.Status = check.Warning, check.Unknown
			case 'F':
				res.Status = check.Failed
			case 'U':
				res.Status = check.Unknown
			case 'C':
				res.Status, res.Err = check.Unknown, context.Canceled
			case 's':
				res.Status = check.Skipped
			}
			r.Results = append(r.Results, res)
		}
		return r
	}
	tests := map[string]string{
		"":      "No check ran, so the result is inconclusive.",
		"...":   "All 3 checks passed.",
		".w.":   "A save is possible, with 1 warning.",
		".wwu":  "A save is possible, with 2 warnings, 1 unknown.",
		"u.u":   "A save is possible, with 2 unknown.",
		".wUFs": "A save is blocked by 1 of 5 checks.",
		"FF":    "A save is blocked by 2 of 2 checks.",
		".Uw":   "1 of 3 checks could not run; the result is inconclusive.",
		".CU":   "The checks were interrupted; their result is inconclusive.",
	}
	for marks, want := range tests {
		if got := ChecksOf(report(marks)).Sentence; got != want {
			t.Errorf("%q: %q, want %q", marks, got, want)
		}
	}
}

// A report says what is in the way, and whether that is the peer alone.
func TestChecksOf(t *testing.T) {
	result := func(id check.ID, severity check.Severity, status check.Status) check.Result {
		return check.Result{ID: id, Severity: severity, Finding: check.Finding{Status: status}}
	}
	var (
		good     = result(netcheck.CheckInterface, check.Blocker, check.Passed)
		noPeer   = result(netcheck.CheckPeerLink, check.Blocker, check.Failed)
		noPing   = result(netcheck.CheckPeerPing, check.Blocker, check.Skipped)
		noPort   = result(netcheck.CheckPortFree, check.Blocker, check.Failed)
		dark     = result(netcheck.CheckPortFree, check.Blocker, check.Unknown)
		warned   = result(netcheck.CheckFirewall, check.Warning, check.Failed)
		twilight = result(netcheck.CheckFirewall, check.Warning, check.Unknown)
	)
	type want struct {
		Word      string
		Obstacles []check.Result
		OnlyPeer  bool
	}
	for name, tc := range map[string]struct {
		results []check.Result
		want    want
	}{
		"nothing":         {nil, want{Word: Warn}},
		"good":            {[]check.Result{good}, want{Word: OK}},
		"warnings":        {[]check.Result{good, warned, twilight}, want{Word: Warn}},
		"no peer":         {[]check.Result{good, noPeer, noPing, warned}, want{Fail, []check.Result{noPeer}, true}},
		"peer and port":   {[]check.Result{noPeer, noPort}, want{Fail, []check.Result{noPeer, noPort}, false}},
		"failed and dark": {[]check.Result{dark, noPeer}, want{Fail, []check.Result{noPeer}, true}},
		"dark":            {[]check.Result{good, dark, twilight}, want{Warn, []check.Result{dark}, false}},
	} {
		got := ChecksOf(check.Report{Results: tc.results})
		if diff := cmp.Diff(tc.want, want{got.Word, got.Obstacles, got.OnlyPeer}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A review tells what a save goes on with, and not what no save has a part in.
func TestUnsettledLeavesOutWhatLasts(t *testing.T) {
	result := func(id check.ID, f check.Finding) check.Result {
		return check.Result{ID: id, Severity: check.Warning, Finding: f}
	}
	report := check.Report{Results: []check.Result{
		result("good", check.Finding{Status: check.Passed}), result("lasts", check.Finding{Status: check.Unknown, Lasting: true}),
		result("host", check.Finding{Status: check.Failed, Mend: check.MendHost}), result("link", check.Finding{Status: check.Failed}),
	}}
	var left []check.ID
	for _, r := range Unsettled(report, false, true) {
		left = append(left, r.ID)
	}
	if diff := cmp.Diff([]check.ID{"link"}, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
