package mailbox

import "slices"

// Host is what a node tells of itself beside what it holds. The zero value says that
// nothing of it is known.
type Host struct {
	Hook    Hook
	Helpers Helpers
}

// Hook says whether anything takes a node's external cache into its kernel at a failover.
type Hook uint8

// The values travel, in three bits; new ones go to the end.
const (
	HookUnknown Hook = iota
	HookRuns         // keepalived runs it, or it has run before
	HookUnseen       // no keepalived moves addresses there, and it has never run
	HookFails        // keepalived moves addresses, and does not run it
)

// Helpers are the conntrack helpers that the rules of a node assign; the zero value says
// that they are not known. It knows those whose connections cross a firewall.
type Helpers uint8

// helperNames are in the order of their bits, which travel.
var helperNames = [...]string{"amanda", "ftp", "h323", "irc", "pptp", "sip", "tftp"}

const helpersKnown Helpers = 1 << len(helperNames)

// helperOf is the name of the helpers that work together under one.
func helperOf(name string) string {
	if slices.Contains([]string{"RAS", "Q.931", "H.245"}, name) {
		return "h323"
	}
	return name
}

// NewHelpers returns those of the names, as the kernel has them, that a report can tell.
func NewHelpers(names []string) Helpers {
	h := helpersKnown
	for _, name := range names {
		if i := slices.Index(helperNames[:], helperOf(name)); i >= 0 {
			h |= 1 << i
		}
	}
	return h
}

// Known says whether the node could tell its helpers.
func (h Helpers) Known() bool { return h&helpersKnown != 0 }

// Names are the helpers in order; that of H.323 is "h323".
func (h Helpers) Names() []string {
	names := []string{}
	for i, name := range helperNames {
		if h&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Without are the helpers that other does not have; none where one of both is not known.
func (h Helpers) Without(other Helpers) []string {
	if !h.Known() || !other.Known() {
		return nil
	}
	return (h &^ other).Names()
}
