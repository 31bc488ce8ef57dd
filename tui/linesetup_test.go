package tui

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/shell"
	"connsync/tui/text"
)

// TestLineSetups compares whole setups with files; -update writes those.
func TestLineSetups(t *testing.T) {
	other := savedSettings()
	other.Current, other.Peer, other.Interface = other.Peer, other.Current, "lan1"
	wrapped := strings.Split(strings.Join(peerLines(&env{table: conntrackd.NewSettingTable(), glyphs: ASCIIGlyphs()}, other, 60), "\n"), "\n")
	gate := "connection sync is for link load balancers (LLB); this appliance is WAF, says /etc/connsync/application"
	for _, tc := range []struct {
		name      string
		appliance fakeAppliance
		change    func(*LineOptions)
		lines     []string
		stated    string
		lefts     []Leaving
		err       error
	}{
		{name: "first-node", lines: []string{"9", "1", "", "", "", "4", "", "10.0.0.102/24", "", "", "", "y"}, stated: "LLB"},
		{name: "silent-peer", change: with(func(e *Effects) {
			e.Observer = &fakeObserver{at: idle(health.VerdictSilent, "nothing has come from 10.0.0.102", "set up the peer")}
		}), lines: []string{"", "", "", "4", "", "10.0.0.102/24", ".", "y", ""}, stated: "LLB"},
		{name: "second-node", lines: append(append([]string{"5"}, wrapped...), pause, "y")},
		{name: "second-node-piped", change: func(o *LineOptions) { o.Silent = true }, lines: []string{"5", text.PeerCommand(conntrackd.NewSettingTable(), other), "y"}},
		{name: "line-is-wrong", lines: []string{"none", "connsync apply --frobnicate", pause, "?", "connsync apply --enable", pause, "", "e", "later"}, lefts: []Leaving{Later}},
		{name: "line-leaves-the-interface-open", lines: []string{"5", strings.Replace(text.PeerCommand(conntrackd.NewSettingTable(), other), "10.0.0.101/24", "10.0.0.99/24", 1), pause, "<", "later"}, lefts: []Leaving{Later}},
		{name: "only-enabling", change: func(o *LineOptions) {
			saved(o)
			o.Saved.Enabled = false
			o.Setup = &Setup{}
		}, lines: []string{"", "y"}},
		{name: "all-is-set", change: func(o *LineOptions) { saved(o); o.Setup = &Setup{} }},
		{name: "set-up-but-for-the-application", change: func(o *LineOptions) { saved(o); o.Setup = &Setup{AsksApplication: true} }, lines: []string{"later"}},
		{name: "other-application", appliance: fakeAppliance{gate: gate}, lines: []string{"waf", "", "waf", "y", "e"}, stated: "WAF"},
		{name: "not-written", appliance: fakeAppliance{err: errors.New("open /etc/connsync/application: read-only file system")}, lines: []string{"1", "never"}, stated: "LLB", lefts: []Leaving{Never}},
		{name: "not-wanted", lines: []string{"5", "", "d", "<", "d", "what", ""}, lefts: []Leaving{Later}},
		{name: "end-of-input", lines: []string{"5", "", "e"}, err: ErrUnfinished},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := tc.appliance
			paper, err := dialogue(t, func(o *LineOptions) {
				o.Setup = &Setup{AsksApplication: true, Fresh: true}
				if tc.change != nil {
					tc.change(o)
				}
				o.Setup.Appliance = &a
			}, tc.lines...)
			if !errors.Is(err, tc.err) || tc.err == nil && err != nil {
				t.Errorf("ended with %v, want %v", err, tc.err)
			}
			if strings.Join(a.stated, " ") != tc.stated || len(a.lefts) != len(tc.lefts) || len(a.lefts) > 0 && a.lefts[0] != tc.lefts[0] {
				t.Errorf("stated %v, left %v", a.stated, a.lefts)
			}
			golden.RequireEqual(t, paper)
		})
	}
}

// A setup that is to let a boot go on ends where nobody types; with no answer at
// all it is not offered again.
func TestLineSetupIsNotAwaitedForEver(t *testing.T) {
	for _, tc := range []struct {
		lines []string
		want  Leaving
	}{{nil, Unanswered}, {[]string{"5", ""}, Later}} {
		a := fakeAppliance{}
		paper, err := dialogue(t, func(o *LineOptions) {
			o.Setup = &Setup{Appliance: &a, AsksApplication: true, Fresh: true, Patience: 5 * time.Minute}
			o.In.(*typist).stays = make(chan struct{})
		}, tc.lines...)
		if err != nil {
			t.Errorf("ended with %v", err)
		}
		if len(a.lefts) != 1 || a.lefts[0] != tc.want {
			t.Errorf("left %v, want %v", a.lefts, tc.want)
		}
		if !strings.Contains(paper, "Without an answer for 5 minutes the boot continues.") || !strings.Contains(paper, text.WaysBack("")) {
			t.Error(paper)
		}
	}
}

// The commands that are named have the flags of the call: without them they would work on
// another file.
func TestLineModeNamesCommandsAsCalled(t *testing.T) {
	var a fakeAppliance
	paper, err := dialogue(t, func(o *LineOptions) {
		o.Width, o.Called = 0, shell.Program("").With("--config", "/srv/a b.conf")
		o.Setup = &Setup{Appliance: &a, AsksApplication: true, Fresh: true}
	}, "later")
	if err != nil {
		t.Error(err)
	}
	if n := strings.Count(paper, "connsync setup --config '/srv/a b.conf'"); n != 2 {
		t.Errorf("at the start and at the end it is named %d times:\n%s", n, paper)
	}
}

// A piece of the other node's line that is no answer makes the whole paste none, on a
// terminal and from a pipe.
func TestLineSetupRefusesPartOfAPaste(t *testing.T) {
	other := savedSettings()
	other.Current, other.Peer = other.Peer, other.Current
	begin, end, _ := strings.Cut(text.PeerCommand(conntrackd.NewSettingTable(), other), "--port 3780 ")
	for said, piece := range map[string]string{
		"contained non-text keys": "--port 37\x1b[D80 " + end,
		"is too long":             "--port 3780 " + end + strings.Repeat(" ", lineMax) + "--port 3790",
	} {
		for _, silent := range []bool{false, true} {
			paper, err := dialogue(t, func(o *LineOptions) {
				o.Setup, o.Silent = &Setup{Appliance: &fakeAppliance{}, Fresh: true}, silent
			}, begin+`\`, piece, pause, begin+"--port 3780 "+end, pause, "later")
			if err != nil || strings.Count(paper, said) != 1 || strings.Count(paper, peerLineQuestion) != 2 || strings.Count(paper, "Taken: Port 3780") != 1 {
				t.Errorf("%s, silent %v: %v\n%s", said, silent, err, paper)
			}
		}
	}
}
