package tui

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/netcheck"
)

func TestCheckText(t *testing.T) {
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
		if diff := cmp.Diff(tt.want, CheckText(tt.result)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.result, diff)
		}
	}
}

func TestCheckSentence(t *testing.T) {
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
		if got := CheckSentence(report(marks)); got != want {
			t.Errorf("%q: %q, want %q", marks, got, want)
		}
	}
}

func TestStepText(t *testing.T) {
	tests := []struct {
		step conntrackd.Step
		want string
	}{
		{step(conntrackd.StepWrite, "Write the file", done, "731 bytes", 99*time.Millisecond), "ok       Write the file: 731 bytes"},
		{step(conntrackd.StepWrite, "Write the file", done, "", 1240*time.Millisecond), "ok       Write the file (1.2 s)"},
		{step(conntrackd.StepWrite, "Write the file", failed, "no\nspace\x1b[2J", 0), "FAIL     Write the file: no space"},
		{step(conntrackd.StepWrite, "Write the file", conntrackd.StepRunning, "", 0), "...      Write the file"},
		{step(conntrackd.StepWrite, "Write the file", conntrackd.StepSkipped, "", 0), "skip     Write the file"},
		{step(conntrackd.StepWrite, "Write the file", conntrackd.StepUnknown, "", 0), "unknown  Write the file"},
	}
	for _, tt := range tests {
		if got := StepText(tt.step); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// Every verdict has words of its own, and only one of them says in sync.
func TestStatusWords(t *testing.T) {
	verdicts := []conntrackd.Verdict{conntrackd.VerdictTwoWay, conntrackd.VerdictReceivingOnly, conntrackd.VerdictSendingOnly,
		conntrackd.VerdictSilent, conntrackd.VerdictLosing, conntrackd.VerdictMismatch, conntrackd.VerdictStopped, conntrackd.VerdictUnknown}
	seen := map[string]bool{}
	for _, v := range verdicts {
		sentence, words := StatusSentence(conntrackd.Health{Verdict: v}), stateWords(v)
		if seen[sentence] || seen[words] || sentence == "" || words == "" {
			t.Errorf("%s: %q, %q are not its own", v, sentence, words)
		}
		seen[sentence], seen[words] = true, true
		if inSync := strings.HasPrefix(sentence, "In sync"); inSync != (v == conntrackd.VerdictTwoWay) {
			t.Errorf("%s says %q", v, sentence)
		}
		if (verdictWord(v) == wordOK) != (v == conntrackd.VerdictTwoWay) {
			t.Errorf("%s is %q", v, verdictWord(v))
		}
	}
	for _, odd := range []conntrackd.Verdict{"", "made up"} {
		if got := verdictWord(odd); got != wordUnknown {
			t.Errorf("%q is %q", odd, got)
		}
	}
	want := []string{"warn     No word from the peer.", "         the cable", "         -> plug it in"}
	if diff := cmp.Diff(want, StatusText(conntrackd.Health{Verdict: conntrackd.VerdictSilent, Cause: "the cable", Next: "plug it in"})); diff != "" {
		t.Error(diff)
	}
}

func TestOutcomeSentence(t *testing.T) {
	err := errors.New("x")
	tests := []struct {
		outcome conntrackd.Outcome
		want    string
	}{
		{conntrackd.Outcome{}, "Nothing to do: these settings are already in force."},
		{conntrackd.Outcome{Changed: true}, "Saved, and in force."},
		{conntrackd.Outcome{Steps: []conntrackd.Step{{ID: conntrackd.StepBound, Status: conntrackd.StepUnknown}}},
			"Nothing was changed; whether conntrackd runs as asked could not be seen."},
		{conntrackd.Outcome{Changed: true, Steps: []conntrackd.Step{{ID: conntrackd.StepStaysUp, Status: conntrackd.StepUnknown}}},
			"Saved; whether conntrackd runs as asked could not be seen."},
		{conntrackd.Outcome{Err: err}, "Failed before anything was changed."},
		{conntrackd.Outcome{Err: err, RolledBack: true}, "Failed and taken back: the old state is in force again."},
		{conntrackd.Outcome{Err: err, Changed: true}, "Failed, and the old state could NOT be brought back. Look at the steps above."},
	}
	for _, tt := range tests {
		if got := OutcomeSentence(tt.outcome); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.outcome, got, tt.want)
		}
	}
}

func TestPeerCommand(t *testing.T) {
	tests := []struct {
		name string
		edit func(*conntrackd.Settings)
		want string
	}{
		{"swapped", func(*conntrackd.Settings) {},
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536 --enable"},
		{"external cache", func(s *conntrackd.Settings) { s.ExternalCache = true },
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536 --external-cache=on --enable"},
		{"buffers not set", func(s *conntrackd.Settings) { s.SendBuffer, s.ReceiveBuffer = 0, 0 },
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --enable"},
		{"prefix known from the other end", func(s *conntrackd.Settings) { s.Peer = netip.PrefixFrom(s.Peer.Addr(), -1) },
			"connsync apply --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24 --port 3780 --send-buffer 65536 --receive-buffer 65536 --enable"},
		{"IPv6", func(s *conntrackd.Settings) {
			s.Current, s.Peer = netip.MustParsePrefix("fd00::1/64"), netip.MustParsePrefix("fd00::2/64")
		}, "connsync apply --interface eth1 --current-ip fd00::2/64 --peer-ip fd00::1/64 --port 3780 --send-buffer 65536 --receive-buffer 65536 --enable"},
		{"nothing known", func(s *conntrackd.Settings) { *s = conntrackd.Settings{} }, "connsync apply --enable"},
		{"a name that a shell would run", func(s *conntrackd.Settings) { *s = conntrackd.Settings{Interface: "e;`reboot`'\x1b[2J"} },
			`connsync apply --interface 'e;` + "`reboot`" + `'\''' --enable`},
	}
	for _, tt := range tests {
		s := pairSettings()
		tt.edit(&s)
		if diff := cmp.Diff(tt.want, PeerCommand(s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What is typed at the other node gives settings whose own command leads back.
func TestPeerCommandLeadsBack(t *testing.T) {
	there := func(command string) conntrackd.Settings {
		v := conntrackd.Values{Enabled: "enable"}
		words := strings.Fields(command)
		for i, w := range words {
			switch w {
			case "--interface":
				v.Interface = words[i+1]
			case "--current-ip":
				v.CurrentIP = words[i+1]
			case "--peer-ip":
				v.PeerIP = words[i+1]
			case "--port":
				v.Port = words[i+1]
			case "--send-buffer":
				v.SendBuffer = words[i+1]
			case "--receive-buffer":
				v.ReceiveBuffer = words[i+1]
			case "--external-cache=on":
				v.ExternalCache = "on"
			}
		}
		s, problems := ParseSettings(v)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", command, problems)
		}
		return s
	}
	here := pairSettings()
	here.ExternalCache = true
	peer := there(PeerCommand(here))
	if Fingerprint(here) != Fingerprint(peer) {
		t.Errorf("fingerprints %s and %s", Fingerprint(here), Fingerprint(peer))
	}
	if diff := cmp.Diff(PeerCommand(here), PeerCommand(there(PeerCommand(peer)))); diff != "" {
		t.Error(diff)
	}
}

func TestFingerprintSeesWhatMustBeEqual(t *testing.T) {
	seen := map[string]string{Fingerprint(pairSettings()): "the pair"}
	edits := map[string]func(*conntrackd.Settings){
		"port":    func(s *conntrackd.Settings) { s.Port++ },
		"send":    func(s *conntrackd.Settings) { s.SendBuffer++ },
		"receive": func(s *conntrackd.Settings) { s.ReceiveBuffer++ },
		"cache":   func(s *conntrackd.Settings) { s.ExternalCache = true },
		"address": func(s *conntrackd.Settings) { s.Peer = netip.MustParsePrefix("10.0.0.103/24") },
		"prefix": func(s *conntrackd.Settings) {
			s.Current, s.Peer = netip.MustParsePrefix("10.0.0.101/25"), netip.MustParsePrefix("10.0.0.102/25")
		},
	}
	for name, edit := range edits {
		s := pairSettings()
		edit(&s)
		print := Fingerprint(s)
		if other, ok := seen[print]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[print] = name
	}
	s := pairSettings()
	s.Enabled, s.Interface = false, "bond0"
	if Fingerprint(s) != Fingerprint(pairSettings()) {
		t.Error("what may differ changes the fingerprint")
	}
}
