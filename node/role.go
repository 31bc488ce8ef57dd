package node

import (
	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/prepare"
)

// Role is which of the nodes forward. It is no setting of its own: where the
// peer's states are kept is what it comes down to.
type Role string

// The roles; blank is none that was asked for.
const (
	// RolePrimaryBackup is one node at a time; a hook commits the peer's states.
	RolePrimaryBackup Role = "primary-backup"
	// RoleBothActive is both at once, such as with asymmetric routing: each needs
	// the other's states in its kernel at once.
	RoleBothActive Role = "both-active"
)

// Valid says whether there is such a role.
func (r Role) Valid() bool { return r == RolePrimaryBackup || r == RoleBothActive }

// RoleOf is the role that settings come down to; blank where there are none.
func RoleOf(s conntrackd.Settings) Role {
	switch {
	case !s.Complete():
		return ""
	case s.ExternalCache:
		return RolePrimaryBackup
	}
	return RoleBothActive
}

// ExternalCache is the value of that setting for the role.
func (r Role) ExternalCache() string {
	if r == RolePrimaryBackup {
		return "on"
	}
	return "off"
}

// HookWish is what was asked for about the hook of what moves the addresses.
type HookWish struct {
	Role  Role
	Write bool // the lines are to be written into keepalived.conf
	// Given says that something that cannot be seen here calls the hook.
	Given bool
}

// Refusal says why a save must not go on: the lines cannot be written, or the peer's
// states would wait in an external cache from which nobody commits them. Blank
// where nothing speaks against it.
func (w HookWish) Refusal(r apply.Review) string {
	const lost = ": every connection would be lost at a failover"
	hook, _ := r.Preparation.Item(prepare.ItemHook)
	switch {
	case !r.Candidate.Settings.Enabled, hook.State == prepare.ItemInPlace, hook.State == prepare.ItemMissing && r.PrepareHost:
		return ""
	case w.Write && !r.PrepareHost:
		return "--keepalived-hook changes the host, which --prepare-host=false forbids"
	case w.Write && hook.State == "":
		return "keepalived manages no address on this host, so there is no file for --keepalived-hook"
	case w.Write:
		return hook.Detail
	case w.Role != RolePrimaryBackup || w.Given:
		return ""
	case hook.State == prepare.ItemOffered:
		return hook.Detail + lost + "; add --keepalived-hook to have the lines written"
	case hook.Detail != "":
		return hook.Detail + lost
	}
	return "nothing on this host calls connsync failover, as far as connsync can see" + lost + "; where something else calls it, add --external-cache on"
}
