package text

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

// Every verdict has words of its own, and only one of them says in sync.
func TestStatusWords(t *testing.T) {
	verdicts := []health.Verdict{health.VerdictTwoWay, health.VerdictReceivingOnly, health.VerdictSendingOnly,
		health.VerdictSilent, health.VerdictLosing, health.VerdictMismatch, health.VerdictStopped, health.VerdictUnknown}
	seen := map[string]bool{}
	for _, v := range verdicts {
		sentence, words := StatusSentence(v), ShortVerdict(v)
		if seen[sentence] || seen[words] || sentence == "" || words == "" {
			t.Errorf("%s: %q, %q are not its own", v, sentence, words)
		}
		seen[sentence], seen[words] = true, true
		if inSync := strings.HasPrefix(sentence, "In sync"); inSync != (v == health.VerdictTwoWay) {
			t.Errorf("%s says %q", v, sentence)
		}
		if (VerdictWord(v) == OK) != (v == health.VerdictTwoWay) {
			t.Errorf("%s is %q", v, VerdictWord(v))
		}
	}
	for _, odd := range []health.Verdict{"", "made up"} {
		if got := VerdictWord(odd); got != Unknown {
			t.Errorf("%q is %q", odd, got)
		}
	}
	want := []string{"FAIL     No word from the peer.", "         the cable", "         -> plug it in"}
	if diff := cmp.Diff(want, StatusLines(health.Health{Verdict: health.VerdictSilent, Cause: "the cable", Next: "plug it in"})); diff != "" {
		t.Error(diff)
	}
}

// The peer is told of where it may not be set up as this node is, and nowhere
// else.
func TestWantsPeer(t *testing.T) {
	on, off, alone := pairSettings(), pairSettings(), pairSettings()
	off.Enabled = false
	alone.Peer = conntrackd.Settings{}.Peer
	for verdict, want := range map[health.Verdict]bool{
		health.VerdictTwoWay: false, health.VerdictLosing: false, health.VerdictStopped: false, health.VerdictUnknown: false,
		health.VerdictSilent: true, health.VerdictReceivingOnly: true, health.VerdictSendingOnly: true, health.VerdictMismatch: true,
	} {
		h := health.Health{Verdict: verdict}
		if got := WantsPeer(h, on); got != want {
			t.Errorf("%s: %t", verdict, got)
		}
		if WantsPeer(h, off) || WantsPeer(h, alone) {
			t.Errorf("%s: told without a sync or without a peer", verdict)
		}
	}
}

func TestCounts(t *testing.T) {
	h := health.Health{Sockets: health.Sockets{Drops: 8}, Counters: control.Counters{
		Internal: 999_999_999, External: 2, Injected: 3000, Lost: 4, Malformed: 5, ErrorsSent: 6, Overruns: 7, ResendQueue: 9, NoSpace: 1_500_000_000,
	}, Coverage: &coverage.Coverage{Counts: coverage.Counts{Survive: 3}, Peers: 4}}
	want := []Count{
		{"states here", "999999999"}, {"lost", "4"}, {"malformed", "5"},
		{"in kernel", "7"}, {"send errors", "6"}, {"netlink overruns", "7"},
		{"resend queue", "9"}, {"receive drops", "8"}, {"cache full", "1.5G"},
		{"written to kernel", "3000"},
	}
	s := pairSettings()
	if diff := cmp.Diff(want, Counts(h, s)); diff != "" {
		t.Error(diff)
	}
	s.ExternalCache = true
	h.Coverage = nil
	want[3].Value = "-" // not counted is not none
	if diff := cmp.Diff(want, Counts(h, pairSettings())); diff != "" {
		t.Error(diff)
	}
	want[3], want = Count{"peer's states", "2"}, want[:9]
	if diff := cmp.Diff(want, Counts(h, s)); diff != "" {
		t.Error(diff)
	}
}

func TestAbout(t *testing.T) {
	began := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	counted := control.Counters{Time: began.Add(3 * time.Minute), Device: "eth1", Link: "RUNNING"}
	active := service.State{Present: true, Active: true, Enabled: true, MainPID: 7, Since: began}
	for name, tc := range map[string]struct {
		health health.Health
		want   []Row
	}{
		"nothing known": {health.Health{}, nil},
		"stopped": {health.Health{Service: service.State{Present: true, Detail: "failed\x1b[2J (Result: exit-code)", Restarts: 2}},
			[]Row{{Label: "daemon", Text: "stopped, failed (Result: exit-code), does NOT start at boot, restarted twice by itself"}}},
		"runs": {health.Health{Service: active, Counters: counted,
			Sockets: health.Sockets{Bound: true, Address: "10.0.0.101:3780", ReceiveBuffer: 131072, SendBuffer: 4608}},
			[]Row{
				{Label: "link", Text: "eth1 RUNNING, bound to 10.0.0.101:3780"},
				{Label: "buffers", Text: "receive 131072 (2 x 65536), send ONLY 4608 (asked 2 x 65536)"},
				{Label: "daemon", Text: "running for 3 min, starts at boot"},
			}},
		"elsewhere": {health.Health{Service: service.State{Present: true, Active: true, Unbooted: true}, Counters: counted},
			[]Row{
				{Label: "link", Text: "eth1 RUNNING, NOT bound to the address and port that are set"},
				{Label: "daemon", Text: "running for less than a minute"},
			}},
	} {
		if diff := cmp.Diff(tc.want, About(tc.health, pairSettings())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBuffer(t *testing.T) {
	for want, asked := range map[string]int{
		"send 131072 (the kernel's own)":     0,
		"send 131072 (2 x 65536)":            65536,
		"send ONLY 131072 (asked 2 x 65537)": 65537,
		"send 131072 (asked 65535)":          65535,
	} {
		if got := buffer("send", 131072, asked); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than a minute", 59 * time.Second: "less than a minute", time.Minute: "1 min", 61 * time.Minute: "1 h 1 min",
		24 * time.Hour: "1 d 0 h", 50*time.Hour + 59*time.Minute: "2 d 2 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestNotesOfTheStatus(t *testing.T) {
	half := health.Health{Service: service.State{Active: true}}
	if got := ServiceNote(half); got != "Note: conntrackd runs now, and does not start at boot; connsync apply --enable fixes that." {
		t.Error(got)
	}
	half.Service.Enabled = true
	if got := ServiceNote(half); got != "" {
		t.Error(got)
	}
	kept := health.Health{Service: service.State{Active: true, Enabled: true, Unbooted: true, Keeper: service.Keeper{Name: "runit", PID: 40}}}
	if got := ServiceNote(kept); got != "Note: conntrackd is run by runit (process 40), so connsync does not restart it." {
		t.Errorf("run by another program: %q", got)
	}
	masked := health.Health{Service: service.State{Active: true, Masked: true, Unmask: "systemctl unmask conntrackd.service"}}
	if got := ServiceNote(masked); got != "Note: conntrackd runs now, and does not start at boot; systemctl unmask conntrackd.service, then connsync apply --enable fixes that." {
		t.Errorf("masked: %q", got)
	}
	if got := ServiceNote(health.Health{Service: service.State{Enabled: true}}); got != "" {
		t.Error(got)
	}
	if got := OutOfPlace("it is\x1b[2J SLB"); got != "warn     Out of place: it is SLB." {
		t.Error(got)
	}
}

// A watch compares two looks only where they are at the same run of the daemon.
func TestWatchLine(t *testing.T) {
	look := func(pid int, second int, sent, received uint64) health.Health {
		h := health.Health{Verdict: health.VerdictTwoWay, Cause: "not told"}
		h.Service.MainPID = pid
		h.Time, h.PacketsSent, h.PacketsRecv = time.Unix(int64(second), 0), sent, received
		h.Internal, h.External, h.Injected, h.Lost, h.Overruns = 1, 2, 3, 4, 5
		return h
	}
	silent := look(7, 12, 120, 20)
	silent.Verdict, silent.Cause = health.VerdictSilent, "the\x1b[2J cable"
	for name, tc := range map[string]struct {
		before, now health.Health
		want        string
	}{
		"first":     {health.Health{}, look(7, 10, 100, 20), "two-way        sent -/s received -/s states 1/2 lost 4 overruns 5"},
		"again":     {look(7, 10, 100, 20), look(7, 12, 120, 20), "two-way        sent 10/s received 0/s states 1/2 lost 4 overruns 5"},
		"restarted": {look(6, 10, 100, 20), look(7, 12, 120, 20), "two-way        sent -/s received -/s states 1/2 lost 4 overruns 5"},
		"cause":     {look(7, 10, 100, 20), silent, "silent         sent 10/s received 0/s states 1/2 lost 4 overruns 5: the cable"},
		"unknown":   {look(7, 10, 100, 20), health.Health{Verdict: health.VerdictUnknown, Cause: "no answer"}, "unknown       : no answer"},
	} {
		if got := WatchLine(tc.before, tc.now); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
