package health

import (
	"fmt"
	"net/netip"
	"slices"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
)

// Link is one sync link of the file, as the running daemon has it. Its JSON is stable.
type Link struct {
	Interface string     `json:"interface"`
	Current   netip.Addr `json:"current_ip"`
	Peer      netip.Addr `json:"peer_ip"`
	Port      uint16     `json:"port"`
	Default   bool       `json:"default"` // the daemon starts with it
	InUse     bool       `json:"in_use"`  // the daemon sends and receives by it now
	Status    string     `json:"status"`  // RUNNING, DOWN, NO-CARRIER: the daemon's words; blank where it does not say
	Problem   string     `json:"problem"` // why it could not carry the sync; blank for none that is known
}

// links are all of the file, Settings among them.
func (o *Observer) links() []conntrackd.Settings {
	i := slices.IndexFunc(o.Links, o.isStandard)
	if i < 0 {
		return []conntrackd.Settings{o.Settings}
	}
	links := slices.Clone(o.Links)
	links[i] = o.Settings // which may know more than the file, such as a prefix length
	return links
}

// place is the one with which the daemon starts.
func (o *Observer) place() int { return max(slices.IndexFunc(o.links(), o.isStandard), 0) }

func (o *Observer) isStandard(s conntrackd.Settings) bool {
	return s.Interface == o.Settings.Interface && s.Current.Addr() == o.Settings.Current.Addr() && s.Port == o.Settings.Port
}

// linkInUse is the place of the link that the daemon uses. It names its links in
// the file's order; one that runs with another file is taken for using the default.
func linkInUse(links []conntrackd.Settings, standard int, stats []control.LinkStats) int {
	if !sameLinks(links, stats) {
		return standard
	}
	if i := slices.IndexFunc(stats, func(l control.LinkStats) bool { return l.Active }); i >= 0 {
		return i
	}
	return standard
}

func sameLinks(links []conntrackd.Settings, stats []control.LinkStats) bool {
	return slices.EqualFunc(links, stats, func(s conntrackd.Settings, l control.LinkStats) bool { return s.Interface == l.Device })
}

// stateOfLinks looks at each link of the file.
func (o *Observer) stateOfLinks(inUse int, stats []control.LinkStats) []Link {
	links, standard := o.links(), o.place()
	known := sameLinks(links, stats)
	var all []Link
	for i, s := range links {
		l := Link{Interface: s.Interface, Current: s.Current.Addr(), Peer: s.Peer.Addr(), Port: s.Port, Default: i == standard, InUse: i == inUse}
		if known {
			l.Status = stats[i].Status
		}
		l.Problem = linkProblem(s, l.Status)
		all = append(all, l)
	}
	return all
}

// linkProblem is why a link could not carry the sync, as far as this node can see
// without a message on it: the daemon sends by the link in use alone.
func linkProblem(s conntrackd.Settings, status string) string {
	interfaceGone, addressGone := goneFromHere(s)
	switch {
	case interfaceGone:
		return fmt.Sprintf("there is no interface %s", s.Interface)
	case status != "" && status != "RUNNING":
		return fmt.Sprintf("%s is %s", s.Interface, status)
	case addressGone:
		return fmt.Sprintf("%s is not on %s", s.Current.Addr(), s.Interface)
	case neighbourOn(s).unresolved:
		return fmt.Sprintf("no host answers for %s on %s", s.Peer.Addr(), s.Interface)
	}
	return ""
}
