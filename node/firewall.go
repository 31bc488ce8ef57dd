package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile"
	"connsync/netcheck/firewall"
)

// FirewallChange is what installing or removing connsync's rules would do.
// Carry it out with [FirewallChange.Install] or [FirewallChange.Remove], once, under
// the lock of [Node.LockForWriting].
type FirewallChange struct {
	Action   string             // install or remove
	Files    []hostfile.Change  // those that are needed and those that are not
	Script   string             // for nft; blank where the rules that run stay
	Notes    []string           // what else it takes, in sentences
	Foreign  []firewall.Foreign // why nothing can be installed; nil where it can
	Flow     firewall.Flow      // of an installation
	HostFile string             // from which the host loads its rules; blank where there is none

	journal *hostfile.Journal
	pending bool // a file or the journal is to change
	before  *firewallRecord
}

// Needed says whether there is anything to change.
func (c *FirewallChange) Needed() bool { return c.Script != "" || c.pending }

// LockForWriting keeps other writers out until the function that it returns is
// called; with dryRun nothing is written and nobody is kept out.
func (n *Node) LockForWriting(dryRun bool) (func(), error) {
	if dryRun {
		return func() {}, nil
	}
	lock, err := hostfile.LockWriter(n.RuntimeDir)
	if err != nil {
		return nil, err
	}
	return func() { lock.Close() }, nil
}

// PlanFirewall finds what there is to do so that this node's rules admit flow, and
// tries it apart from the rules that run. file is the one from which the host loads
// its rules; blank is the first of [NftablesFiles] that there is. The error says why
// nothing can be installed here; the change is never nil.
func (n *Node) PlanFirewall(ctx context.Context, file string, flow firewall.Flow) (*FirewallChange, error) {
	c := &FirewallChange{Action: "install", Flow: flow}
	running, err := firewall.Read(ctx, flow)
	if err != nil {
		return c, RulesUnreadable(err)
	}
	if c.Foreign = running.Foreign; len(c.Foreign) > 0 {
		return c, fmt.Errorf("%s is managed by %s, which loads its own rules and would lose connsync's", c.Foreign[0].Chain, c.Foreign[0].Manager)
	}
	var content []byte
	if c.HostFile, content, err = nftablesFile(file); err != nil {
		return c, err
	}
	if c.journal, c.before, err = n.openFirewallJournal(flow); err != nil {
		return c, err
	}
	host := c.before.hostRules(c.HostFile, content)
	loaded, err := firewall.Try(ctx, flow, string(host))
	if err != nil {
		return c, fmt.Errorf("%s could not be loaded for a trial: %w", c.HostFile, err)
	}
	for _, o := range running.Openings {
		if !loaded.Loads(o) {
			return c, fmt.Errorf("the chain %v drops the sync and is not made by %s, so the rules would be lost at the next boot; add the rules that %s prints to the program that makes the chain", o, c.HostFile, n.Called.Command("firewall"))
		}
	}
	rules := []byte(flow.NftFile(loaded.Openings))
	after, err := firewall.Try(ctx, flow, string(host)+"\n"+string(rules))
	if err != nil {
		return c, fmt.Errorf("%s with the rules after it could not be loaded for a trial: %w", c.HostFile, err)
	}
	if !after.InPlace() {
		return c, fmt.Errorf("in a trial the rules did not admit the sync: %s", after.Finding.Detail)
	}
	c.Script = running.Script()
	if err := c.planFiles(content, host, rules); err != nil {
		return c, err
	}
	return c, c.noteBoot(ctx)
}

// planFiles puts the rules before the line that includes them.
func (c *FirewallChange) planFiles(content, host, rules []byte) error {
	own, err := ownRules(rulesFile)
	if err != nil {
		return err
	}
	var made []string // directories
	if dir := filepath.Dir(rulesFile); !fileExists(dir) || c.before != nil && c.before.Directory {
		made = []string{dir}
	}
	c.Files = []hostfile.Change{
		{Kind: hostfile.ChangeFile, Path: rulesFile, Read: own, Content: rules, Before: &hostfile.Before{Directories: made}},
		{Kind: hostfile.ChangeFile, Path: c.HostFile, Read: content, Content: including(host),
			Before: &hostfile.Before{File: &hostfile.FileState{Content: host}}},
	}
	c.noteNames()
	c.pending, err = c.journal.Pending(c.Files...)
	return err
}

// noteNames notes what becomes of the other names of the files that are written.
func (c *FirewallChange) noteNames() {
	for _, f := range c.Files {
		if names := hostfile.OtherNames(f.Path); f.Needed() && f.Content != nil && names != "" {
			c.Notes = append(c.Notes, names)
		}
	}
}

// Install carries the change out. After an error everything is as it was.
func (c *FirewallChange) Install(ctx context.Context) error {
	run := c.journal.Begin()
	err := run.Make(ctx, c.Files...)
	if err == nil {
		err = c.proveFile(ctx)
	}
	if err != nil {
		return rolledBack(err, run.RollBack(ctx))
	}
	if c.Script == "" {
		return nil
	}
	if err := firewall.RunNft(ctx, c.Script); err != nil {
		return rolledBack(err, run.RollBack(ctx))
	}
	now, err := firewall.Read(ctx, c.Flow)
	if err == nil && !now.InPlace() {
		err = fmt.Errorf("the rules are loaded but do not admit the sync: %s", now.Finding.Detail)
	}
	if err == nil {
		return nil
	}
	return rolledBack(err, errors.Join(c.restoreRunning(ctx), run.RollBack(ctx)))
}

// rolledBack says how a failure ended.
func rolledBack(failure, back error) error {
	if back == nil {
		return fmt.Errorf("%w; everything is as it was before", failure)
	}
	return fmt.Errorf("%w; and not all of it could be rolled back: %w", failure, back)
}

// proveFile loads the host's file from scratch, in a namespace of its own, as
// it is on the disk now.
func (c *FirewallChange) proveFile(ctx context.Context) error {
	loaded, err := firewall.TryFile(ctx, c.Flow, c.HostFile, string(slices.Concat(c.Files[0].Content, c.Files[1].Content)))
	switch {
	case err != nil:
		return fmt.Errorf("load %s for a trial: %w", c.HostFile, err)
	case !loaded.InPlace():
		return fmt.Errorf("%s does not admit the sync: %s", c.HostFile, loaded.Finding.Detail)
	}
	return nil
}

// restoreRunning gives the rules that run the state of the last installation.
func (c *FirewallChange) restoreRunning(ctx context.Context) error {
	if c.before == nil {
		return removeRunning(ctx)
	}
	now, err := firewall.Read(ctx, c.before.Target.Flow)
	if err != nil {
		return errors.Join(err, removeRunning(ctx))
	}
	if script := now.Script(); script != "" {
		return firewall.RunNft(ctx, script)
	}
	return nil
}

func removeRunning(ctx context.Context) error {
	now, err := firewall.Installed(ctx)
	if err != nil {
		return err
	}
	script := now.RemoveScript()
	if script == "" {
		return nil
	}
	if err := firewall.RunNft(ctx, script); err != nil {
		return err
	}
	if now, err = firewall.Installed(ctx); err == nil && now.RemoveScript() != "" {
		err = errors.New("some of connsync's rules are still there")
	}
	return err
}

// PlanFirewallRemoval finds connsync's rules, in those that run and
// in the host's file; a blank file is the one of the installation, else the first of
// [NftablesFiles]. The change is never nil, also with an error.
func (n *Node) PlanFirewallRemoval(ctx context.Context, file string) (*FirewallChange, error) {
	c := &FirewallChange{Action: "remove"}
	running, err := firewall.Installed(ctx)
	if err != nil {
		return c, RulesUnreadable(err)
	}
	c.Script = running.RemoveScript()
	if c.journal, c.before, err = n.openFirewallJournal(firewall.Flow{}); err != nil {
		return c, err
	}
	if c.before != nil && file == "" {
		file = c.before.File
	}
	path, content, err := nftablesFile(file)
	var none noFileError
	switch {
	case err == nil:
		c.HostFile = path
		c.Files = append(c.Files, hostfile.Change{Kind: hostfile.ChangeFile, Path: path, Read: content, Content: c.before.hostRules(path, content)})
	case c.before != nil && fileExists(c.before.File), !errors.As(err, &none):
		return c, err
	}
	own, err := ownRules(rulesFile)
	if err != nil {
		return c, err
	}
	c.Files = append(c.Files, hostfile.Change{Kind: hostfile.ChangeFile, Path: rulesFile, Read: own})
	c.noteNames()
	c.pending = c.before != nil || slices.ContainsFunc(c.Files, hostfile.Change.Needed)
	return c, nil
}

// Remove takes the files away first: what fails afterwards is gone at the next
// boot.
func (c *FirewallChange) Remove(ctx context.Context) error {
	run := c.journal.Begin()
	err := run.Put(ctx, c.Files...)
	if err == nil {
		err = run.Forget()
	}
	if err != nil {
		return rolledBack(err, run.RollBack(ctx))
	}
	var left error
	if c.before != nil && c.before.Directory {
		left = removeRulesDirectory()
	}
	if c.Script != "" {
		if err := removeRunning(ctx); err != nil {
			left = errors.Join(left, fmt.Errorf("the running rules could not be removed and stay until the next boot: %w", err))
		}
	}
	if left != nil {
		return fmt.Errorf("the files are as they were before; %w", left)
	}
	return nil
}

// removeRulesDirectory removes the directory that was made for the rules. What
// somebody else has put there since keeps it.
func removeRulesDirectory() error {
	err := os.Remove(filepath.Dir(rulesFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return err
}
