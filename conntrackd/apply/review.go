package apply

import (
	"slices"

	"connsync/conntrackd"
	"connsync/conntrackd/prepare"
)

// Standing is what is in force on a node.
type Standing struct {
	Settings conntrackd.Settings
	Running  conntrackd.Running
	Alone    bool  // the service is left alone, so that Running is not known
	Heard    *bool // the peer was heard to send as Settings expect; nil is not known
	// OtherLink is the link of the file where Settings are not complete and conntrackd
	// syncs all the same, such as "TCP on eth1"; blank for any other.
	OtherLink string
}

// StandingOf is a service with a file; nil is no file.
func StandingOf(path string, content []byte, r conntrackd.Running) Standing {
	f, _ := conntrackd.Parse(path, content)
	return Standing{Settings: SettingsOf(path, content), Running: r, OtherLink: f.OtherLink()}
}

// HasLink says that the file has a link to sync over: that of a daemon for statistics has
// none.
func (s Standing) HasLink() bool { return s.Settings.Complete() || s.OtherLink != "" }

// Syncs says that conntrackd is to sync, now and at boot.
func (s Standing) Syncs() bool { return s.Running.Active && s.Running.Enabled && s.HasLink() }

// PeerHasToMatch says that the peer needs other settings too after a change: for other
// addresses of the link, another port, or another transport or group.
func PeerHasToMatch(before, after conntrackd.Settings) bool {
	if before.Multicast() != after.Multicast() || after.Multicast() && before.Group() != after.Group() {
		return true
	}
	// Of two links either node may have either one as its default: conntrackd follows the
	// peer to the link on which it hears it.
	return !slices.ContainsFunc(before.Links(), func(l conntrackd.Settings) bool {
		return l.Current.Addr() == after.Current.Addr() && l.Peer.Addr() == after.Peer.Addr() && l.Port == after.Port
	})
}

// Review is what a save would do, for the operator to agree to.
type Review struct {
	// Candidate is the file as it would be, with the settings that are to be
	// in force; nil only beside an error.
	Candidate *conntrackd.Candidate
	// Before is what was in force when the review was made; nil where it is not known.
	// Alone says that the service is left alone.
	Before *Standing
	Alone  bool
	// Heard says whether the peer sends already as the settings to come expect; nil where
	// nobody listened, as whoever shows the review does where it [Review.NeedsPeer].
	Heard *bool
	// Commands are what will run, in order, in shell words.
	Commands []string
	// FirstNode is the operator's statement that the peer does not exist yet. The
	// screen sets it; a Reviewer leaves it alone.
	FirstNode bool
	// Unchanged says that file, service and host are already as wanted, so that
	// no change is needed.
	Unchanged bool
	// Preparation is how the host stands to its sync, beside the file.
	// PrepareHost says that the save fixes what is missing; a
	// Reviewer proposes it, and the operator decides on the screen.
	Preparation prepare.Preparation
	PrepareHost bool
	// Accepted are the offers of the preparation that the operator agreed to.
	Accepted []prepare.ItemID
	// Aside is what goes with the save on this host; nil for nothing.
	Aside *Aside
	// OnlyHost says that nothing but the host's preparation is left to do.
	OnlyHost bool
}

// NeedsPeer says that a sync which is on stays on, and that the peer has to match the
// settings to come. Whether it does is for Heard.
func (r Review) NeedsPeer() bool {
	return r.Candidate != nil && r.Candidate.Settings.Enabled && r.Before != nil && r.Before.Running.Active &&
		PeerHasToMatch(r.Before.Settings, r.Candidate.Settings)
}

// With returns the review of a save with which something goes; nil is nothing.
func (r Review) With(a *Aside) Review {
	if r.Aside = a; a != nil {
		r.Unchanged, r.OnlyHost = false, false
		r.Commands = append(r.Commands[:len(r.Commands):len(r.Commands)], a.Commands...)
	}
	return r
}

// After is what is to be in force.
func (r Review) After() Standing {
	if r.Candidate == nil {
		return Standing{Alone: r.Alone}
	}
	s := StandingOf(r.Candidate.Path, r.Candidate.New, r.Candidate.WantedService())
	s.Settings, s.Alone, s.Heard = r.Candidate.Settings, r.Alone, r.Heard
	return s
}

// Replaced lists what the operator has to agree to lose.
func (r Review) Replaced() []string {
	if r.Candidate == nil || r.Unchanged {
		return nil
	}
	return r.Candidate.Replaces
}

// Diff is the change of the file, unified; blank when there is none. It holds the
// file's own text: control characters are the reader's to strip.
func (r Review) Diff() string {
	if r.Candidate == nil || r.Unchanged {
		return ""
	}
	return r.Candidate.Diff()
}
