package text

import (
	"errors"
	"fmt"
	"io/fs"

	"connsync/conntrackd/failover"
)

// FailoverSentence is how a failover ended, in one sentence.
func FailoverSentence(o failover.Outcome) string {
	where := "the peer's states are written to the kernel at once"
	switch {
	case o.Stopped:
		where = "conntrackd does not run"
	case o.ExternalCache:
		where = "the peer's states are kept in the external cache"
	}
	switch {
	case errors.Is(o.Err, fs.ErrPermission):
		return Clean(fmt.Sprintf("Not %s: only root may use the control socket; set script_user root so that keepalived runs the hook as root. %v", o.Role, o.Err))
	case o.Err != nil:
		return Clean(fmt.Sprintf("Not %s: %v", o.Role, o.Err))
	case o.SupersededBy != "":
		return fmt.Sprintf("Not %s: a later call has made this node %s.", o.Role, Clean(string(o.SupersededBy)))
	case len(o.Steps) == 0:
		return fmt.Sprintf("%s recorded; nothing to do, since %s.", Capital(string(o.Role)), where)
	case o.Failed():
		return fmt.Sprintf("This node is %s, and a step failed: connections may be lost (%s).", o.Role, where)
	case o.Unseen():
		return fmt.Sprintf("This node is %s; some effects are unknown (%s).", o.Role, where)
	}
	return fmt.Sprintf("This node is %s (%s).", o.Role, where)
}
