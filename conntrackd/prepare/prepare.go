package prepare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/trust"
)

// ItemID names a setting of an ordinary host that breaks sync; stable, it is in
// the JSON and, where there is a check for it, the check's ID.
type ItemID string

const (
	ItemUnit      ItemID = "unit-recovery"  // the unit stays down after a crash, and starts before its address
	ItemResync    ItemID = "startup-resync" // a started daemon does not send what it holds
	ItemEvents    ItemID = "events-mode"    // the kernel reports no changes of flows that nobody watched at first
	ItemLogrotate ItemID = "logrotate"      // the packaged rule restarts the daemon every week
	ItemRefresh   ItemID = "entry-lifetime" // connections in use expire on the peer
)

// ItemState is how the host stands to an item.
type ItemState string

const (
	ItemInPlace ItemState = "in-place" // nothing to do
	ItemMissing ItemState = "missing"  // a save can set it right
	ItemForeign ItemState = "foreign"  // somebody else's file is in the way; it is left alone
	ItemUnknown ItemState = "unknown"  // it could not be read
)

// Item is one thing about the host, beside the configuration file, that the
// sync needs.
type Item struct {
	ID     ItemID // stable
	Title  string // what a save does about it
	Reason string // what happens without, one sentence
	State  ItemState
	Detail string // what was seen, one sentence; may hold text of files
	Remedy string // of a foreign one: what to do about it; blank where nothing in particular is known
	// Err is why the host's files cannot be spoken of at all, whatever the item; nil where
	// that is not why.
	Err error
	// Commands say in shell words what a save would run or write; blank unless
	// the item is missing.
	Commands []string

	changes []change
}

// Preparation is what the host lacks. The zero value lacks nothing.
type Preparation struct {
	Items []Item // in a fixed order; those that do not apply to the host are left out
}

// Missing returns the items that a save can set right.
func (p Preparation) Missing() []Item {
	var missing []Item
	for _, i := range p.Items {
		if i.State == ItemMissing {
			missing = append(missing, i)
		}
	}
	return missing
}

// Stays is what a save cannot set right, and why.
type Stays struct {
	Items  []ItemID // that have it for the same reason
	State  ItemState
	Detail string
}

// Stays returns what a save cannot set right, each reason once.
func (p Preparation) Stays() []Stays {
	var list []Stays
	for _, i := range p.Items {
		if i.State != ItemForeign && i.State != ItemUnknown {
			continue
		}
		at := slices.IndexFunc(list, func(s Stays) bool { return s.State == i.State && s.Detail == i.Detail })
		if at < 0 {
			at, list = len(list), append(list, Stays{State: i.State, Detail: i.Detail})
		}
		list[at].Items = append(list[at].Items, i.ID)
	}
	return list
}

// String names the items and the reason.
func (s Stays) String() string {
	names := make([]string, len(s.Items))
	for i, id := range s.Items {
		names[i] = string(id)
	}
	return strings.Join(names, ", ") + ": " + s.Detail
}

// Notes are sentences on what becomes of other names of the files that a save changes.
func (p Preparation) Notes() []string {
	var notes []string
	for _, i := range p.Missing() {
		for _, c := range i.changes {
			if names := hostfile.OtherNames(c.path); c.kind == hostfile.ChangeFile && names != "" {
				notes = append(notes, names+".")
			}
		}
	}
	return notes
}

// Item returns the item with the ID, false where it does not apply.
func (p Preparation) Item(id ItemID) (Item, bool) {
	for _, i := range p.Items {
		if i.ID == id {
			return i, true
		}
	}
	return Item{}, false
}

// Preparer finds what the host does against its own sync, sets it right and
// undoes it. What it changes it records under StateDir before the change.
// The caller holds the writer lock of hostfile while it changes anything. Make
// it with [NewPreparer].
type Preparer struct {
	// Service is who runs the daemon. Under [service.Unmanaged] no save prepares
	// anything.
	Service service.Service
	// StateDir keeps the record, in prepared.json.
	StateDir string
	// Refresh is what a save starts beside the daemon.
	Refresh Refresh
	// Mover moves the addresses; nil where nothing is known of it.
	Mover *Mover
	// Accepted are the offers that a save carries out.
	Accepted []ItemID

	root    string // stands before every path; blank is the real one
	run     func(ctx context.Context, name string, args ...string) error
	reload  func(ctx context.Context) error // has systemd read its units again
	effect  func(ctx context.Context) (service.UnitSetup, error)
	process refreshProcess
	ownHost func() (bool, error) // whether the host's files are about our network namespace; ErrOtherHost
}

// Refresh is how connsync refreshes on this host.
type Refresh struct {
	Program    string // connsync's path; blank has nothing started
	RuntimeDir string // of the refresh's lock
	RunBy      string // who runs conntrackd, as --service
}

// NewPreparer returns a preparer of this host. It looks at nothing yet.
func NewPreparer(s service.Service, stateDir string, r Refresh) *Preparer {
	p := &Preparer{Service: s, StateDir: stateDir, Refresh: r, run: runHostProgram, ownHost: ownHost, process: ownRefresh{}}
	if systemd, ok := s.(*service.Systemd); ok {
		p.reload, p.effect = systemd.Reload, systemd.Setup
	}
	return p
}

// Look finds what the host lacks for c, and changes nothing. What it cannot
// look at is an item of its own, so there is no error.
func (p *Preparer) Look(ctx context.Context, c *conntrackd.Candidate) Preparation {
	l := &hostLook{p: p, c: c}
	if l.journal, l.err = p.journal(); l.err == nil {
		l.own, l.err = p.ownHost()
	}
	var items []Item
	if s, ok := p.Service.(*service.Systemd); ok {
		items = append(items, l.unit(ctx, s)...)
	}
	items = append(items, l.events())
	if i, ok := l.logrotate(); ok {
		items = append(items, i)
	}
	if i, ok := l.refresh(); ok {
		items = append(items, i)
	}
	if i, ok := l.hook(ctx); ok {
		items = append(items, i)
	}
	return Preparation{Items: items}
}

// hostLook is one look at the host.
type hostLook struct {
	p       *Preparer
	c       *conntrackd.Candidate
	journal *hostfile.Journal
	own     bool
	err     error // why nothing can be said of files
}

// settle gives the item its state from those of its changes.
func (l *hostLook) settle(i Item) Item {
	if l.err != nil {
		i.State, i.Detail, i.Err = ItemUnknown, l.err.Error(), l.err
		return i
	}
	i.State = ItemInPlace
	var pending []change
	for _, c := range i.changes {
		state, detail := l.p.stateOf(c, l.journal)
		switch {
		case state == ItemInPlace:
			continue
		case state != ItemMissing:
			i.State, i.Detail, i.changes = state, detail, nil
			return i
		}
		if i.State == ItemInPlace && detail != "" && i.Detail == "" {
			i.Detail = detail
		}
		i.State = ItemMissing
		pending = append(pending, c)
		i.Commands = append(i.Commands, c.command())
	}
	i.changes = pending
	return i
}

// ErrOtherHost means that this process is in a PID namespace of its own, so that the
// files it sees are another host's.
var ErrOtherHost = errors.New("the host's files are not prepared from here")

// hostPIDs is the PID namespace of a machine, whose number the kernel fixes
// (PROC_PID_INIT_INO).
const hostPIDs = "pid:[4026531836]"

// otherHost says that the processes seen are not those of the host whose files are
// seen. In a PID namespace they are where its first process boots a system, as in a
// container that runs systemd.
func otherHost(own, first, firstName string) error {
	switch {
	case own != first:
		return fmt.Errorf("%w: this process is in another PID namespace than the /proc that it sees", ErrOtherHost)
	case own != hostPIDs && !slices.Contains([]string{"systemd", "init", "openrc-init", "runit", "s6-svscan", "dinit"}, firstName):
		return fmt.Errorf("%w: this process is in a PID namespace whose first process, %s, is not an init", ErrOtherHost, firstName)
	}
	return nil
}

// ownHost says whether this process is in the network namespace of the
// machine's first process, which is the one that the host's files are for. The error
// is an [ErrOtherHost] or a [conntrackd.ErrCannotLook].
func ownHost() (bool, error) {
	// Where another user's /proc is mounted there may be no process of ours.
	pids, pidsErr := os.Readlink("/proc/self/ns/pid")
	if pidsErr != nil {
		return false, fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, pidsErr)
	}
	name, nameErr := os.ReadFile("/proc/1/comm")
	const firstNamespace = "/proc/1/ns/pid"
	firstPIDs, err := os.Readlink(firstNamespace)
	if err := cmp.Or(err, nameErr); err != nil {
		return false, fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, hostfile.Explain(firstNamespace, err))
	}
	if err := otherHost(pids, firstPIDs, strings.TrimSpace(string(name))); err != nil {
		return false, err
	}
	first, err := os.Readlink("/proc/1/ns/net")
	if err != nil {
		return false, fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, hostfile.Explain(firstNamespace, err))
	}
	own, _, err := service.OwnNamespaces()
	return own == first, err
}

// runHostProgram runs a program of the host to its end.
func runHostProgram(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, service.ProgramTimeout)
	defer cancel()
	cmd := trust.Command(ctx, name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// path is where a path of the host is found.
func (p *Preparer) path(name string) string { return filepath.Join(p.root, name) }

// Preparing is what one save has changed about the host, for its rollback.
type Preparing struct {
	p     *Preparer
	run   *hostfile.Changes
	units bool // systemd has to read its units again
	mover bool // what moves the addresses has to read its configuration again
}

// Prepare carries out what is missing. After an error the caller rolls back.
func (p *Preparer) Prepare(ctx context.Context, items []Item) (*Preparing, error) {
	s := &Preparing{p: p}
	journal, err := p.journal()
	if err != nil {
		return s, err
	}
	s.run = journal.Begin()
	seen := map[string]bool{}
	for _, i := range items {
		for _, c := range i.changes {
			if c.kind == changeReload {
				s.units = true
				continue
			}
			if seen[c.key()] {
				continue
			}
			seen[c.key()] = true
			if err := s.carryOut(ctx, i.ID, c); err != nil {
				return s, fmt.Errorf("%s: %w", i.ID, err)
			}
		}
	}
	if s.units {
		if err := p.reloadUnits(ctx); err != nil {
			return s, err
		}
	}
	if s.mover {
		return s, p.reloadMover(ctx)
	}
	return s, nil
}

// carryOut makes a change, and the journal tells of it first.
func (prep *Preparing) carryOut(ctx context.Context, id ItemID, c change) error {
	wanted := hostfile.Change{Item: string(id), Kind: c.kind, Path: c.path, To: c.to, Unit: c.unit, Content: c.content, Program: c.program, Arguments: c.arguments}
	if c.kind == hostfile.ChangeFile {
		var err error
		if wanted.Read, err = hostfile.Read(prep.p.path(c.path)); err != nil {
			return err
		}
	}
	if c.mover {
		wanted.Read = c.read // another content by now is somebody else's
	}
	prep.units, prep.mover = prep.units || c.unit, prep.mover || c.mover
	return prep.run.Make(ctx, wanted)
}

// RollBack undoes what this save has changed, and checks that it is undone.
func (prep *Preparing) RollBack(ctx context.Context) error {
	if !prep.run.Any() {
		return nil
	}
	return prep.run.RollBack(ctx)
}

// settle has systemd read its units again where one of the entries is of one.
func (p *Preparer) settle(ctx context.Context, back []hostfile.JournalEntry) error {
	if slices.ContainsFunc(back, func(e hostfile.JournalEntry) bool { return e.Unit }) {
		if err := p.reloadUnits(ctx); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(back, func(e hostfile.JournalEntry) bool { return e.Item == string(ItemHook) }) {
		return p.reloadMover(ctx)
	}
	return nil
}

func (p *Preparer) reloadUnits(ctx context.Context) error {
	if p.reload == nil {
		return nil
	}
	if err := p.reload(ctx); err != nil {
		return fmt.Errorf("have systemd read its units again: %w", err)
	}
	return nil
}

// Any says whether there is anything to undo.
func (prep *Preparing) Any() bool { return prep != nil && (prep.run.Any() || prep.units) }
