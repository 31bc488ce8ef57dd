package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/service"
	"connsync/netcheck"
	"connsync/shell"
)

// Saved is what a node found: the settings in force, the file and the service. Its
// methods that return a string give a reason without capital and full stop.
type Saved struct {
	Settings conntrackd.Settings
	// Links are all links of the file that settings can say, in its order, the one of Settings among them.
	Links    []conntrackd.Settings
	Content  []byte           // of the file, nil when there is none
	File     *conntrackd.File // what the content says
	State    service.State
	StateErr error // why the state is not known, nil when it is
	// Warnings are what conntrackd takes for something else than it says.
	Warnings []conntrackd.Diagnostic
	// WhyNoSettings says why there are no settings: no file yet, or one of another
	// kind. Blank when there are.
	WhyNoSettings string
	// NoPrefix says why the prefix length of Current IP is not known, and what to do;
	// blank where it is. The file does not record it, and nothing on this host has it.
	NoPrefix string
}

// HalfEnabled says how the service is neither enabled nor disabled, such as one that
// runs and does not start at boot; blank where it is one of them, or not known.
func (s Saved) HalfEnabled() string {
	if s.StateErr != nil {
		return ""
	}
	return s.State.HalfEnabled()
}

// HalfChoice says what to give for a service that is half enabled.
func (s Saved) HalfChoice() string {
	if s.State.Ended {
		return "give --enable to start it or --disable to keep it off"
	}
	return "give --enable for both or --disable for neither"
}

// ForeignFile says that conntrackd runs with a file that holds no settings of ours,
// for statistics or over another transport, and why; blank where it does not.
func (s Saved) ForeignFile() string {
	if s.StateErr != nil || s.WhyNoSettings == "" || !s.State.Active {
		return ""
	}
	return "conntrackd runs without settings of a UDP sync (" + s.WhyNoSettings + ")"
}

// Crashed says that a sync which nobody has disabled does not run, since its daemon
// was killed or has crashed, and what to do as the operator calls this program; blank where it is not so.
func (s Saved) Crashed(called shell.Program) string {
	if s.WhyNoSettings != "" || !s.State.Killed {
		return ""
	}
	return "conntrackd is not running: it was killed or crashed; " + called.Command("apply") + " starts it"
}

// Load reads the file and the service. An error means that the file cannot be
// worked with and a person has to look at it: a *[BrokenFileError], or that of
// reading it. A service that cannot be asked is no error: see [Saved.StateErr].
func (n *Node) Load(ctx context.Context) (Saved, error) {
	return n.loadWith(ctx, n.Service.State)
}

// LoadForChange is [Node.Load] for what a save keeps where it is not told: a service
// that is on its way to another state is first let get there.
func (n *Node) LoadForChange(ctx context.Context) (Saved, error) {
	return n.loadWith(ctx, func(ctx context.Context) (service.State, error) {
		return service.SettledState(ctx, n.Service)
	})
}

func (n *Node) loadWith(ctx context.Context, read func(context.Context) (service.State, error)) (Saved, error) {
	s := Saved{Settings: conntrackd.Defaults()}
	state, err := read(ctx)
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	s.State, s.StateErr = state, err
	s.Content, err = conntrackd.ReadConfig(n.Config)
	file, diagnostics := conntrackd.Parse(n.Config, s.Content)
	s.File = file
	switch {
	case err != nil:
		return s, err
	case s.Content == nil:
		s.WhyNoSettings = "there is no " + n.Config + " yet"
		return s, nil
	}
	if err := broken(n.Config, diagnostics); err != nil {
		return s, err
	}
	s.Warnings = diagnostics
	settings, err := file.Settings()
	if err != nil {
		s.WhyNoSettings = err.Error()
		s.Settings = n.withPrefixes(ctx, settings) // what a link of another transport states stays
		return s, nil
	}
	settings.Enabled = state.Active && state.Enabled || state.Killed
	s.Settings = ignoredByHand(n.withPrefixes(ctx, settings))
	links, _ := file.EachLink()
	for _, l := range links {
		s.Links = append(s.Links, n.withPrefixes(ctx, l))
	}
	s.NoPrefix = noPrefix(ctx, s.Settings)
	return s, nil
}

// ignoredByHand is s without this host's own addresses among those that are ignored. Where
// they cannot be read, all that the file ignores is as if typed.
func ignoredByHand(s conntrackd.Settings) conntrackd.Settings {
	if s.IgnoreAddresses == "" {
		return s
	}
	var h conntrackd.Host
	own, _ := net.InterfaceAddrs()
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			h.OwnAddresses = append(h.OwnAddresses, p.Addr())
		}
	}
	if s = s.OnHost(h); s.IgnoreAddresses == "" {
		return s
	}
	virtual, _ := virtualAddresses()
	h.OwnAddresses = withGroups(virtual)
	return s.OnHost(h)
}

// Standing is what is in force; nil where the service could not be asked.
func (s Saved) Standing() *apply.Standing {
	if s.StateErr != nil {
		return nil
	}
	running := conntrackd.Running{Active: s.State.Active || s.State.Killed, Enabled: s.State.Enabled || s.State.Killed}
	return &apply.Standing{Settings: s.Settings, Running: running, OtherLink: s.File.OtherLink()}
}

// BrokenFileError says that conntrackd itself would not read the file. Its text
// names every place, with line and column.
type BrokenFileError struct {
	path   string
	errors []conntrackd.Diagnostic
}

// broken returns a *[BrokenFileError] when one of the diagnostics is an error.
func broken(path string, diagnostics []conntrackd.Diagnostic) error {
	e := &BrokenFileError{path: path}
	for _, d := range diagnostics {
		if d.Severity == conntrackd.SeverityError {
			e.errors = append(e.errors, d)
		}
	}
	if len(e.errors) == 0 {
		return nil
	}
	return e
}

// Error names the file and all that is wrong in it.
func (e *BrokenFileError) Error() string {
	words := make([]string, len(e.errors))
	for i, d := range e.errors {
		words[i] = fmt.Sprintf("%s:%d:%d: %s", e.path, d.Line, d.Column, d.Message)
	}
	return strings.Join(words, "; ") + "; conntrackd cannot read this file, so connsync does not change it: repair it, or move it away and start again"
}

// noPrefix is [Saved.NoPrefix] for settings.
func noPrefix(ctx context.Context, s conntrackd.Settings) string {
	if addr := s.Current.Addr(); s.Current.Bits() < 0 && addr.IsValid() {
		const give = "or give the address with its prefix length (--current-ip)"
		interfaces, err := netcheck.Interfaces(ctx)
		switch {
		case err != nil:
			return fmt.Sprintf("the prefix length of %s is unknown, because the interfaces could not be read: %v", addr, err)
		case !slices.ContainsFunc(interfaces, func(i netcheck.Interface) bool { return i.Name == s.Interface }):
			return fmt.Sprintf("interface %s no longer exists, and the file does not record the prefix length of %s: restore the interface, %s", s.Interface, addr, give)
		}
		return fmt.Sprintf("%s is not on %s any more, and the file does not record its prefix length: restore it (ip address add %s dev %s), %s",
			addr, s.Interface, withUsualLengths(s).Current, s.Interface, give)
	}
	return ""
}

// withUsualLengths gives addresses whose prefix length is not known the one that
// most have.
func withUsualLengths(s conntrackd.Settings) conntrackd.Settings {
	for _, p := range []*netip.Prefix{&s.Current, &s.Peer} {
		if a := p.Addr(); a.IsValid() && p.Bits() < 0 {
			*p = netip.PrefixFrom(a, map[bool]int{true: 24, false: 64}[a.Is4()])
		}
	}
	return s
}

// withPrefixes fills in prefix lengths that the file does not record, from the
// interface's addresses.
func (n *Node) withPrefixes(ctx context.Context, s conntrackd.Settings) conntrackd.Settings {
	known := func(l conntrackd.Settings) bool { return l.Current.Bits() >= 0 && l.Peer.Bits() >= 0 }
	links := s.Links()
	if !slices.ContainsFunc(links, func(l conntrackd.Settings) bool { return !known(l) }) {
		return s
	}
	interfaces, err := netcheck.Interfaces(ctx)
	if err != nil {
		return s // the lengths stay unknown, and the form asks for them
	}
	spares := s.Spares()
	for i := range spares {
		spares[i] = linkWithPrefixes(interfaces, spares[i])
	}
	return linkWithPrefixes(interfaces, s).WithSpares(spares)
}

func linkWithPrefixes(interfaces []netcheck.Interface, s conntrackd.Settings) conntrackd.Settings {
	if s.Current.Bits() < 0 {
		s.Current = prefixOf(interfaces, s.Interface, s.Current)
	}
	if s.Peer.Bits() < 0 && s.Current.Bits() >= 0 {
		s.Peer = netip.PrefixFrom(s.Peer.Addr(), s.Current.Bits())
	}
	return s
}

func prefixOf(interfaces []netcheck.Interface, name string, current netip.Prefix) netip.Prefix {
	for _, i := range interfaces {
		if i.Name != name {
			continue
		}
		for _, a := range i.Addresses {
			if a.Addr() == current.Addr().WithZone("") {
				return netip.PrefixFrom(current.Addr(), a.Bits())
			}
		}
	}
	return current
}

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
