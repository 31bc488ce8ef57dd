// Package helpers compares the conntrack helpers of this host's rules with those whose
// expectations the file syncs, and with those of the peer's connections.
package helpers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/netcheck/check"
	"connsync/netcheck/cthelper"
	"connsync/plural"
	"connsync/shell"
)

// Look is what a host has. The zero value is one without helpers.
type Look struct {
	Called  shell.Program   // how the operator calls this program
	Rules   []string        // the helpers that its rules assign
	Entries []string        // those of the connections that it knows, the peer's among them
	Peer    mailbox.Helpers // those that the peer's rules assign, as it told
}

// Read looks at this host, in the network namespace of the calling thread, and at the
// external cache of the daemon at the socket, where one runs.
func Read(ctx context.Context, socket string) (l Look, err error) {
	var c *control.Client
	if socket != "" {
		c = control.NewClient(socket)
	}
	if l.Rules, err = cthelper.Names(ctx); err != nil {
		return l, fmt.Errorf("the helpers in this host's rules could not be read: %w", err)
	}
	l.Entries, err = coverage.Helpers(ctx, c)
	if err != nil && !errors.Is(err, control.ErrNotListening) && !errors.Is(err, control.ErrStatsMode) {
		return l, fmt.Errorf("the helpers of this host's connections could not be read: %w", err)
	}
	return l, nil
}

// Files are the file in force, and the one that a save would write.
type Files struct{ InForce, Saved *conntrackd.File }

// Judge says what of the connections that helpers announce would not survive a failover.
// path is the file's.
func (l Look) Judge(path string, files Files) check.Finding {
	unsynced := func(f *conntrackd.File) (names []string) {
		for _, name := range l.Rules {
			if !f.SyncsExpectations(name) {
				names = append(names, name)
			}
		}
		return names
	}
	if missing := unsynced(files.InForce); len(missing) > 0 {
		f := check.Finding{Status: check.Failed, Remedy: l.Called.Command("apply"),
			Detail: fmt.Sprintf("%s does not sync the expectations of %s: connections that they have announced do not survive a failover", path, strings.Join(missing, ", "))}
		if line := files.InForce.ExpectationSyncOff(); line > 0 {
			f.Detail += fmt.Sprintf("; line %d says ExpectationSync off", line)
		}
		// A save leaves what may harm the peer, what the operator has switched off, and
		// what no list can name.
		if len(unsynced(files.Saved)) > 0 {
			f.Remedy = "on both nodes, the backup first: " + l.Called.OnBoth("apply", "--expectation-sync", "on")
		}
		return f
	}
	own := mailbox.NewHelpers(l.Rules)
	if lacking := own.Without(l.Peer); len(lacking) > 0 {
		names := strings.Join(lacking, ", ")
		return check.Finding{Status: check.Failed, Remedy: sameRules(names),
			Detail: fmt.Sprintf("the peer's rules do not assign %s, as this node's do: connections that begin there after a failover have no helper", helpersNamed(len(lacking), names))}
	}
	if more := l.Peer.Without(own); len(more) > 0 {
		names := strings.Join(more, ", ")
		return check.Finding{Status: check.Failed, Remedy: sameRules(names),
			Detail: fmt.Sprintf("the peer's rules assign %s, which no rule of this node assigns: connections that begin here after a failover would have no helper", helpersNamed(len(more), names))}
	}
	if foreign := slices.DeleteFunc(slices.Clone(l.Entries), func(name string) bool { return slices.Contains(l.Rules, name) }); len(foreign) > 0 {
		names := strings.Join(foreign, ", ")
		return check.Finding{Status: check.Failed,
			Detail: fmt.Sprintf("connections that this node has, such as the peer's, use %s, which no rule of this node assigns: those that begin here after a failover would have no helper",
				helpersNamed(len(foreign), names)), Remedy: sameRules(names)}
	}
	switch {
	case len(l.Rules) == 0:
		return check.Finding{Status: check.Passed, Detail: "no rule of this host assigns a conntrack helper, and no connection that it has uses one"}
	case l.Peer.Known():
		return check.Finding{Status: check.Passed, Detail: "the expectations of " + strings.Join(l.Rules, ", ") + " are synchronised, and the peer's rules assign " + strings.Join(l.Peer.Names(), ", ") + " too"}
	}
	return check.Finding{Status: check.Passed, Detail: "the expectations of " + strings.Join(l.Rules, ", ") +
		" are synchronised; the peer's rules have to assign the same helpers, which it has not told: compare with what connsync check says there"}
}

func helpersNamed(count int, names string) string {
	return plural.Word(count, "the helper ", "the helpers ") + names
}

func sameRules(names string) string {
	return fmt.Sprintf("give both nodes the same rules for %s; on each: nft list ruleset, iptables-save -t raw", names)
}
