package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// firewallChange is what --install or --remove would do, and what it did.
type firewallChange struct {
	title   string
	files   []conntrackd.Change
	journal *conntrackd.Journal
	pending bool   // a file or the journal is to change
	script  string // for nft; blank where the rules that run stay
	notes   []string
	foreign []netcheck.Foreign
	target  netcheck.Flow
	conf    string // the host's file
	before  *firewallRecord
}

func (c *firewallChange) needed() bool { return c.script != "" || c.pending }

// lockUnless keeps other writers out, unless nothing is written.
func (n *node) lockUnless(dryRun bool) (func(), error) {
	if dryRun {
		return func() {}, nil
	}
	lock, err := conntrackd.LockWriter(n.runtimeDir)
	if err != nil {
		return nil, err
	}
	return func() { lock.Close() }, nil
}

// planFirewall finds what there is to do and tries it, apart from the rules
// that run. The error says why nothing can be installed here.
func (n *node) planFirewall(ctx context.Context, file string, t netcheck.Flow) (*firewallChange, error) {
	c := &firewallChange{title: "install", target: t}
	running, err := netcheck.ReadFirewall(ctx, t)
	if err != nil {
		return c, unreadable(err)
	}
	if c.foreign = running.Foreign; len(c.foreign) > 0 {
		return c, fmt.Errorf("%s is in the hands of %s, which loads its own rules and would lose connsync's", c.foreign[0].Chain, c.foreign[0].Manager)
	}
	var content []byte
	if c.conf, content, err = nftablesFile(file); err != nil {
		return c, err
	}
	if c.journal, c.before, err = n.openFirewallJournal(t); err != nil {
		return c, err
	}
	host := c.before.hostRules(c.conf, content)
	loaded, err := netcheck.TryFirewall(ctx, t, string(host))
	if err != nil {
		return c, fmt.Errorf("%s could not be loaded for a trial: %w", c.conf, err)
	}
	for _, o := range running.Openings {
		if !loaded.Loads(o) {
			return c, fmt.Errorf("the chain %v drops the sync and is not made by %s, so that the rules would not last over a boot; let whatever makes it load those that connsync firewall prints", o, c.conf)
		}
	}
	rules := []byte(t.FirewallFile(loaded.Openings))
	after, err := netcheck.TryFirewall(ctx, t, string(host)+"\n"+string(rules))
	if err != nil {
		return c, fmt.Errorf("%s with the rules after it could not be loaded for a trial: %w", c.conf, err)
	}
	if !after.InPlace() {
		return c, fmt.Errorf("in a trial the rules did not admit the sync: %s", after.Finding.Detail)
	}
	c.script = running.Script()
	if err := c.planFiles(content, host, rules); err != nil {
		return c, err
	}
	return c, c.noteBoot(ctx)
}

// planFiles puts the rules before the line that includes them.
func (c *firewallChange) planFiles(content, host, rules []byte) error {
	own, err := conntrackd.ReadConfig(rulesFile)
	if err != nil {
		return err
	}
	var made []string // directories
	if dir := filepath.Dir(rulesFile); !fileExists(dir) || c.before != nil && c.before.Directory {
		made = []string{dir}
	}
	c.files = []conntrackd.Change{
		{Kind: conntrackd.ChangeFile, Path: rulesFile, Read: own, Content: rules, Before: &conntrackd.Before{Directories: made}},
		{Kind: conntrackd.ChangeFile, Path: c.conf, Read: content, Content: including(host),
			Before: &conntrackd.Before{File: &conntrackd.FileState{Content: host}}},
	}
	if c.pending, err = c.journal.Pending(c.files...); err != nil {
		return err
	}
	return nil
}

// install carries the change out. After an error everything is as it was.
func (c *firewallChange) install(ctx context.Context) error {
	run := c.journal.Begin()
	err := run.Make(ctx, c.files...)
	if err == nil {
		err = c.proveFile(ctx)
	}
	if err != nil {
		return takenBack(err, run.RollBack(ctx))
	}
	if c.script == "" {
		return nil
	}
	if err := netcheck.RunNft(ctx, c.script); err != nil {
		return takenBack(err, run.RollBack(ctx))
	}
	now, err := netcheck.ReadFirewall(ctx, c.target)
	if err == nil && !now.InPlace() {
		err = fmt.Errorf("the rules run and do not admit the sync: %s", now.Finding.Detail)
	}
	if err == nil {
		return nil
	}
	return takenBack(err, errors.Join(c.restoreRunning(ctx), run.RollBack(ctx)))
}

// takenBack says how a failure ended.
func takenBack(failure, back error) error {
	if back == nil {
		return fmt.Errorf("%w; everything is as it was before", failure)
	}
	return fmt.Errorf("%w; and it could not all be taken back: %w", failure, back)
}

// proveFile loads the host's file from scratch, in a namespace of its own, as
// it is on the disk now.
func (c *firewallChange) proveFile(ctx context.Context) error {
	loaded, err := netcheck.TryFirewallFile(ctx, c.target, c.conf)
	switch {
	case err != nil:
		return fmt.Errorf("load %s for a trial: %w", c.conf, err)
	case !loaded.InPlace():
		return fmt.Errorf("%s does not admit the sync: %s", c.conf, loaded.Finding.Detail)
	}
	return nil
}

// restoreRunning gives the rules that run the state of the last installation.
func (c *firewallChange) restoreRunning(ctx context.Context) error {
	if c.before == nil {
		return removeRunning(ctx)
	}
	now, err := netcheck.ReadFirewall(ctx, c.before.Target.Flow)
	if err != nil {
		return errors.Join(err, removeRunning(ctx))
	}
	if script := now.Script(); script != "" {
		return netcheck.RunNft(ctx, script)
	}
	return nil
}

func removeRunning(ctx context.Context) error {
	now, err := netcheck.InstalledFirewall(ctx)
	if err != nil {
		return err
	}
	script := now.RemoveScript()
	if script == "" {
		return nil
	}
	if err := netcheck.RunNft(ctx, script); err != nil {
		return err
	}
	if now, err = netcheck.InstalledFirewall(ctx); err == nil && now.RemoveScript() != "" {
		err = errors.New("rules of connsync's are still there")
	}
	return err
}

func (n *node) planRemoval(ctx context.Context, file string) (*firewallChange, error) {
	c := &firewallChange{title: "remove"}
	running, err := netcheck.InstalledFirewall(ctx)
	if err != nil {
		return c, unreadable(err)
	}
	c.script = running.RemoveScript()
	if c.journal, c.before, err = n.openFirewallJournal(netcheck.Flow{}); err != nil {
		return c, err
	}
	if c.before != nil && file == "" {
		file = c.before.File
	}
	path, content, err := nftablesFile(file)
	var none noFileError
	switch {
	case err == nil:
		c.conf = path
		c.files = append(c.files, conntrackd.Change{Kind: conntrackd.ChangeFile, Path: path, Read: content, Content: c.before.hostRules(path, content)})
	case c.before != nil && fileExists(c.before.File), !errors.As(err, &none):
		return c, err
	}
	own, err := conntrackd.ReadConfig(rulesFile)
	if err != nil {
		return c, err
	}
	c.files = append(c.files, conntrackd.Change{Kind: conntrackd.ChangeFile, Path: rulesFile, Read: own})
	c.pending = c.before != nil || slices.ContainsFunc(c.files, conntrackd.Change.Needed)
	return c, nil
}

// remove takes the files away first: what fails afterwards is gone at the next
// boot.
func (c *firewallChange) remove(ctx context.Context) error {
	run := c.journal.Begin()
	err := run.Put(ctx, c.files...)
	if err == nil {
		err = run.Forget()
	}
	if err != nil {
		return takenBack(err, run.RollBack(ctx))
	}
	var left error
	if c.before != nil && c.before.Directory {
		left = removeRulesDirectory()
	}
	if c.script != "" {
		if err := removeRunning(ctx); err != nil {
			left = errors.Join(left, fmt.Errorf("the rules that run could not be taken away and last until the next boot: %w", err))
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
