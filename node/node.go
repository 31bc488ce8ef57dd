package node

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/control"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
	"connsync/netcheck"
	"connsync/netcheck/firewall"
)

// Node is this host as the commands and the screens use it: the configuration
// file, the service and the network, joined.
type Node struct {
	Options
	Service service.Service // who runs the daemon; never nil after [Find]
	// ParseCommand reads the arguments of a command line of this program without
	// running it; the error is what it would be refused for.
	ParseCommand func(arguments []string) (Command, error)
	// ConfigWhy says why this is the configuration file, where a service was asked for
	// it; blank where it was given, or is the default. Unread says that the service
	// starts the daemon with another one, so that nothing reads this one.
	ConfigWhy, Unread string
}

// Options say where a node keeps what, and how it is run.
type Options struct {
	Config      string // conntrackd's configuration file
	ConfigGiven bool   // it was named by the operator; else the service is asked
	RunBy       string // one of [service.Choices]
	RuntimeDir  string // of lock and socket files
	StateDir    string // of the history and of what was changed about the host
	Application string // what this appliance is, over what its file says; blank where not given
	Program     string // path of this program; blank where it cannot be started again
}

// Find finds the service; it reads nothing else. Paths may be relative. An error is
// about [Options.RunBy] or the working directory.
func Find(ctx context.Context, o Options) (*Node, error) {
	// The daemon is started from another directory.
	for _, path := range []*string{&o.Config, &o.RuntimeDir, &o.StateDir} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = absolute
	}
	found, err := service.Find(ctx, o.RunBy, &service.Direct{Config: o.Config})
	if err != nil {
		return nil, err
	}
	n := &Node{Options: o, Service: found}
	if s, ok := found.(*service.Systemd); ok {
		n.askForConfig(ctx, s)
	}
	return n, nil
}

// askForConfig takes the file from the unit that starts the daemon. One that cannot
// be asked is the checks' to tell.
func (n *Node) askForConfig(ctx context.Context, s *service.Systemd) {
	config, why, err := s.Config(ctx)
	switch {
	case err != nil || config == "" || service.SameFile(config, n.Config):
	case n.ConfigGiven:
		n.Unread = fmt.Sprintf("nothing reads %s; conntrackd's file is %s, since %s", n.Config, config, why)
	default:
		n.Config, n.ConfigWhy = config, why
	}
}

// ReadOnly says why this user can save nothing here, and what to do; blank where a
// save can be tried.
func (o Options) ReadOnly() string {
	if os.Geteuid() == 0 {
		return ""
	}
	for _, dir := range []string{filepath.Dir(o.Config), o.RuntimeDir, o.StateDir} {
		for !isDir(dir) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
		}
		if unix.Access(dir, unix.W_OK) != nil {
			return "connsync does not run as root and cannot write to " + dir + ": the settings can be read, not saved. Leave, and run: sudo connsync"
		}
	}
	return ""
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// InRuntimeDir is where a daemon whose file names no lock and socket gets them:
// where the distribution's package has them, unless --runtime-dir says
// otherwise.
func (o Options) InRuntimeDir(name, packaged string) string {
	if o.RuntimeDir == DefaultRuntimeDir {
		return packaged
	}
	return filepath.Join(o.RuntimeDir, name)
}

// ControlSocket is the control socket of a daemon whose file names none.
func (o Options) ControlSocket() string {
	return o.InRuntimeDir("conntrackd.ctl", conntrackd.DefaultSocketPath)
}

// Saved is what a node found: the settings in force, the file and the service. Its
// methods that return a string give a reason without capital and full stop.
type Saved struct {
	Settings conntrackd.Settings
	// Links are all UDP links of the file in its order, the one of Settings among them.
	Links    []conntrackd.Settings
	Spares   []conntrackd.Settings // see [conntrackd.File.Spares]
	Content  []byte                // of the file, nil when there is none
	File     *conntrackd.File      // what the content says
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

// Spare is a spare link as JSON has it; it is stable.
type Spare struct {
	Interface string     `json:"interface"`
	Current   netip.Addr `json:"current_ip"`
	Peer      netip.Addr `json:"peer_ip"`
	Port      uint16     `json:"port"`
}

// SpareLinks are the spare links for JSON.
func (s Saved) SpareLinks() []Spare {
	var links []Spare
	for _, l := range s.Spares {
		links = append(links, Spare{l.Interface, l.Current.Addr(), l.Peer.Addr(), l.Port})
	}
	return links
}

// HalfEnabled says how the service is neither enabled nor disabled, such as one that
// runs and does not start at boot; blank where it is one of them, or not known.
func (s Saved) HalfEnabled() string {
	if s.StateErr != nil {
		return ""
	}
	return s.State.HalfEnabled()
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
// was killed or has crashed, and what to do; blank where it is not so.
func (s Saved) Crashed() string {
	if s.WhyNoSettings != "" || !s.State.Killed {
		return ""
	}
	return "conntrackd was killed or crashed and does not run; connsync apply starts it"
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
	s.Settings = n.withPrefixes(ctx, settings)
	links, _ := file.EachLink()
	for _, l := range links {
		s.Links = append(s.Links, n.withPrefixes(ctx, l))
	}
	s.Spares = file.Spares()
	s.NoPrefix = noPrefix(ctx, s.Settings)
	return s, nil
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
	return strings.Join(words, "; ") + "; conntrackd cannot read this file, so it is left alone: mend it, or move it away and start anew"
}

// noPrefix is [Saved.NoPrefix] for settings.
func noPrefix(ctx context.Context, s conntrackd.Settings) string {
	if addr := s.Current.Addr(); s.Current.Bits() < 0 && addr.IsValid() {
		const give = "or give the address with its prefix length (--current-ip)"
		interfaces, err := netcheck.Interfaces(ctx)
		switch {
		case err != nil:
			return fmt.Sprintf("the prefix length of %s is not known, for the interfaces could not be read: %v", addr, err)
		case !slices.ContainsFunc(interfaces, func(i netcheck.Interface) bool { return i.Name == s.Interface }):
			return fmt.Sprintf("there is no interface %s any more, and the file does not record the prefix length of %s: bring the interface back, %s", s.Interface, addr, give)
		}
		return fmt.Sprintf("%s is not on %s any more, and the file does not record its prefix length: put it back (ip address add %s dev %s), %s",
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
	if s.Current.Bits() >= 0 && s.Peer.Bits() >= 0 {
		return s
	}
	if s.Current.Bits() < 0 {
		interfaces, err := netcheck.Interfaces(ctx)
		if err != nil {
			return s // the length stays unknown, and the form asks for it
		}
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

// host gathers what a new file is computed from.
func (n *Node) host(ctx context.Context, s Saved) (conntrackd.Host, error) {
	h, err := conntrackd.ReadHost()
	if err != nil {
		return h, err
	}
	h.LockFile = n.InRuntimeDir("conntrackd.lock", conntrackd.DefaultLockFile)
	h.SocketPath = n.ControlSocket()
	if n.RuntimeDir == DefaultRuntimeDir {
		// A service that cannot be asked has the packages' names.
		d, _ := service.DirectoriesOf(ctx, n.Service)
		h.LockFile, h.SocketPath = cmp.Or(d.LockFile(), h.LockFile), cmp.Or(d.Socket(), h.SocketPath)
	}
	h.UnitNotify = s.State.Notify
	interfaces, err := netcheck.Interfaces(ctx)
	if err != nil {
		return h, err
	}
	for _, i := range interfaces {
		for _, a := range i.Addresses {
			if !a.Addr().IsLinkLocalUnicast() {
				h.OwnAddresses = append(h.OwnAddresses, a.Addr())
			}
		}
	}
	return h, nil
}

// candidate is the file as it would be with the settings. Disabling alone keeps
// it as it is.
func (n *Node) candidate(ctx context.Context, s Saved, settings conntrackd.Settings) (*conntrackd.Candidate, error) {
	before := s.Settings
	if before.Enabled = false; settings == before {
		return &conntrackd.Candidate{Path: n.Config, Settings: settings, Old: s.Content, New: s.Content}, nil
	}
	h, err := n.host(ctx, s)
	if err != nil {
		return nil, err
	}
	virtual, unseen := virtualAddresses()
	h.OwnAddresses = append(h.OwnAddresses, virtual...)
	var unread error
	h.Helpers, unread = firewall.Helpers(ctx)
	c, err := conntrackd.NewCandidate(n.Config, settings, h)
	if err == nil && unread != nil {
		c.Notes = append(c.Notes, "Helpers may be missing from those whose expectations are synchronised: "+unread.Error())
	}
	if err == nil && unseen != nil {
		c.Notes = append(c.Notes, "keepalived's virtual addresses may be missing from the addresses that are not replicated, since its configuration could not be read: "+unseen.Error())
	}
	return c, err
}

// Applier carries out a reviewed change on this host, as the user who runs this
// program.
func (n *Node) Applier(r apply.Review) *apply.Applier {
	a := &apply.Applier{
		Service: n.Service, StateDir: n.StateDir, RuntimeDir: n.RuntimeDir, By: actor(), FirstNode: r.FirstNode, Listen: heard, Coverage: n.looker,
	}
	if r.PrepareHost {
		a.Preparer = n.Preparer()
		a.Preparer.Accepted = r.Accepted
	}
	return a
}

// Observer looks at the daemon that runs with the file in force. It is not started.
func (n *Node) Observer(s Saved) *health.Observer {
	socket := s.File.ControlSocket()
	if socket == "" {
		socket = n.ControlSocket()
	}
	client := control.NewClient(socket)
	return &health.Observer{
		Service: n.Service, Config: n.Config, Client: client, Settings: s.Settings, Links: s.Links, KeepsOut: n.keepsOut(s.Settings),
		Mode: s.File.Mode(), Listen: heard, Asked: n.asked, MayAsk: n.mayAsk, Coverage: n.looker(client, s.File),
	}
}

// keepsOut says whether this node's rules keep everybody but the peers from the ports.
func (n *Node) keepsOut(s conntrackd.Settings) func(context.Context) bool {
	return func(ctx context.Context) bool {
		rules, err := firewall.Read(ctx, n.FlowOf(ctx, s))
		return err == nil && rules.KeepsOut()
	}
}

// heard listens to the sync, before this host's firewall.
func heard(ctx context.Context, links []conntrackd.Settings) (<-chan health.Overheard, error) {
	var flows []firewall.Flow
	for _, s := range links {
		flows = append(flows, flowOf(s))
	}
	datagrams, err := netcheck.ListenSync(ctx, flows...)
	if err != nil {
		return nil, err
	}
	packets := make(chan health.Overheard)
	go func() {
		defer close(packets)
		for d := range datagrams {
			p := health.Overheard{
				Own: d.Own, Refused: d.Refused, From: d.From, To: d.To, SourcePort: d.SourcePort, Port: d.Port,
				Device: d.Device, Hardware: d.Hardware, Payload: d.Payload,
			}
			select {
			case packets <- p:
			case <-ctx.Done():
			}
		}
	}()
	return packets, nil
}

// Where the distributions and the packages of connsync keep the files; see [Options].
const (
	DefaultConfig     = "/etc/conntrackd/conntrackd.conf"
	DefaultRuntimeDir = "/run/connsync"
	DefaultStateDir   = "/var/lib/connsync"
)
