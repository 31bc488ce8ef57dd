package tui

import (
	"context"
	"net/netip"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/netcheck/check"
)

// monkeyHost is a host without a memory: what is asked of it at once by several
// screens needs no order.
type monkeyHost struct{}

func (monkeyHost) Observe(context.Context) (health.Health, error) {
	return idle(health.VerdictTwoWay, "messages from the peer arrive and it acknowledges this node's", "")(time.Duration(time.Now().Unix()%3600) * time.Second)
}

func (monkeyHost) Operate(ctx context.Context, o Operation) (string, error) {
	return new(fakeOperator).Operate(ctx, o)
}

func (monkeyHost) State(context.Context, string) (string, error) { return "", nil }

func (monkeyHost) Leave(context.Context, Leaving, conntrackd.Values) error { return nil }

// monkeyPlanner is a fakePlanner that does not count.
type monkeyPlanner fakePlanner

func (p monkeyPlanner) Plan(s conntrackd.Settings, firstNode bool) []check.Check {
	return (&fakePlanner{findings: p.findings, delays: p.delays}).Plan(s, firstNode)
}

// monkeyLinker is a fakeLinker that does not count.
type monkeyLinker struct {
	findings map[check.ID]check.Finding
	after    time.Duration
}

func (l monkeyLinker) LinkPlan(s conntrackd.Settings) []check.Check {
	return (&fakeLinker{findings: l.findings, after: l.after}).LinkPlan(s)
}

// options are a host, a form or a setup, as chance has it.
func (k *monkey) options() Options {
	chance := func(n int) bool { return k.Intn(n) == 0 }
	o := Options{Saved: savedSettings(), Hostname: "fw-a", Glyphs: ASCIIGlyphs(), Theme: PlainTheme(), Effects: lineEffects()}
	planner := monkeyPlanner{delays: map[check.ID]time.Duration{"peer-ping": time.Duration(k.Intn(900)) * time.Millisecond}}
	review := changedReview()
	if chance(3) {
		review = replacingReview()
	} else if chance(2) {
		review = preparingReview()
	}
	if chance(4) {
		planner.findings = noPeer
	}
	o.Effects.Linker = monkeyLinker{after: time.Duration(k.Intn(900)) * time.Millisecond, findings: planner.findings}
	o.Effects.Interfaces, o.Effects.Planner, o.Effects.Applier = watchedList{}, planner, k
	o.Effects.Reviewer = fakeReviewer{review: review, after: time.Duration(k.Intn(900)) * time.Millisecond, saved: savedSettings()}
	o.Effects.Observer, o.Effects.Operator = monkeyHost{}, monkeyHost{}
	o.Effects.History = fakeHistory{entries: saves(), diff: "-a\n+b\n", undo: review}
	o.Effects.Neighbours = seen{netip.MustParseAddr("10.0.0.102"), netip.MustParseAddr("fe80::2")}
	if chance(3) {
		o.Saved = conntrackd.Defaults()
	}
	if chance(3) {
		o.Setup = &Setup{Appliance: monkeyHost{}, AsksApplication: chance(2), Fresh: chance(2)}
	}
	if chance(8) {
		o.Gate, o.StillEnabled = "Only an LLB has connection sync.", chance(2)
	}
	if chance(5) {
		o.Notice = "A save was interrupted, and rolled back."
	}
	return o
}
