package node

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/netcheck"
	"connsync/netcheck/cthelper"
	"connsync/shell"
)

// Node is this host as the commands and the screens use it: the configuration
// file, the service and the network, joined.
type Node struct {
	Options
	Service service.Service // who runs the daemon; never nil after [Find]
	// ConfigWhy says why this is the configuration file, where a service was asked for
	// it; blank where it was given, or is the default. Unread says that the service
	// starts the daemon with another one, so that nothing reads this one, or only a daemon
	// that is not the service's.
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
	// Called is how the operator calls this program, for the commands that are printed.
	Called shell.Program
	// ParseCommand reads the arguments of a command line of this program without
	// running it; the error is what it would be refused for. Nil knows no command.
	ParseCommand func(arguments []string) (Command, error)
}

// Find finds the service; it reads nothing else. Paths may be relative. An error is
// about [Options.RunBy] or a path.
func Find(ctx context.Context, o Options) (*Node, error) {
	// The daemon is started from another directory.
	if err := hostfile.Absolute(&o.Config, &o.RuntimeDir, &o.StateDir); err != nil {
		return nil, err
	}
	n := &Node{Options: o}
	found, err := service.Find(ctx, o.RunBy, &service.Direct{Config: o.Config, WasEnabled: n.wasEnabled})
	if err != nil {
		return nil, err
	}
	n.Service = found
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
	case n.ConfigGiven && n.readByAnother(config):
	case n.ConfigGiven:
		n.Unread = fmt.Sprintf("nothing reads %s; conntrackd's file is %s, since %s", n.Config, config, why)
	default:
		_ = hostfile.Absolute(&config) // one that is not there is the checks' to tell
		n.Config, n.ConfigWhy = config, why
	}
}

// readByAnother says whether a daemon runs with the file that is not the service's, and sets
// [Node.Unread] then; config is the service's.
func (n *Node) readByAnother(config string) bool {
	d, keeper, ok := service.Reader(n.Config)
	if !ok {
		return false
	}
	by := ""
	if keeper != (service.Keeper{}) {
		by = " of " + keeper.String()
	}
	n.Unread = fmt.Sprintf("%s is the file of conntrackd, process %d%s, which connsync does not restart; the file of %s is %s", n.Config, d.PID, by, service.Called(n.Service), config)
	if keeper.Restart != "" {
		n.Unread += "; what restarts that one is " + keeper.Restart
	}
	return true
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
			return "connsync does not run as root and cannot write to " + dir + ": the settings can be shown but not saved. Quit, and run: sudo " + o.Called.Command()
		}
	}
	return ""
}

// StateInRAM says that a reboot takes the history and the record of what was changed
// about the host, since the state directory is in RAM; blank where it is not, or where
// that is not seen.
func (o Options) StateInRAM() string {
	dir := o.StateDir
	for !isDir(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || int64(fs.Type) != unix.TMPFS_MAGIC && int64(fs.Type) != unix.RAMFS_MAGIC {
		return ""
	}
	return fmt.Sprintf("%s is in RAM, so a reboot deletes the history of saves and what unprepare needs; give a directory on disk with --state-dir", o.StateDir)
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
	h.OwnAddresses = append(h.OwnAddresses, withGroups(virtual)...)
	var unread error
	h.Helpers, unread = cthelper.Names(ctx)
	c, err := conntrackd.NewCandidate(n.Config, settings, h)
	if err == nil && unread != nil {
		c.Notes = append(c.Notes, "Helpers may be missing from those whose expectations are synchronised: "+unread.Error())
	}
	if err == nil && settings.Enabled && n.runtimeDirLost(ctx, c) {
		c.Notes = append(c.Notes, fmt.Sprintf("%s is in RAM, and nothing that connsync sees makes it at boot: conntrackd does not start then. "+
			"Give --runtime-dir a directory on disk, or have the service make it (RuntimeDirectory= of a unit).", n.RuntimeDir))
	}
	if err == nil && unseen != nil {
		c.Notes = append(c.Notes, "keepalived's virtual addresses may be missing from the addresses that are not replicated, since its configuration could not be read: "+unseen.Error())
	}
	return c, err
}

// runtimeDirLost says that a service is to start a daemon at boot whose lock and socket are
// in a runtime directory that is missing then.
func (n *Node) runtimeDirLost(ctx context.Context, c *conntrackd.Candidate) bool {
	switch n.Service.(type) {
	case *service.Direct, service.Unmanaged: // which start nothing at boot
		return false
	}
	f, _ := conntrackd.Parse(c.Path, c.New)
	inIt := slices.ContainsFunc(f.Paths(), func(p conntrackd.NamedPath) bool { return filepath.Dir(p.Path) == n.RuntimeDir })
	d, err := service.DirectoriesOf(ctx, n.Service)
	return err == nil && inIt && d.Lost(n.RuntimeDir)
}

// Applier carries out a reviewed change on this host, as the user who runs this
// program.
func (n *Node) Applier(r apply.Review) *apply.Applier {
	a := &apply.Applier{
		Service: n.Service, StateDir: n.StateDir, RuntimeDir: n.RuntimeDir, By: actor(), FirstNode: r.FirstNode, Listen: heard, Coverage: n.looker, Aside: r.Aside, Called: n.Called,
		Host: n.toldOf,
	}
	if r.PrepareHost {
		a.Preparer = n.Preparer()
		a.Preparer.Accepted = r.Accepted
	}
	return a
}

// Where the distributions and the packages of connsync keep the files; see [Options].
const (
	DefaultConfig     = "/etc/conntrackd/conntrackd.conf"
	DefaultRuntimeDir = "/run/connsync"
	DefaultStateDir   = "/var/lib/connsync"
)
