package main

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/tui"
)

// node is this host as the commands and the screens use it: the configuration
// file, the service and the network, joined.
type node struct {
	options
	service conntrackd.Service
}

// options say where a node keeps what, and how it is run.
type options struct {
	config      string // conntrackd's configuration file
	service     string // one of [conntrackd.ServiceChoices]
	runtimeDir  string // of lock and socket files
	stateDir    string // of the history and of what was changed about the host
	application string // what this appliance is, over what its file says; blank where not given
}

// findNode finds the service; it reads nothing else. Paths may be relative.
func findNode(ctx context.Context, o options) (*node, error) {
	// The daemon is started from another directory.
	for _, path := range []*string{&o.config, &o.runtimeDir, &o.stateDir} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = absolute
	}
	service, err := conntrackd.FindService(ctx, o.service, &conntrackd.Direct{Config: o.config})
	if err != nil {
		return nil, err
	}
	return &node{options: o, service: service}, nil
}

// inRuntimeDir is where a daemon whose file names no lock and socket gets them:
// where the distribution's package has them, unless --runtime-dir says
// otherwise.
func (o options) inRuntimeDir(name, packaged string) string {
	if o.runtimeDir == defaultRuntimeDir {
		return packaged
	}
	return filepath.Join(o.runtimeDir, name)
}

// saved are the settings in force.
type saved struct {
	settings conntrackd.Settings
	content  []byte           // of the file, nil when there is none
	file     *conntrackd.File // what the content says
	state    conntrackd.ServiceState
	unseen   error // why the state is not known, nil when it is
	// warnings are what conntrackd takes for something else than it says.
	warnings []conntrackd.Diagnostic
	// none says why there are no settings: no file yet, or one of another
	// kind. Blank when there are.
	none string
}

// half says how the service is neither enabled nor disabled; blank where it is
// one of them, or not known.
func (s saved) half() string {
	if s.unseen != nil {
		return ""
	}
	return s.state.Half()
}

// foreign says that conntrackd runs with a file that holds no settings of ours,
// for statistics or over another transport, and why; blank where it does not.
func (s saved) foreign() string {
	if s.unseen != nil || s.none == "" || !s.state.Active {
		return ""
	}
	return "conntrackd runs without settings of a UDP sync (" + s.none + ")"
}

// dead says that a sync which nobody has disabled does not run, and what to
// do; blank where it is not so.
func (s saved) dead() string {
	if s.none != "" || !s.state.Killed {
		return ""
	}
	return "conntrackd was killed or crashed and does not run; connsync apply starts it"
}

// load reads the file and the service. An error means that the file cannot be
// worked with and a person has to look at it.
func (n *node) load(ctx context.Context) (saved, error) {
	return n.loadWith(ctx, n.service.State)
}

// loadForChange is load for what a save keeps where it is not told: a service
// that is on its way to another state is first let get there.
func (n *node) loadForChange(ctx context.Context) (saved, error) {
	return n.loadWith(ctx, func(ctx context.Context) (conntrackd.ServiceState, error) {
		return conntrackd.SettledState(ctx, n.service)
	})
}

func (n *node) loadWith(ctx context.Context, read func(context.Context) (conntrackd.ServiceState, error)) (saved, error) {
	s := saved{settings: conntrackd.Defaults()}
	state, err := read(ctx)
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	s.state, s.unseen = state, err
	s.content, err = conntrackd.ReadConfig(n.config)
	file, diagnostics := conntrackd.Parse(n.config, s.content)
	s.file = file
	switch {
	case err != nil:
		return s, err
	case s.content == nil:
		s.none = "there is no " + n.config + " yet"
		return s, nil
	}
	if err := broken(n.config, diagnostics); err != nil {
		return s, err
	}
	s.warnings = diagnostics
	settings, err := file.Settings()
	if err != nil {
		s.none = err.Error()
		return s, nil
	}
	settings.Enabled = state.Active && state.Enabled || state.Killed
	s.settings = n.withPrefixes(ctx, settings)
	return s, nil
}

// brokenFileError says that conntrackd itself would not read the file.
type brokenFileError struct {
	path   string
	errors []conntrackd.Diagnostic
}

// broken returns a *brokenFileError when one of the diagnostics is an error.
func broken(path string, diagnostics []conntrackd.Diagnostic) error {
	e := &brokenFileError{path: path}
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

func (e *brokenFileError) Error() string {
	words := make([]string, len(e.errors))
	for i, d := range e.errors {
		words[i] = fmt.Sprintf("%s:%d:%d: %s", e.path, d.Line, d.Column, d.Message)
	}
	return strings.Join(words, "; ") + "; conntrackd cannot read this file, so it is left alone: mend it, or move it away and start anew"
}

// withPrefixes fills in prefix lengths that the file does not record, from the
// interface's addresses.
func (n *node) withPrefixes(ctx context.Context, s conntrackd.Settings) conntrackd.Settings {
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
func (n *node) host(ctx context.Context, s saved) (conntrackd.Host, error) {
	h, err := conntrackd.ReadHost()
	if err != nil {
		return h, err
	}
	h.LockFile = n.inRuntimeDir("conntrackd.lock", conntrackd.DefaultLockFile)
	h.SocketPath = n.inRuntimeDir("conntrackd.ctl", conntrackd.DefaultSocketPath)
	h.UnitNotify = s.state.Notify
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
func (n *node) candidate(ctx context.Context, s saved, settings conntrackd.Settings) (*conntrackd.Candidate, error) {
	before := s.settings
	if before.Enabled = false; settings == before {
		return &conntrackd.Candidate{Path: n.config, Settings: settings, Old: s.content, New: s.content}, nil
	}
	h, err := n.host(ctx, s)
	if err != nil {
		return nil, err
	}
	virtual, unseen := virtualAddresses()
	h.OwnAddresses = append(h.OwnAddresses, virtual...)
	c, err := conntrackd.NewCandidate(n.config, settings, h)
	if err == nil && unseen != nil {
		c.Notes = append(c.Notes, "keepalived's virtual addresses may be missing from the addresses that are not replicated, since its configuration could not be read: "+unseen.Error())
	}
	return c, err
}

// applier carries out a reviewed change on this host.
func (n *node) applier(r tui.Review) *conntrackd.Applier {
	a := &conntrackd.Applier{
		Service: n.service, StateDir: n.stateDir, RuntimeDir: n.runtimeDir, By: actor(), FirstNode: r.FirstNode, Listen: heard,
	}
	if r.PrepareHost {
		a.Preparer = n.preparer()
	}
	return a
}

// observer looks at the daemon that runs with the file in force.
func (n *node) observer(s saved) *conntrackd.Observer {
	socket := s.file.ControlSocket()
	if socket == "" {
		socket = n.inRuntimeDir("conntrackd.ctl", conntrackd.DefaultSocketPath)
	}
	return &conntrackd.Observer{
		Service: n.service, Client: conntrackd.NewClient(socket), Settings: s.settings,
		Mode: s.file.Mode(), Listen: heard, MayAsk: n.mayAsk,
	}
}

// heard listens on the sync link, before this host's firewall.
func heard(ctx context.Context, s conntrackd.Settings) (<-chan conntrackd.Overheard, error) {
	datagrams, err := netcheck.ListenSync(ctx, s.Interface, s.Peer.Addr(), s.Port)
	if err != nil {
		return nil, err
	}
	packets := make(chan conntrackd.Overheard)
	go func() {
		defer close(packets)
		for d := range datagrams {
			select {
			case packets <- conntrackd.Overheard{Own: d.Own, Refused: d.Refused, Port: d.Port, Payload: d.Payload}:
			case <-ctx.Done():
			}
		}
	}()
	return packets, nil
}

const (
	defaultConfig     = "/etc/conntrackd/conntrackd.conf"
	defaultRuntimeDir = "/run/connsync"
	defaultStateDir   = "/var/lib/connsync"
)
