package node

import (
	"context"
	"errors"
	"fmt"

	"connsync/conntrackd"
	"connsync/conntrackd/coverage"
	"connsync/netcheck/check"
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
	counted := fmt.Sprintf("with this file, %d of %s now would be replicated", c.Survive, coverage.Connections(c.Total()))
	poll := file.PollSecs()
	switch {
	case c.Filtered > 0:
		return check.Finding{Status: check.Failed, Detail: fmt.Sprintf("%s; %d would not: %s", counted, c.Filtered, c.Cause), Remedy: c.Next}
	case poll > 0:
		return check.Finding{Status: check.Failed,
			Detail: fmt.Sprintf("PollSecs in line %d: conntrackd would learn of a connection up to %d s after its begin, and until then it does not survive", file.LineOf("General", "PollSecs"), poll),
			Remedy: "remove PollSecs from " + h.n.Config}
	case c.Total() == 0:
		return check.Finding{Status: check.Passed, Detail: "no connection goes through this node at the moment"}
	}
	return check.Finding{Status: check.Passed, Detail: counted}
}
