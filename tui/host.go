package tui

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/tui/text"
)

// Interfaces watches the interfaces of this host.
type Interfaces interface {
	// Watch sends the whole list at once and again when it has changed, until
	// ctx ends; then the channel is closed.
	Watch(ctx context.Context) (<-chan []netcheck.Interface, error)
}

// Neighbours knows who has been seen on an interface.
type Neighbours interface {
	Neighbours(ctx context.Context, ifindex int) ([]netip.Addr, error)
}

// host is what the form and the picker know of this host, always the newest.
type host struct {
	list  []netcheck.Interface
	known bool  // a list has arrived
	lost  bool  // no list will arrive any more
	err   error // why, where it is known
	run   int
	// seen are the neighbours on the interface with the index seenOn.
	seenOn int
	seen   []netip.Addr
}

type (
	// interfacesWatched: the watch has begun.
	interfacesWatched struct {
		run  int
		list <-chan []netcheck.Interface
	}
	// interfacesListed is a new list.
	interfacesListed struct {
		run  int
		list []netcheck.Interface
		next <-chan []netcheck.Interface
	}
	// interfacesLost: there is no watch, or no more; err is nil when it ended
	// by itself.
	interfacesLost struct {
		run int
		err error
	}
	// neighboursFound answers for the interface with that index.
	neighboursFound struct {
		ifindex int
		seen    []netip.Addr
		err     error
	}
)

// watch starts a watch of the interfaces; an older one is not listened to any
// more.
func (h *host) watch(ctx context.Context, w Interfaces) tea.Cmd {
	if w == nil {
		h.lost = true
		return nil
	}
	h.run++
	h.lost, h.err = false, nil
	run := h.run
	return func() tea.Msg {
		list, err := w.Watch(ctx)
		if err != nil {
			return interfacesLost{run, err}
		}
		return interfacesWatched{run, list}
	}
}

// update takes what a watch brings and asks for the next; taken says whether
// the message belonged to the watch in force.
func (h *host) update(msg tea.Msg) (taken bool, cmd tea.Cmd) {
	switch msg := msg.(type) {
	case interfacesWatched:
		if msg.run == h.run {
			return true, nextList(msg.run, msg.list)
		}
	case interfacesListed:
		if msg.run == h.run {
			h.list, h.known = msg.list, true
			return true, nextList(msg.run, msg.next)
		}
	case interfacesLost:
		if msg.run == h.run {
			h.lost, h.err = true, msg.err
			return true, nil
		}
	case neighboursFound:
		if msg.ifindex == h.seenOn {
			h.seen = msg.seen
			return true, nil
		}
	}
	return false, nil
}

func nextList(run int, from <-chan []netcheck.Interface) tea.Cmd {
	return func() tea.Msg {
		list, ok := <-from
		if !ok {
			return interfacesLost{run: run}
		}
		return interfacesListed{run, list, from}
	}
}

// interfaces are those of this host, as far as they are known.
func (e *env) interfaces() []netcheck.Interface {
	if e.host == nil {
		return nil
	}
	return e.host.list
}

// find returns the interface with that name.
func (h *host) find(name string) (netcheck.Interface, bool) {
	i := slices.IndexFunc(h.list, func(i netcheck.Interface) bool { return i.Name == name })
	if i < 0 || name == "" {
		return netcheck.Interface{}, false
	}
	return h.list[i], true
}

// askNeighbours looks who is on the interface, once for each.
func (h *host) askNeighbours(ctx context.Context, n Neighbours, name string) tea.Cmd {
	i, ok := h.find(name)
	if !ok || n == nil || i.Index == h.seenOn {
		return nil
	}
	h.seenOn, h.seen = i.Index, nil
	return func() tea.Msg {
		seen, err := n.Neighbours(ctx, i.Index)
		return neighboursFound{i.Index, seen, err}
	}
}

// interfaceNote is the short word beside the interface field.
func (h *host) interfaceNote(name string) string {
	i, ok := h.find(name)
	switch {
	case name == "" || !h.known:
		return ""
	case !ok:
		return "not on this host"
	}
	note := text.LinkWord(i)
	if s := text.SpeedWord(i.SpeedMbps); s != "" && i.Carrier {
		note += ", " + s
	}
	switch {
	case i.DefaultRoute:
		return note + ", default route here"
	case i.Carries != "":
		return note + ", carries traffic"
	case i.Master != "":
		return note + ", in " + i.Master
	}
	return note + ", no default route"
}

// carriesTraffic is said of an interface that has the default route.
func carriesTraffic(name string) string {
	return name + " has the default route: it carries production traffic" + chooseDedicated
}

// carriesOther is said of an interface that carries something else than the sync.
func carriesOther(i netcheck.Interface) string { return i.Carries + chooseDedicated }

const chooseDedicated = "; choose a dedicated interface"

// lookAlike is said where none of several interfaces is likelier than the others.
func lookAlike(names []string) string {
	more := ""
	if len(names) > 3 {
		more = fmt.Sprintf(" and %d more", len(names)-3)
		names = names[:3]
	}
	return "None is preselected: " + strings.Join(names, ", ") + more + " look equally likely. Choose the one that leads to the peer."
}

// notOnHost is said of an interface that the host does not have.
func notOnHost(name string) string { return name + " is not on this host" }

// noInterfaceList is said where the host does not tell its interfaces.
const noInterfaceList = "The interfaces of this host cannot be listed"

// cannotBeChosen is said of an interface that cannot be the one of the sync.
func cannotBeChosen(name, why string) string { return name + " cannot be chosen: " + why }

// advice is what the host says against values that are good in themselves:
// one sentence a field. The checks before a save ask the same questions again.
func (h *host) advice(v conntrackd.Values, s conntrackd.Settings) []conntrackd.Problem {
	name := v[conntrackd.FieldInterface]
	i, ok := h.find(name)
	switch {
	case name == "" || !h.known:
		return nil
	case !ok:
		return []conntrackd.Problem{{Field: conntrackd.FieldInterface, Message: notOnHost(name)}}
	}
	var out []conntrackd.Problem
	switch {
	case i.DefaultRoute:
		out = append(out, conntrackd.Problem{Field: conntrackd.FieldInterface, Message: carriesTraffic(i.Name)})
	case i.Carries != "":
		out = append(out, conntrackd.Problem{Field: conntrackd.FieldInterface, Message: carriesOther(i)})
	}
	if s.Current.Addr().IsValid() && !i.Has(s.Current.Addr()) {
		out = append(out, conntrackd.Problem{Field: conntrackd.FieldCurrentIP, Message: fmt.Sprintf("%s is not on %s; %s", v[conntrackd.FieldCurrentIP], i.Name, has(i))})
	}
	return out
}

// has says which addresses an interface has.
func has(i netcheck.Interface) string {
	own := text.OwnAddresses(i)
	switch len(own) {
	case 0:
		return i.Name + " has no address"
	case 1:
		return i.Name + " has " + own[0].String()
	case 2:
		return i.Name + " has " + own[0].String() + " and " + own[1].String()
	}
	return fmt.Sprintf("%s has %s and %d more", i.Name, own[0], len(own)-1)
}
