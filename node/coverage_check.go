package node

import (
	"context"
	"errors"
	"fmt"

	"connsync/conntrackd"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/prepare"
	"connsync/netcheck/check"
	"connsync/plural"
)

// coverage asks which of the connections that go through this node now would be
// replicated with the file as it would be.
func (h *hostChecks) coverage(ctx context.Context) check.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	file := h.file()
	c, err := coverage.Expect(ctx, file, ownVirtual())
	if err != nil {
		f := unseen(err)
		if errors.Is(err, conntrackd.ErrCannotLook) {
			f.Remedy = asRoot(err)
		}
		return f
	}
	room, poll := file.HashLimit(), file.PollSecs()
	counted := fmt.Sprintf("with this file, %d of %s now would be replicated", min(c.Survive, room), plural.Of(c.Total(), "connection", "connections"))
	switch {
	case c.Filtered > 0:
		return check.Finding{Status: check.Failed, Detail: fmt.Sprintf("%s; %d would not: %s (now: %s)", counted, c.Filtered, c.Cause, c.ByProtocol()), Remedy: c.Next}
	case poll > 0:
		return check.Finding{Status: check.Failed,
			Detail: fmt.Sprintf("PollSecs in line %d: conntrackd would learn of a connection up to %d s after its begin, and until then it does not survive", file.LineOf("General", "PollSecs"), poll),
			Remedy: h.n.Called.Command("apply", "--poll-secs", "default")}
	case c.Survive > room:
		return check.Finding{Status: check.Failed,
			Detail: fmt.Sprintf("%s; conntrackd's cache would have no room for %d: HashLimit %d in line %d", counted, c.Survive-room, room, file.LineOf("General", "HashLimit")),
			Remedy: h.n.Called.Command("apply", "--hash-limit", "default")}
	case coverage.EventsOff():
		return h.eventsOff(c.Total())
	case c.Total() == 0:
		return check.Finding{Status: check.Passed, Detail: "no connection goes through this node at the moment"}
	}
	return check.Finding{Status: check.Passed, Detail: counted + " (" + c.ByProtocol() + ")"}
}

// eventsOff is for a kernel that reports none of its connections, of which there are
// so many.
func (h *hostChecks) eventsOff(connections int) check.Finding {
	f := check.Finding{Status: check.Failed, Remedy: "sysctl -w net.netfilter.nf_conntrack_events=1",
		Detail: fmt.Sprintf("nf_conntrack_events is 0: conntrackd would learn of no connection that begins, and of no change of the %s now", plural.Of(connections, "connection", "connections"))}
	if i, ok := h.found.Item(prepare.ItemEvents); ok && i.State == prepare.ItemMissing {
		f.Detail += "; a save that prepares the host sets it to 1"
		f.Remedy, f.Mend = h.n.Called.Command("apply", "--prepare-host"), check.MendHost
	}
	return f
}
