package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
)

// expectations compares the helpers in this host's rules with those whose
// expectations the file syncs. Of a file without a sync it judges what a save would
// write.
func (h *hostChecks) expectations(ctx context.Context) check.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	helpers, err := firewall.Helpers(ctx)
	if err != nil {
		return check.Finding{Status: check.Unknown, Err: err, Remedy: asRoot(err),
			Detail: "the helpers in this host's rules could not be read: " + err.Error()}
	}
	if len(helpers) == 0 {
		return check.Finding{Status: check.Passed, Detail: "no rule of this host assigns a conntrack helper"}
	}
	file := h.saved.File
	if h.saved.WhyNoSettings != "" {
		file = h.file()
	}
	var missing []string
	for _, name := range helpers {
		if !file.SyncsExpectations(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return check.Finding{Status: check.Passed, Detail: "the expectations of " + strings.Join(helpers, ", ") + " are synchronised; the peer needs the same helpers in its rules"}
	}
	names := strings.Join(missing, ", ")
	f := check.Finding{Status: check.Failed, Remedy: "connsync apply",
		Detail: fmt.Sprintf("%s does not sync the expectations of %s: connections that they have announced do not survive a failover", h.n.Config, names)}
	if line := file.ExpectationSyncOff(); line > 0 {
		f.Detail += fmt.Sprintf("; line %d says ExpectationSync off", line)
	}
	// A save leaves what may harm the peer, what the operator has switched off, and
	// what no list can name.
	if slices.ContainsFunc(missing, func(name string) bool { return !h.file().SyncsExpectations(name) }) {
		f.Remedy = "on both nodes, the backup first: connsync apply --expectation-sync on"
	}
	return f
}
