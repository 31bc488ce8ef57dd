// Package keepalived reads what a keepalived.conf says of virtual addresses and
// of the scripts that keepalived calls when they move, and what it would say with
// more lines. It writes nothing and knows nothing of what the scripts do.
//
// The source is keepalived.conf(5) of 2.2.7, and what that version was seen to
// do.
package keepalived

import (
	"cmp"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"
)

// defaultConfig is the file that keepalived reads without -f.
const defaultConfig = "/etc/keepalived/keepalived.conf"

// Config is what keepalived was told about virtual routers.
type Config struct {
	// Files are the main file and the ones it includes, in the order of reading.
	Files []string
	// ScriptUser is the user of scripts that name none; blank means that
	// keepalived takes its own default, see [Config.User].
	ScriptUser string
	// ScriptSecurity says that scripts of root which others may change are not
	// run (enable_script_security).
	ScriptSecurity bool
	// Fifo says that changes of state are told through a pipe too, whose reader is not
	// looked at (notify_fifo, vrrp_notify_fifo).
	Fifo bool
	// Habits are those that it was read with.
	Habits     Habits
	GlobalLine int // where the first global_defs begins; zero where there is none
	Groups     []Group
	Instances  []Instance
	// Unread says what could not be followed, such as an included file that
	// only root can read. Each is a sentence. An include that matches no file
	// is none of it: keepalived reads nothing there either.
	Unread []string
}

// Group is a vrrp_sync_group: its instances change state together.
type Group struct {
	Name      string
	Line      int // where it begins, in its file
	Instances []string
	Scripts   Scripts
}

// Instance is a vrrp_instance.
type Instance struct {
	Name         string
	Line         int // where it begins, in its file
	Interface    string
	State        string // MASTER or BACKUP as configured, blank where it is not
	NoPreempt    bool
	PreemptDelay time.Duration
	// Addresses are the virtual ones, those excluded from the adverts included.
	Addresses []netip.Prefix
	Scripts   Scripts
}

// Event is what a script is called at.
type Event string

// The events that are read (keepalived.conf(5)).
const (
	NotifyMaster Event = "notify_master" // it has the addresses now
	NotifyBackup Event = "notify_backup" // another node has them
	NotifyFault  Event = "notify_fault"  // it cannot have them, such as with its link down
	NotifyStop   Event = "notify_stop"   // keepalived ends
	// Notify is called at every change, after the others, with four more
	// arguments: INSTANCE or GROUP, its name, the state, the priority.
	Notify Event = "notify"
)

// read says that the event is one of those.
func (e Event) read() bool {
	switch e {
	case NotifyMaster, NotifyBackup, NotifyFault, NotifyStop, Notify:
		return true
	default:
		return false
	}
}

// Scripts are those of a group or an instance, by event. Of two for the same
// event the first counts: keepalived says so and ignores the second.
type Scripts map[Event]Script

// Script is a command that keepalived runs, without a shell.
type Script struct {
	Program   string // a path
	Arguments []string
	User      string // blank: the Config's
	Group     string // blank: the user's
	File      string
	Line      int
}

// Addresses are the virtual addresses of all instances, each once.
func (c *Config) Addresses() []netip.Addr {
	seen := map[netip.Addr]bool{}
	var all []netip.Addr
	for _, i := range c.Instances {
		for _, p := range i.Addresses {
			if a := p.Addr(); !seen[a] {
				seen[a] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// CallsOnly says that no other program than one of this name is told of changes of state.
func (c *Config) CallsOnly(name string) bool {
	all := make([]Scripts, 0, len(c.Groups)+len(c.Instances))
	for _, g := range c.Groups {
		all = append(all, g.Scripts)
	}
	for _, i := range c.Instances {
		all = append(all, i.Scripts)
	}
	for _, scripts := range all {
		for _, s := range scripts {
			if filepath.Base(s.Program) != name {
				return false
			}
		}
	}
	return !c.Fifo
}

// GroupOf returns the group that has an instance, nil where none has.
func (c *Config) GroupOf(instance string) *Group {
	for i := range c.Groups {
		for _, name := range c.Groups[i].Instances {
			if name == instance {
				return &c.Groups[i]
			}
		}
	}
	return nil
}

// fallbackUser runs the scripts that name no user, where there is one of this
// name; else it is root.
const fallbackUser = "keepalived_script"

// User returns who runs a script; blank where keepalived ignores it, for want of a
// user: with enable_script_security it does not fall back on root. exists tells
// whether the host has a user; its error is User's.
func (c *Config) User(s Script, exists func(string) (bool, error)) (string, error) {
	switch {
	case s.User != "":
		return s.User, nil
	case c.ScriptUser != "":
		return c.ScriptUser, nil
	}
	found, err := exists(fallbackUser)
	switch {
	case err != nil || found:
		return fallbackUser, err
	case c.ScriptSecurity:
		return "", nil
	}
	return "root", nil
}

// build reads the blocks of a file.
func (c *Config) build(blocks []*block) {
	for _, b := range blocks {
		switch b.word(0) {
		case "global_defs":
			c.global(b)
		case "vrrp_sync_group":
			c.Groups = append(c.Groups, newGroup(b))
		case "vrrp_instance":
			c.Instances = append(c.Instances, newInstance(b))
		}
	}
}

func (c *Config) global(b *block) {
	c.GlobalLine = cmp.Or(c.GlobalLine, b.line)
	for _, d := range b.inner {
		switch d.word(0) {
		case "script_user":
			c.ScriptUser = d.word(1)
		case "enable_script_security":
			c.ScriptSecurity = true
		case "notify_fifo", "vrrp_notify_fifo":
			c.Fifo = true
		}
	}
}

func newGroup(b *block) Group {
	g := Group{Name: b.word(1), Line: b.line, Scripts: newScripts(b)}
	for _, d := range b.inner {
		if d.word(0) == "group" {
			for _, name := range d.inner {
				g.Instances = append(g.Instances, name.words...)
			}
		}
	}
	return g
}

func newInstance(b *block) Instance {
	i := Instance{Name: b.word(1), Line: b.line, Scripts: newScripts(b)}
	for _, d := range b.inner {
		switch d.word(0) {
		case "interface":
			i.Interface = d.word(1)
		case "state":
			i.State = d.word(1)
		case "nopreempt":
			i.NoPreempt = true
		case "preempt_delay":
			if seconds, err := strconv.ParseFloat(d.word(1), 64); err == nil {
				i.PreemptDelay = time.Duration(seconds * float64(time.Second))
			}
		case "virtual_ipaddress", "virtual_ipaddress_excluded":
			for _, line := range d.inner {
				if p, ok := address(line.word(0)); ok {
					i.Addresses = append(i.Addresses, p)
				}
			}
		}
	}
	return i
}

// address reads an address with or without a prefix length; without one it is
// a single address.
func address(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func newScripts(b *block) Scripts {
	s := Scripts{}
	for _, d := range b.inner {
		e := Event(d.word(0))
		if _, twice := s[e]; !twice && d.word(1) != "" && e.read() {
			s[e] = newScript(d)
		}
	}
	return s
}

// newScript splits the command, which is one word of the directive; user and group
// stand behind it, outside its quotes.
func newScript(d *block) Script {
	words := split(d.word(1))
	s := Script{User: d.word(2), Group: d.word(3), File: d.file, Line: d.line}
	if len(words) > 0 {
		s.Program, s.Arguments = words[0], words[1:]
	}
	return s
}
