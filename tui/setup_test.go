package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/netcheck"
	"connsync/tui/text"
)

// fakeAppliance remembers what it was told.
type fakeAppliance struct {
	stated  []string
	lefts   []Leaving
	answers conntrackd.Values // at the last of them
	gate    string
	err     error
}

func (a *fakeAppliance) State(_ context.Context, application string) (string, error) {
	a.stated = append(a.stated, application)
	return a.gate, a.err
}

func (a *fakeAppliance) Leave(_ context.Context, how Leaving, answers conntrackd.Values) error {
	a.answers = answers
	a.lefts = append(a.lefts, how)
	return nil
}

// watchedList is an Interfaces with one list, which ends with its context.
type watchedList struct{}

func (watchedList) Watch(ctx context.Context) (<-chan []netcheck.Interface, error) {
	lists := make(chan []netcheck.Interface, 1)
	lists <- appliance()
	go func() {
		<-ctx.Done()
		close(lists)
	}()
	return lists, nil
}

// setUp drives a setup on a host where nothing is set.
func setUp(t *testing.T, a *fakeAppliance, change func(*Options), width, height int, do func(d *driver)) {
	t.Helper()
	o := Options{Hostname: "fw-a", Glyphs: ASCIIGlyphs(), Saved: conntrackd.Defaults(), Effects: lineEffects(),
		Setup: &Setup{Appliance: a, AsksApplication: true, Fresh: true}}
	o.Effects.Interfaces = watchedList{}
	if change != nil {
		change(&o)
	}
	driveAsIs(t, o, width, height, func(d *driver) {
		d.do(d.m.Init())
		d.settle()
		do(d)
	})
}

// types sends text, a key a character.
func (d *driver) types(text string) {
	for _, r := range text {
		switch r {
		case '\n', '\r':
			d.send(tea.KeyPressMsg{Code: tea.KeyEnter})
		case ' ':
			d.send(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
		default:
			d.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
	d.settle()
}

// answerFirst goes from the application to the last page, on a first node.
func answerFirst(d *driver) {
	d.press("enter", "enter")
	d.wait(time.Second)
	d.press("enter", "enter") // Enable Sync, then the list
	d.types("eth1")
	d.press("enter", "enter") // chosen, and Current IP
	d.types("10.0.0.102/24")
	d.press("enter", "enter", "enter", "enter")
}

func TestSetupOfTheFirstNode(t *testing.T) {
	a := &fakeAppliance{}
	setUp(t, a, nil, 80, 24, func(d *driver) {
		d.wants("What is this appliance?", "Question 1 of 9.")
		answerFirst(d)
		d.wants("Review your answers", "10.0.0.102/24", "[ Check and Save ]")
		d.press("enter")
		d.wait(2 * time.Second)
		d.wantScreen(&preflight{})
		d.press("enter")
		d.wait(2 * time.Second)
		d.wantScreen(&review{})
		d.press("enter")
		d.wait(3 * time.Second)
		d.wantScreen(&saving{})
		d.wants("At the other node", "connsync apply")
		d.press("enter")
		d.wait(2 * time.Second)
		d.wantScreen(&status{})
		d.press("esc")
		d.wants("Connection sync is set up on this node.")
		d.press("tab", "enter")
		if d.m.env.ctx.Err() == nil {
			t.Error("Done does not end the setup")
		}
	})
	if strings.Join(a.stated, " ") != "LLB" || len(a.lefts) > 0 {
		t.Errorf("stated %v, left %v", a.stated, a.lefts)
	}
}

// A file that somebody else wrote meanwhile is read again from the review; nothing is set
// up by that, and what was answered stays.
func TestSetupReloadsTheFile(t *testing.T) {
	theirs := pairSettings()
	theirs.Port = 3790
	setUp(t, &fakeAppliance{}, func(o *Options) {
		o.Effects.Reviewer = fakeReviewer{saved: theirs, err: &hostfile.ChangedError{Path: "/etc/conntrackd/conntrackd.conf", Now: []byte(newFile())}}
	}, 80, 24, func(d *driver) {
		answerFirst(d)
		d.press("enter")
		d.wait(2 * time.Second)
		d.press("enter")
		d.wait(2 * time.Second)
		d.press("shift+tab")
		d.wants("[ Reload File ]")
		d.press("enter")
		d.wants("Review your answers", "10.0.0.102/24", "[ Check and Save ]")
		d.lacks("Connection sync is set up on this node.")
	})
}

// The line of the other node fills everything, under this node's own name of
// the interface.
func TestSetupOfTheSecondNode(t *testing.T) {
	other := savedSettings()
	other.Current, other.Peer = other.Peer, other.Current
	other.Interface = "eth10" // which is another one here
	for _, width := range []int{40, 60, 80, 132} {
		setUp(t, &fakeAppliance{}, func(o *Options) { o.Setup.AsksApplication = false }, 80, 24, func(d *driver) {
			d.types(strings.Join(peerLines(d.m.env, other, width), "\n") + "\n")
			d.wants("The line that the other node shows") // it is not read before it is quiet
			d.wait(time.Second)
			d.wants("Review your answers", "eth1 ", "10.0.0.101/24", "10.0.0.102/24", "262144")
			s, problems := d.m.form.draft.Settings()
			if want := savedSettings(); s != want || len(problems) > 0 {
				t.Errorf("width %d: %+v (%v), want %+v", width, s, problems, want)
			}
		})
	}
}

// What no interface here has is asked for, and a line that is not whole stays.
func TestSetupAsksWhatTheLineLeavesOpen(t *testing.T) {
	other := savedSettings()
	other.Current, other.Peer = other.Peer, other.Current
	other.Interface = "lan7"
	line := strings.ReplaceAll(text.PeerCommand(conntrackd.NewSettingTable(), other), "10.0.0.101/24", "10.0.0.99/24")
	setUp(t, &fakeAppliance{}, func(o *Options) { o.Setup.AsksApplication = false }, 80, 24, func(d *driver) {
		d.types(line[:60] + "\n")
		d.wait(time.Second)
		d.wants("the line is incomplete", "Paste the rest")
		d.types(line[60:] + "\n")
		d.wait(time.Second)
		d.wants("Interface Name", "lan7", "Question 2 of 2.")
		d.lacks("Review your answers")
		d.press("shift+tab", "ctrl+u")
		d.wants("The line that the other node shows")
		d.types("connsync apply --frobnicate 1\n")
		d.wait(time.Second)
		d.wants("unknown flag --frobnicate in the line", "Ctrl+U clears it.")
	})
}

// What is set is shown and not asked for.
func TestSetupAsksOnlyWhatIsNotSet(t *testing.T) {
	setUp(t, &fakeAppliance{}, func(o *Options) {
		o.Saved = savedSettings()
		o.Saved.Enabled = false
		o.Setup = &Setup{Appliance: o.Setup.Appliance}
	}, 80, 24, func(d *driver) {
		d.wants("Question 1 of 1.", "(*) Enable", "eth1", "10.0.0.101/24", "262144")
		d.press("enter")
		d.wants("[ Check and Save ]")
		d.press("shift+tab", "space", "enter")
		d.wants("Quit the setup?")
	})
	setUp(t, &fakeAppliance{}, func(o *Options) {
		o.Saved = savedSettings()
		o.Setup = &Setup{Appliance: o.Setup.Appliance}
	}, 80, 24, func(d *driver) {
		d.wants("Connection sync is set up on this node.", "10.0.0.102/24", "[ Status ]")
		d.press("ctrl+c")
		if d.m.env.ctx.Err() == nil {
			t.Error("there is something to leave")
		}
	})
}

func TestSetupSaysWhatIsWrong(t *testing.T) {
	setUp(t, &fakeAppliance{}, func(o *Options) { o.Setup.AsksApplication = false }, 80, 24, func(d *driver) {
		d.press("enter")
		d.wait(time.Second)
		d.press("enter")
		d.types("eth1")
		d.press("enter")
		d.wants("Current IP", "10.0.0.101/24")
		d.press("enter", "enter") // no Peer IP
		d.wants("Question 5 of 8.", "Peer IP")
		d.types("10.0.9.102/24")
		d.press("enter")
		d.wants("10.0.9.102 is not in 10.0.0.0/24", "Question 5 of 8.")
		d.press("shift+tab")
		d.wants("Question 4 of 8.")
	})
}

// At every question the setup can be left, in three ways and by going away.
func TestSetupIsLeft(t *testing.T) {
	for name, tc := range map[string]struct {
		patience time.Duration
		do       func(d *driver)
		want     []Leaving
	}{
		"later":            {0, func(d *driver) { d.press("ctrl+c", "l") }, []Leaving{Later}},
		"never":            {0, func(d *driver) { d.press("ctrl+c", "v") }, []Leaving{Never}},
		"twice":            {0, func(d *driver) { d.press("ctrl+c", "ctrl+c") }, []Leaving{Later}},
		"stays":            {0, func(d *driver) { d.press("ctrl+c", "n"); d.wants("What is this appliance?") }, nil},
		"at a field":       {0, func(d *driver) { answerFirst(d); d.press("shift+tab", "ctrl+c", "l") }, []Leaving{Later}},
		"at the last page": {0, func(d *driver) { answerFirst(d); d.press("tab", "enter", "l") }, []Leaving{Later}},
		"nobody":           {5 * time.Minute, func(d *driver) { d.wait(5*time.Minute + time.Second) }, []Leaving{Unanswered}},
		"went away":        {5 * time.Minute, func(d *driver) { answerFirst(d); d.wait(6 * time.Minute) }, []Leaving{Later}},
		"is there":         {5 * time.Minute, func(d *driver) { d.wait(4 * time.Minute); d.press("down"); d.wait(4 * time.Minute) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := &fakeAppliance{}
			setUp(t, a, func(o *Options) { o.Setup.Patience = tc.patience }, 80, 24, func(d *driver) {
				tc.do(d)
				ended := d.m.env.ctx.Err() != nil
				if ended != (tc.want != nil) {
					t.Errorf("ended: %v\n%s", ended, d.content())
				}
			})
			if len(a.lefts) != len(tc.want) || len(tc.want) > 0 && a.lefts[0] != tc.want[0] {
				t.Errorf("left %v, want %v", a.lefts, tc.want)
			}
		})
	}
}

// Another application ends it, with no field in reach; one that cannot be
// written down does not.
func TestSetupOfAnotherApplication(t *testing.T) {
	a := &fakeAppliance{gate: "connection sync is for link load balancers (LLB); this appliance is WAF, says /etc/connsync/application"}
	setUp(t, a, nil, 80, 24, func(d *driver) {
		d.press("down", "enter", "enter") // a key too many
		d.wants("What is this appliance?", "Question 1 of 9.")
		if len(a.stated) > 0 {
			t.Errorf("stated %v before it was confirmed", a.stated)
		}
		d.press("enter")
		d.wants("Is this appliance a web application firewall (WAF)?", "will NOT be offered", "[ No, back ]")
		d.press("y")
		d.wants("this appliance is WAF", "[ Quit ]", "shift+tab back")
		d.press("esc") // back to the question, and there again
		d.wants("What is this appliance?", "(*) WAF")
		d.press("enter", "y")
		for _, fd := range fields(conntrackd.NewSettingTable()) {
			d.lacks(fd.Label)
		}
		for _, k := range []string{"down", "tab", "shift+tab", "x", "space"} {
			if d.m.env.ctx.Err() == nil {
				d.press(k)
				for _, fd := range fields(conntrackd.NewSettingTable()) {
					d.lacks(fd.Label)
				}
			}
		}
	})
	if strings.Join(a.stated, " ") != "WAF WAF" {
		t.Errorf("stated %v", a.stated)
	}
	a = &fakeAppliance{err: errors.New("write /etc/connsync/application: read-only file system")}
	setUp(t, a, nil, 80, 24, func(d *driver) {
		d.press("enter")
		d.wants("What is this appliance?", "read-only file system")
	})
	a = &fakeAppliance{}
	setUp(t, a, nil, 80, 24, func(d *driver) {
		d.press("up", "enter")
		d.wants("The line that the other node shows")
	})
	if len(a.stated) > 0 {
		t.Errorf("a host that is none of these stated %v", a.stated)
	}
	// What was written down is removed by another answer.
	a = &fakeAppliance{}
	setUp(t, a, nil, 80, 24, func(d *driver) {
		d.press("enter")
		d.wants("The line that the other node shows", "Question 2 of 9.")
		d.press("shift+tab", "up", "enter")
		d.wants("The line that the other node shows")
	})
	if len(a.stated) != 2 || a.stated[0] != "LLB" || a.stated[1] != "" {
		t.Errorf("stated %q", a.stated)
	}
}
