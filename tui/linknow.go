package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
	"connsync/netcheck/check"
	"connsync/tui/text"
)

// Linker knows what to ask about the link of settings that are not saved yet.
type Linker interface {
	// LinkPlan returns checks that may be asked again and again.
	LinkPlan(s conntrackd.Settings) []check.Check
}

const (
	// linkPause is how long no key was pressed before the link is asked, or what it
	// answered is drawn: on a slow line the answer would hold up an echo.
	linkPause = time.Second
	// A link with a problem is asked again sooner than one without.
	linkBadEvery  = 5 * time.Second
	linkGoodEvery = 15 * time.Second
)

// linkNow asks how the link is while the form is in sight: once the fields allow it
// and the person pauses, and from time to time. What was answered goes with the first
// change of what it is about.
type linkNow struct {
	about   linkSubject
	asking  bool // the form is in sight, and its fields are good
	run     *run
	cancel  context.CancelFunc
	touched time.Time     // when the last key was pressed
	at      time.Time     // when the answer came
	answer  *check.Report // in sight; nil while nothing is known
	next    *check.Report // has come, and waits for a pause
}

// linkSubject is what an answer is about.
type linkSubject struct {
	good     bool                // the fields allow a look
	settings conntrackd.Settings // those of the link alone
	seen     string              // the state and the addresses of the interface
}

// linkDue tells that it is time to ask, or to show what was answered.
type linkDue struct{ run *run }

// linkLooked is the answer.
type linkLooked struct {
	run    *run
	report check.Report
}

// linkSubject is what the fields say of the link now.
func (f *form) linkSubject() linkSubject {
	s, problems := f.draft.Settings()
	about := linkSubject{settings: conntrackd.Settings{
		Enabled: s.Enabled, Interface: s.Interface, Current: s.Current, Peer: s.Peer, Port: s.Port,
	}}
	on, there := f.host.find(s.Interface)
	about.seen = fmt.Sprint(on.Index, on.Up, on.Carrier, on.Addresses)
	about.good = f.gate == "" && s.Complete() && (there || !f.host.known)
	for _, id := range []conntrackd.Field{conntrackd.FieldInterface, conntrackd.FieldCurrentIP, conntrackd.FieldPeerIP, conntrackd.FieldPort} {
		about.good = about.good && text.ProblemOf(problems, id) == ""
	}
	return about
}

// lookAtLink brings the look in line with the fields; it is called after every message.
func (f *form) lookAtLink(inSight bool) tea.Cmd {
	if f.env.effects.Linker == nil || !inSight && !f.link.asking {
		return nil
	}
	l, about := &f.link, f.linkSubject()
	asking := inSight && about.good
	if about == l.about && asking == l.asking {
		return nil
	}
	l.halt()
	if about != l.about || time.Since(l.at) >= linkGoodEvery {
		l.answer = nil
	}
	l.about, l.asking, l.next = about, asking, nil
	if !asking {
		return nil
	}
	return l.wait(linkPause)
}

// touch notes that a key was pressed.
func (m *Model) touch() {
	m.idle.key()
	m.form.link.touched = time.Now()
}

// halt ends a look; what it still answers is dropped.
func (l *linkNow) halt() {
	if l.cancel != nil {
		l.cancel()
	}
	l.cancel, l.run = nil, newRun(l.run)
}

func (l *linkNow) wait(d time.Duration) tea.Cmd {
	current := l.run
	return tea.Tick(d, func(time.Time) tea.Msg { return linkDue{current} })
}

// updateLink handles the messages of the look. There is one chain of them.
func (f *form) updateLink(msg tea.Msg) tea.Cmd {
	l := &f.link
	switch msg := msg.(type) {
	case linkLooked:
		if msg.run == l.run {
			l.next, l.cancel = &msg.report, nil
			return f.updateLink(linkDue{l.run})
		}
	case linkDue:
		if msg.run != l.run || !l.asking {
			return nil
		}
		if rest := linkPause - time.Since(l.touched); rest > 0 {
			return l.wait(rest)
		}
		if l.next == nil {
			return f.askLink()
		}
		l.answer, l.next, l.at = l.next, nil, time.Now()
		if problems, _ := text.ProblemsFirst(l.answer.Results); len(problems) > 0 {
			return l.wait(linkBadEvery)
		}
		return l.wait(linkGoodEvery)
	}
	return nil
}

func (f *form) askLink() tea.Cmd {
	l := &f.link
	ctx, cancel := context.WithCancel(f.env.ctx)
	l.cancel = cancel
	current, linker, settings := l.run, f.env.effects.Linker, l.about.settings
	return func() tea.Msg {
		defer cancel()
		return linkLooked{current, check.Run(ctx, linker.LinkPlan(settings), nil)}
	}
}

// linkLines are the link as it is now, in at most room rows: with a title, or on one
// line. Where nothing is known there are none.
func (f *form) linkLines(room int) []string {
	l := &f.link
	if l.answer == nil || room < 1 {
		return nil
	}
	e, width, s := f.env, f.layout.width, l.about.settings
	now := text.LinkNowOf(*l.answer, s.Peer.Addr().Unmap().Is6())
	margin := strings.Repeat(" ", f.layout.label)
	counts := margin + f.linkCounts(now) + "   "
	if room < 4 {
		line := e.fit(margin+"Link: "+e.role(now.Word).Render(now.Word)+"  "+e.shown(now.Sentence), width-1)
		return append(make([]string, min(room-1, 1)), line)
	}
	if f.layout.note == 0 {
		counts = margin + e.role(now.Word).Render(now.Word) + "  "
	}
	says := hang(e.shown(now.Sentence), counts, width-1)
	if most := room - 3; len(says) > most {
		says[most-1] = e.fit(says[most-1]+" "+strings.TrimSpace(says[most]), width-1)
		says = says[:most]
	}
	return append([]string{"", margin + e.theme.Title.Render(linkTitle), f.linkPath(now, margin)}, says...)
}

const linkTitle = "The link, as it is now"

// linkCounts are how many checks came to each word.
func (f *form) linkCounts(now text.LinkNow) string {
	var words []string
	for _, c := range now.Counts {
		said := c.Text
		if c.N > 0 {
			said = f.env.role(c.Word).Render(said)
		}
		words = append(words, said)
	}
	return strings.Join(words, "   ")
}

// linkPath is both ends of the link and what is between them; where that is too wide,
// the interface and what the peer does.
func (f *form) linkPath(now text.LinkNow, margin string) string {
	e, s := f.env, f.link.about.settings
	dashes := strings.Repeat(e.glyphs.Rule, 4)
	path := fmt.Sprintf("%s%v %s   %s %s %s   %v   %s", margin, s.Current.Addr(), e.shown(s.Interface), dashes, now.State, dashes, s.Peer.Addr(), now.Peer)
	if ansi.StringWidth(path) < f.layout.width {
		return path
	}
	return e.fit(margin+e.shown(s.Interface)+" "+now.State+": "+now.Ends, f.layout.width-1)
}
