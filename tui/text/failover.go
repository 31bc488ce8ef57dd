package text

import (
	"errors"
	"fmt"
	"io/fs"

	"connsync/conntrackd/failover"
)

// FailoverSentence is how a failover ended, in one sentence.
func FailoverSentence(o failover.Outcome) string {
	where := "the peer's states go straight into the kernel"
	switch {
	case o.Stopped:
		where = "conntrackd does not run"
	case o.ExternalCache:
		where = "the peer's states are kept in the external cache"
	}
	switch {
	case errors.Is(o.Err, fs.ErrPermission):
		return Clean(fmt.Sprintf("Not %s: the control socket is root's alone; keepalived runs the hook as root with script_user root. %v", o.Role, o.Err))
	case o.Err != nil:
		return Clean(fmt.Sprintf("Not %s: %v", o.Role, o.Err))
	case o.SupersededBy != "":
		return fmt.Sprintf("Not %s: a later call has made this node %s.", o.Role, Clean(string(o.SupersededBy)))
	case len(o.Steps) == 0:
		return fmt.Sprintf("This node is %s: there is nothing to do, since %s.", o.Role, where)
	case o.Failed():
		return fmt.Sprintf("This node is %s, and a step failed: connections may be lost (%s).", o.Role, where)
	case o.Unseen():
		return fmt.Sprintf("This node is %s; not everything could be seen (%s).", o.Role, where)
	}
	return fmt.Sprintf("This node is %s (%s).", o.Role, where)
}
