package node

import (
	"net/netip"
	"slices"

	"connsync/conntrackd"
)

// KeepBare keeps the addresses whose prefix length is not in the file, and that v
// has as they are saved: nothing is wrong with what was typed. It returns the
// settings with them, and the other problems.
func (s Saved) KeepBare(v conntrackd.Values, settings conntrackd.Settings, problems []conntrackd.Problem) (conntrackd.Settings, []conntrackd.Problem) {
	if s.NoPrefix == "" {
		return settings, problems
	}
	problems = slices.Clone(problems)
	for _, bare := range []struct {
		field conntrackd.Field
		was   netip.Prefix
		now   *netip.Prefix
	}{{conntrackd.FieldCurrentIP, s.Settings.Current, &settings.Current}, {conntrackd.FieldPeerIP, s.Settings.Peer, &settings.Peer}} {
		if bare.was.Bits() < 0 && v[bare.field] == bare.was.Addr().String() {
			*bare.now = bare.was
			problems = slices.DeleteFunc(problems, func(p conntrackd.Problem) bool { return p.Field == bare.field })
		}
	}
	return settings, problems
}
