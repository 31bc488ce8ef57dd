package text

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/netcheck"
)

func TestCheckLines(t *testing.T) {
	result := func(s netcheck.Status, severity netcheck.Severity, detail, remedy string) netcheck.Result {
		return netcheck.Result{ID: "peer-link", Title: "Peer answers on the link", Severity: severity,
			Finding: netcheck.Finding{Status: s, Detail: detail, Remedy: remedy}}
	}
	tests := []struct {
		result netcheck.Result
		want   []string
	}{
		{result(netcheck.Passed, netcheck.Blocker, "0.1 ms", ""), []string{"ok       Peer answers on the link: 0.1 ms"}},
		{result(netcheck.Passed, netcheck.Blocker, "", ""), []string{"ok       Peer answers on the link"}},
		{result(netcheck.Failed, netcheck.Blocker, "nobody answers", "plug it in"),
			[]string{"FAIL     Peer answers on the link: nobody answers", "         -> plug it in"}},
		{result(netcheck.Failed, netcheck.Warning, "nobody answers", "plug it in"),
			[]string{"warn     Peer answers on the link: nobody answers", "         -> plug it in"}},
		{result(netcheck.Skipped, netcheck.Blocker, "not asked", ""), []string{"skip     Peer answers on the link: not asked"}},
		{result(netcheck.Unknown, netcheck.Blocker, "no permission", ""), []string{"unknown  Peer answers on the link: no permission"}},
		{result(netcheck.Pending, netcheck.Blocker, "", ""), []string{"...      Peer answers on the link"}},
		{result(netcheck.Status(99), netcheck.Blocker, "", ""), []string{"unknown  Peer answers on the link"}},
		{result(netcheck.Failed, netcheck.Blocker, "a\x1b[2J\x00b\nc", "\x1b]0;x\x07d"),
			[]string{"FAIL     Peer answers on the link: ab c", "         -> d"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, CheckLines(tt.result)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.result, diff)
		}
	}
}

func TestSentenceOfChecks(t *testing.T) {
	report := func(marks string) netcheck.Report {
		var r netcheck.Report
		for _, m := range marks {
			res := netcheck.Result{Severity: netcheck.Blocker, Finding: netcheck.Finding{Status: netcheck.Passed}}
			switch m {
			case 'w':
				res.Severity, res.Status = netcheck.Warning, netcheck.Failed
			case 'u':
				res.Severity, res.Status = netcheck.Warning, netcheck.Unknown
			case 'F':
				res.Status = netcheck.Failed
			case 'U':
				res.Status = netcheck.Unknown
			case 's':
				res.Status = netcheck.Skipped
			}
			r.Results = append(r.Results, res)
		}
		return r
	}
	tests := map[string]string{
		"":      "Nothing was checked, so nothing is known.",
		"...":   "All 3 checks passed.",
		".w.":   "A save is possible, with 1 warning.",
		".wu":   "A save is possible, with 2 warnings.",
		".wUFs": "A save is blocked by 1 of 5 checks.",
		"FF":    "A save is blocked by 2 of 2 checks.",
		".Uw":   "1 of 3 checks could not look: no pass.",
	}
	for marks, want := range tests {
		if got := ChecksOf(report(marks)).Sentence; got != want {
			t.Errorf("%q: %q, want %q", marks, got, want)
		}
	}
}

// A report says what is in the way, and whether that is the peer alone.
func TestChecksOf(t *testing.T) {
	result := func(id netcheck.ID, severity netcheck.Severity, status netcheck.Status) netcheck.Result {
		return netcheck.Result{ID: id, Severity: severity, Finding: netcheck.Finding{Status: status}}
	}
	var (
		good     = result(netcheck.CheckInterface, netcheck.Blocker, netcheck.Passed)
		noPeer   = result(netcheck.CheckPeerLink, netcheck.Blocker, netcheck.Failed)
		noPing   = result(netcheck.CheckPeerPing, netcheck.Blocker, netcheck.Skipped)
		noPort   = result(netcheck.CheckPortFree, netcheck.Blocker, netcheck.Failed)
		dark     = result(netcheck.CheckPortFree, netcheck.Blocker, netcheck.Unknown)
		warned   = result(netcheck.CheckFirewall, netcheck.Warning, netcheck.Failed)
		twilight = result(netcheck.CheckFirewall, netcheck.Warning, netcheck.Unknown)
	)
	type want struct {
		Word      string
		Obstacles []netcheck.Result
		OnlyPeer  bool
	}
	for name, tc := range map[string]struct {
		results []netcheck.Result
		want    want
	}{
		"nothing":         {nil, want{Word: Warn}},
		"good":            {[]netcheck.Result{good}, want{Word: OK}},
		"warnings":        {[]netcheck.Result{good, warned, twilight}, want{Word: Warn}},
		"no peer":         {[]netcheck.Result{good, noPeer, noPing, warned}, want{Fail, []netcheck.Result{noPeer}, true}},
		"peer and port":   {[]netcheck.Result{noPeer, noPort}, want{Fail, []netcheck.Result{noPeer, noPort}, false}},
		"failed and dark": {[]netcheck.Result{dark, noPeer}, want{Fail, []netcheck.Result{noPeer}, true}},
		"dark":            {[]netcheck.Result{good, dark, twilight}, want{Warn, []netcheck.Result{dark}, false}},
	} {
		got := ChecksOf(netcheck.Report{Results: tc.results})
		if diff := cmp.Diff(tc.want, want{got.Word, got.Obstacles, got.OnlyPeer}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
