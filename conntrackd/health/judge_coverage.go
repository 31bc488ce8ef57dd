package health

import (
	"context"
	"errors"
	"fmt"

	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/plural"
	"connsync/trust"
)

// cover looks at the connections that a daemon which answers has to replicate.
func (o *Observer) cover(ctx context.Context, e *evidence) {
	if o.Coverage == nil || e.countersErr != nil || len(e.readings) == 0 {
		return
	}
	o.Coverage.Follow(e.service.MainPID, e.service.Since)
	o.setsTold.Do(func() { o.Coverage.Told, o.Coverage.Zoneless = o.readReport, o.sendsNoZone })
	c, err := o.Coverage.Look(ctx)
	if err != nil {
		e.coverageErr = err
		return
	}
	if o.reportUnread() { // the look is one of before
		o.readReport(ctx)
	}
	if e.heard() == broken || e.asksAgain() {
		// Each of them waits in the queue once, so that no more of them can be unconfirmed.
		c.Unacknowledged = int(min(e.last().ResendQueue, uint64(c.Survive)))
		c.Survive -= c.Unacknowledged
	}
	e.coverage, e.holding, e.eventsOff = &c, o.holds(e, c), coverage.EventsOff()
	if e.holding.Told != nil {
		e.holding.Daemon = o.ownVersion(ctx, e.service)
	}
	e.holding.takeFrom(&c)
}

// judgeCoverage is for a sync that works both ways: the heartbeat is none of the
// connections, which are what the sync is for. A table that cannot be listed proves
// nothing either way.
func (e evidence) judgeCoverage() (judgement, bool) {
	switch c := e.coverage; {
	case errors.Is(e.coverageErr, control.ErrStatsMode):
		return judgement{}, false // which has a verdict of its own
	case e.coverageErr != nil:
		return judgement{VerdictUnknown, "messages go both ways; which connections would survive could not be read: " + e.coverageErr.Error(),
			"run as root with " + trust.NetAdmin.String()}, true
	case c == nil:
		return judgement{}, false
	case c.Uncommitted > 0 && e.holding.Told.Hook == mailbox.HookFails:
		return e.judgeUncommitted(), true
	case c.Lost() > 0:
		return judgement{VerdictPartial, fmt.Sprintf("%d of %s would not survive a failover: %s", c.Lost(), plural.Of(c.Own(), "connection", "connections"), c.Cause), c.Next}, true
	case c.NotHeld > 0:
		return e.judgeTold(), true
	case e.holding.Unclear == UnclearRefused:
		return e.judgeUnclear(), true
	case c.Unclear > 0:
		return e.judgeAged(), true
	case c.Undecided > 0:
		return e.judgeUndecided(), true
	case c.Uncommitted > 0: // a loss that is certain comes before one that may be
		return e.judgeUncommitted(), true
	case e.eventsOff:
		return e.judgeEventsOff(), true
	case c.Pending:
		return judgement{VerdictUnknown, fmt.Sprintf("messages go both ways; %s are not in conntrackd's cache at the first look", plural.Of(c.Young, "connection", "connections")),
			"wait a second"}, true
	}
	return judgement{}, false
}

// judgeUndecided is for connections that the file keeps out and the peer's daemon wrote here:
// whose they are decides whether they would be lost.
func (e evidence) judgeUndecided() judgement {
	c := e.coverage
	return judgement{VerdictUnknown,
		fmt.Sprintf("line %d of the file keeps out %s (%s), and nothing shows whether they are this node's or the peer's",
			c.UndecidedBy.Line, plural.Of(c.Undecided, "connection", "connections"), c.UndecidedBy.Text),
		"have what moves the addresses run " + e.called.Command("failover", "primary") + " and " + e.called.Command("failover", "backup") + ", which say whose they are, or change that line"}
}
