package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/prepare"
)

// fakeReviewer answers with what it has, or blocks until it is stopped.
type fakeReviewer struct {
	review apply.Review
	err    error
	block  bool
	after  time.Duration
	wished *[]bool // whether the firewall's rules were asked for

	saved     conntrackd.Settings
	rereadErr error
}

func (f fakeReviewer) Review(ctx context.Context, s conntrackd.Settings, firewall bool) (apply.Review, error) {
	if f.wished != nil {
		*f.wished = append(*f.wished, firewall)
	}
	if f.block {
		return apply.Review{}, untilDone(ctx)
	}
	time.Sleep(f.after)
	r := f.review
	if r.Candidate != nil {
		c := *r.Candidate
		c.Settings = s
		r.Candidate = &c
	}
	return r, f.err
}

func (f fakeReviewer) Reread(context.Context) (conntrackd.Settings, error) {
	return f.saved, f.rereadErr
}

const oldFile = `# conntrackd of fw-a
Sync {
	Mode FTFW {
		DisableExternalCache on
	}
	UDP {
		IPv4_address 10.0.0.7
		IPv4_Destination_Address 10.0.0.102
		Port 3780
		Interface eth1
		SndSocketBuffer 1249280
		RcvSocketBuffer 1249280
		Checksum on
	}
}
General {
	HashSize 32768
	HashLimit 131072
	LogFile on
	LockFile /var/lock/conntrackd.lock
	UNIX {
		Path /var/run/conntrackd.ctl
	}
}
`

func newFile() string {
	return strings.NewReplacer("IPv4_address 10.0.0.7\n", "IPv4_address 10.0.0.101 # /24\n",
		"Destination_Address 10.0.0.102\n", "Destination_Address 10.0.0.102 # /24\n",
		"SndSocketBuffer 1249280", "SndSocketBuffer 65536", "RcvSocketBuffer 1249280", "RcvSocketBuffer 65536").Replace(oldFile)
}

var saveCommands = []string{"systemctl enable conntrackd.service", "systemctl reset-failed conntrackd.service",
	"systemctl restart conntrackd.service"}

func changedReview() apply.Review {
	return apply.Review{
		Candidate: &conntrackd.Candidate{
			Path: "/etc/conntrackd/conntrackd.conf", Old: []byte(oldFile), New: []byte(newFile()),
			Notes: []string{"the daemon's caches are empty after the restart; the peer is asked for its states"},
		},
		Commands: saveCommands,
	}
}

func replacingReview() apply.Review {
	r := changedReview()
	r.Candidate.Replaces = []string{"Multicast link on eth1, group 225.0.0.50"}
	return r
}

func creatingReview() apply.Review {
	r := changedReview()
	r.Candidate.Old = nil
	return r
}

// stockHost is what a stock Debian lacks, and something that is not ours.
func stockHost() prepare.Preparation {
	item := func(id prepare.ItemID, title, reason string, commands ...string) prepare.Item {
		return prepare.Item{ID: id, Title: title, Reason: reason, State: prepare.ItemMissing, Commands: commands}
	}
	return prepare.Preparation{Items: []prepare.Item{
		item(prepare.ItemUnit, "Recover from a crash", "a daemon that was killed leaves its lock file, and none starts beside it",
			"write /etc/systemd/system/conntrackd.service.d/connsync.conf", "systemctl daemon-reload"),
		item(prepare.ItemEvents, "Have the kernel report every connection (nf_conntrack_events=1)", "some stay in both nodes' tables for good",
			"sysctl -w net.netfilter.nf_conntrack_events=1"),
		{ID: prepare.ItemLogrotate, State: prepare.ItemForeign,
			Detail: "/etc/logrotate.d/local restarts conntrackd, is not as packaged, and is left alone"},
		{ID: prepare.ItemResync, State: prepare.ItemInPlace, Detail: "nobody needs to read this"},
	}}
}

func preparingReview() apply.Review {
	r := changedReview()
	r.Preparation, r.PrepareHost = stockHost(), true
	return r
}

// offeringReview is one where keepalived's hook could be written.
func offeringReview() apply.Review {
	r := preparingReview()
	r.Preparation.Items = append(r.Preparation.Items, prepare.Item{ID: prepare.ItemHook, State: prepare.ItemOffered,
		Title: "Have keepalived call connsync failover", Reason: "conntrackd is not told when the addresses move",
		Detail:   "/etc/keepalived/keepalived.conf does not call connsync failover when VG changes state",
		Commands: []string{"write /etc/keepalived/keepalived.conf", "kill -HUP 812"}})
	return r
}

func onlyHostReview() apply.Review {
	r := preparingReview()
	r.Candidate.New, r.Candidate.Notes, r.Commands, r.OnlyHost = r.Candidate.Old, nil, nil, true
	return r
}

func replacingPreparingReview() apply.Review {
	r := replacingReview()
	r.Preparation, r.PrepareHost = stockHost(), true
	return r
}

// toReview opens the review and lets it settle.
func toReview(firstNode bool, keys ...string) func(*driver) {
	return func(d *driver) {
		d.follow(reviewWanted{settings: pairSettings(), firstNode: firstNode, checked: true})
		d.wait(time.Second)
		d.press(keys...)
	}
}

func TestReviewPages(t *testing.T) {
	with := func(r apply.Review) Effects { return Effects{Reviewer: fakeReviewer{review: r}} }
	pages := []page{
		{"loading", Effects{Reviewer: fakeReviewer{block: true}}, toReview(false)},
		{"diff", with(changedReview()), toReview(false)},
		{"scrolled", with(changedReview()), toReview(false, "space", "down")},
		{"create", with(creatingReview()), toReview(true)},
		{"replaces", with(replacingReview()), toReview(false)},
		{"disagreed", with(replacingReview()), toReview(false, "shift+tab", "enter")},
		{"agreed", with(replacingReview()), toReview(false, "a", "shift+tab")},
		{"host", with(preparingReview()), toReview(false)},
		{"host-not", with(preparingReview()), toReview(false, "h")},
		{"host-focus", with(replacingPreparingReview()), toReview(false, "tab", "tab")},
		{"host-only", with(onlyHostReview()), toReview(false)},
		{"host-only-not", with(onlyHostReview()), toReview(false, "h")},
		{"hook", with(offeringReview()), toReview(false)},
		{"hook-accepted", with(offeringReview()), func(d *driver) {
			toReview(false, "e")(d)
			d.wait(time.Second)
		}},
		{"warnings", Effects{Planner: &fakePlanner{findings: warned}, Reviewer: fakeReviewer{review: preparingReview()}}, func(d *driver) {
			toPreflight(time.Second, "enter")(d)
			d.wait(time.Second)
		}},
		{"unchanged", with(apply.Review{Candidate: &conntrackd.Candidate{}, Unchanged: true}), toReview(false)},
		{"failed", Effects{Reviewer: fakeReviewer{err: errors.New("read /etc/conntrackd/conntrackd.conf: line 6: permission denied")}}, toReview(false)},
		{"noeffect", Effects{}, toReview(false)},
	}
	checkPages(t, pages, "diff", "replaces")
	checkWide(t, pages, "diff", "host")
}

func TestReviewDecisions(t *testing.T) {
	tests := []struct {
		name   string
		review apply.Review
		err    error
		keys   []string
		want   screen
	}{
		{"apply", changedReview(), nil, []string{"enter"}, &saving{}},
		{"back by button", changedReview(), nil, []string{"tab", "enter"}, &form{}},
		{"back by key", changedReview(), nil, []string{"esc"}, &form{}},
		{"a loss starts on back", replacingReview(), nil, []string{"enter"}, &form{}},
		{"a loss needs agreement", replacingReview(), nil, []string{"shift+tab", "enter", "enter"}, &review{}},
		{"a loss agreed to by letter", replacingReview(), nil, []string{"a", "shift+tab", "enter"}, &saving{}},
		{"a loss agreed to by space", replacingReview(), nil, []string{"tab", "space", "tab", "enter"}, &saving{}},
		{"a loss agreed to by enter", replacingReview(), nil, []string{"tab", "enter", "tab", "enter"}, &saving{}},
		{"agreement withdrawn", replacingReview(), nil, []string{"a", "a", "shift+tab", "enter"}, &review{}},
		{"a prepared host by default", preparingReview(), nil, []string{"enter"}, &saving{}},
		{"a host left alone", preparingReview(), nil, []string{"h", "enter"}, &saving{}},
		{"only the host, and that not", onlyHostReview(), nil, []string{"h", "enter"}, &review{}},
		{"only the host, after all", onlyHostReview(), nil, []string{"h", "h", "enter"}, &saving{}},
		{"nothing to do offers the status", apply.Review{Unchanged: true}, nil, []string{"enter"}, &status{}},
		{"nothing to do never applies", apply.Review{Unchanged: true}, nil, []string{"tab", "enter"}, &form{}},
		{"failure", apply.Review{}, errors.New("no"), []string{"enter"}, &form{}},
		{"failure, again", apply.Review{}, errors.New("no"), []string{"tab", "enter", "wait"}, &review{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			effects := Effects{Reviewer: fakeReviewer{review: tt.review, err: tt.err}, Applier: &fakeApplier{hold: true}}
			drive(t, Options{Effects: effects}, 80, 24, func(d *driver) {
				toReview(false)(d)
				for _, k := range tt.keys {
					if k == "wait" {
						d.wait(time.Second)
						continue
					}
					d.press(k)
				}
				d.wantScreen(tt.want)
			})
		})
	}
}

// The operator's word goes with the review to the apply.
func TestReviewTellsTheDecisionOnTheHost(t *testing.T) {
	for keys, want := range map[string]bool{"": true, "h": false, "hh": true, "shift+tab space": false} {
		applier := &fakeApplier{hold: true}
		effects := Effects{Reviewer: fakeReviewer{review: preparingReview()}, Applier: applier}
		drive(t, Options{Effects: effects}, 80, 24, func(d *driver) {
			toReview(false)(d)
			switch keys {
			case "shift+tab space":
				d.press("shift+tab", "space", "tab")
			default:
				d.press(strings.Split(keys, "")...)
			}
			got := d.top().(*review).review.PrepareHost
			d.press("enter")
			d.wantScreen(&saving{})
			if got != want {
				t.Errorf("keys %q: the host is prepared: %v", keys, got)
			}
		})
	}
}

// The offer of the hook brings the external cache with it, and goes without it.
func TestReviewTellsTheDecisionOnTheHook(t *testing.T) {
	for keys, want := range map[string]bool{"": false, "e": true, "ee": false} {
		effects := Effects{Reviewer: fakeReviewer{review: offeringReview()}, Applier: &fakeApplier{hold: true}}
		drive(t, Options{Effects: effects}, 80, 24, func(d *driver) {
			toReview(false)(d)
			for _, k := range strings.Split(keys, "") {
				d.press(k)
				d.wait(time.Second)
			}
			r := d.top().(*review)
			accepted := len(r.review.Accepted) == 1 && r.review.Accepted[0] == prepare.ItemHook
			if accepted != want || r.settings.ExternalCache != want || r.review.Candidate.Settings.ExternalCache != want {
				t.Errorf("keys %q: accepted %v, external cache %v", keys, r.review.Accepted, r.settings.ExternalCache)
			}
			if keys == "e" {
				d.press("h", "enter") // the cache without its hook would lose every connection
				d.wantScreen(&review{})
				d.press("h")
			}
			d.press("enter")
			d.wantScreen(&saving{})
		})
	}
}

func TestReviewIgnoresTypedAhead(t *testing.T) {
	effects := Effects{Reviewer: fakeReviewer{review: replacingReview(), after: 500 * time.Millisecond}, Applier: &fakeApplier{hold: true}}
	drive(t, Options{Effects: effects}, 80, 24, func(d *driver) {
		d.follow(reviewWanted{settings: pairSettings(), checked: true})
		d.press("a", "shift+tab", "enter") // while it is worked out
		d.wait(500 * time.Millisecond)
		d.wants("replaces")
		d.press("a", "enter") // in the moment that it appears
		d.wantScreen(&review{})
		d.wants("[ ] a")
		d.wait(dialogGrace)
		d.press("a")
		d.wants("[x] a")
	})
}

func TestReviewEndsItsWork(t *testing.T) {
	drive(t, Options{Effects: Effects{Reviewer: fakeReviewer{block: true}}}, 80, 24, func(d *driver) {
		toReview(false, "esc")(d)
		d.wantScreen(&form{}) // the bubble fails the test if the effect went on
	})
}

func TestReviewMarksLongLines(t *testing.T) {
	r := changedReview()
	r.Candidate.New = append([]byte("# "+strings.Repeat("long ", 60)+"end\n"), r.Candidate.New...)
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Reviewer: fakeReviewer{review: r}}}, 80, 24, func(d *driver) {
		toReview(false)(d)
		found := false
		for line := range strings.SplitSeq(d.content(), "\n") {
			if strings.HasPrefix(line, " +# long") {
				found = strings.HasSuffix(line, "...") && len(line) == 80
			}
		}
		if !found {
			t.Errorf("no cut line with its mark:\n%s", d.content())
		}
	})
}

func TestReviewOfManyLines(t *testing.T) {
	r := creatingReview()
	var b strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&b, "# line %d\n", i)
	}
	r.Candidate.New = []byte(b.String())
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Reviewer: fakeReviewer{review: r}}}, 80, 24, func(d *driver) {
		toReview(false)(d)
		d.wants("Creates /etc/conntrackd/conntrackd.conf, 20000 lines.")
		s := d.top().(*review)
		s.scroll(1 << 30)
		d.wants("+# line 19999")
		d.lacks("below")
		s.scroll(-1 << 30)
		d.wants("Creates")
	})
}

func TestReviewHostileText(t *testing.T) {
	r := replacingReview()
	r.Candidate.New = []byte(hostile + "\n" + newFile())
	r.Candidate.Replaces = []string{hostile}
	r.Candidate.Notes = []string{hostile}
	r.Commands = []string{hostile}
	r.Preparation = prepare.Preparation{Items: []prepare.Item{
		{State: prepare.ItemMissing, Title: hostile, Reason: hostile, Commands: []string{hostile}},
		{State: prepare.ItemForeign, Detail: hostile},
	}}
	r.Candidate.Path = "/etc/\x1b[2Jconntrackd.conf"
	checkHostile(t, Effects{Reviewer: fakeReviewer{review: r}}, toReview(true))
	checkHostile(t, Effects{Reviewer: fakeReviewer{err: errors.New(hostile)}}, toReview(false))
}

// An item that could not be read is named beside the error.
func TestReviewNamesWhatIsNotKnown(t *testing.T) {
	r := replacingReview()
	r.Preparation = prepare.Preparation{Items: []prepare.Item{
		{ID: prepare.ItemLogrotate, State: prepare.ItemUnknown, Detail: "permission denied"},
	}}
	v := &review{env: &env{table: conntrackd.NewSettingTable(), glyphs: ASCIIGlyphs()}, review: r, width: 80}
	if got := strings.Join(v.hostLines(), "\n"); !strings.Contains(got, "Not changed  logrotate: permission denied") {
		t.Error(got)
	}
}
