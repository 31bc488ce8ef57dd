package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connsync/conntrackd/failover"
	"connsync/conntrackd/service"
	"connsync/netcheck/check"
	"connsync/netcheck/keepalived"
	"connsync/node/hookscript"
	"connsync/shell"
)

// hook is what there is to judge about the scripts that keepalived calls.
type hook struct {
	mover      *keepalived.Config
	external   bool   // the peer's states are kept in the external cache
	program    string // the command that should be called, without its role
	config     string // conntrackd's configuration file
	parse      func(arguments []string) (Command, error)
	userExists func(string) (bool, error)
	refusal    func(keepalived.Script, string) (string, error)
	read       func(path string) (string, error)
}

// moving is what changes state as one: a sync group, or an instance in none.
type moving struct {
	kind, name string // as in the file: "vrrp_sync_group", "VG"
	scripts    []scripted
}

// scripted are the scripts of a group or an instance, and what keepalived calls it
// behind those of "notify".
type scripted struct {
	kind, name string
	keepalived.Scripts
}

func ofGroup(g keepalived.Group) scripted       { return scripted{"GROUP", g.Name, g.Scripts} }
func ofInstance(i keepalived.Instance) scripted { return scripted{"INSTANCE", i.Name, i.Scripts} }

func (h hook) units() []moving {
	var all []moving
	for _, g := range h.mover.Groups {
		u := moving{kind: "vrrp_sync_group", name: g.Name, scripts: []scripted{ofGroup(g)}}
		for _, i := range h.mover.Instances {
			if slices.Contains(g.Instances, i.Name) {
				u.scripts = append(u.scripts, ofInstance(i))
			}
		}
		all = append(all, u)
	}
	for _, i := range h.mover.Instances {
		if h.mover.GroupOf(i.Name) == nil {
			all = append(all, moving{"vrrp_instance", i.Name, []scripted{ofInstance(i)}})
		}
	}
	return all
}

func (h hook) judge() check.Finding {
	var alone []string
	for _, i := range h.mover.Instances {
		if h.mover.GroupOf(i.Name) == nil {
			alone = append(alone, i.Name)
		}
	}
	if len(alone) > 0 && len(h.mover.Instances) > 1 {
		return check.Finding{
			Status: check.Failed, Detail: fmt.Sprintf("%s can fail over alone, because it is in no vrrp_sync_group: connections then pass through both nodes", strings.Join(alone, ", ")),
			Remedy: h.lines("vrrp_sync_group", "VG", " with all instances in group { }"),
		}
	}
	var names []string
	for _, u := range h.units() {
		if f := h.judgeUnit(u); f.Status != check.Passed {
			return f
		}
		names = append(names, u.name)
	}
	return check.Finding{Status: check.Passed, Detail: "keepalived runs connsync failover as root whenever " + strings.Join(names, ", ") + " becomes master, backup or faulty"}
}

// judgeUnit looks for the script of each role.
func (h hook) judgeUnit(u moving) check.Finding {
	failed := func(format string, args ...any) check.Finding {
		return check.Finding{Status: check.Failed, Detail: fmt.Sprintf(format, args...), Remedy: h.lines(u.kind, u.name, "")}
	}
	for _, role := range failover.Roles() {
		c := h.scriptFor(u, role)
		s := c.script
		switch c.call {
		case callsWrong:
			return failed("keepalived calls %q when %s becomes %s, and that is not a hook: %v; %s",
				strings.Join(append([]string{s.Program}, s.Arguments...), " "), u.name, role, c.err, lostWithoutHook(h.external))
		case callsNothing:
			return failed("keepalived does not call connsync failover when %s becomes %s; %s", u.name, role, lostWithoutHook(h.external))
		case callsPackaged:
			return failed("keepalived calls conntrack-tools' %s, which %s", filepath.Base(s.Program), hookscript.PackagedFaults(c.content, h.external))
		case callsUnread:
			f := couldNotCheck(s.Program, c.err)
			if os.Geteuid() == 0 {
				f.Remedy = h.lines(u.kind, u.name, "")
			}
			return f
		case callsOther:
			f := check.Finding{Status: check.Unknown, Remedy: h.lines(u.kind, u.name, ""),
				Detail: fmt.Sprintf("keepalived calls %s when %s becomes %s; what that does is not known here", s.Program, u.name, role)}
			if c.err != nil {
				f.Detail += ": " + c.err.Error()
			}
			return f
		}
		switch why, err := h.notRun(s, role); {
		case err != nil:
			return couldNotCheck("the user and the file of "+s.Program, err)
		case why != "":
			return failed("%s", why)
		}
	}
	return check.Finding{Status: check.Passed}
}

// notRun says why keepalived would not run a script as root; blank where it would.
func (h hook) notRun(s keepalived.Script, role failover.Role) (string, error) {
	ignored := fmt.Sprintf("keepalived ignores the script for %s: ", role)
	by, err := h.mover.User(s, h.userExists)
	if err != nil {
		return "", err
	}
	known, err := true, error(nil)
	if by != "" && by != "root" && !isNumber(by) {
		if known, err = h.userExists(by); err != nil {
			return "", err
		}
	}
	switch lost := lostWithoutHook(h.external); {
	case by == "":
		return fmt.Sprintf("%swith %s it needs a user, but neither the command nor script_user names one, and there is no user keepalived_script; %s", ignored, scriptSecurity, lost), nil
	case !known && s.User != "":
		return fmt.Sprintf("%sthere is no user %s; what belongs to the command stands within its quotes, and user and group behind them", ignored, by), nil
	case !known:
		return fmt.Sprintf("%sthere is no user %s, which script_user names; %s", ignored, by, lost), nil
	case by != "root":
		why := "as it says"
		if s.User == "" && h.mover.ScriptUser == "" {
			why = "a user that exists, while no script_user is set"
		}
		return fmt.Sprintf("keepalived runs the script as %s (%s), which may not use conntrackd's control socket: nothing happens at a failover, and %s", by, why, lost), nil
	}
	why, err := h.refusal(s, "root")
	if why != "" {
		why = fmt.Sprintf("keepalived does not run %s: %s; %s", s.Program, why, lostWithoutHook(h.external))
	}
	return why, err
}

// lines are what to write where, as one line.
func (h hook) lines(kind, name, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "keepalived.conf, %s %s%s:", kind, name, more)
	for _, l := range hookEvents {
		fmt.Fprintf(&b, " %s \"%s %s\" root;", l.event, h.program, l.role)
	}
	if !h.mover.ScriptSecurity {
		b.WriteString(" in global_defs: " + scriptSecurity)
	}
	return strings.TrimSuffix(b.String(), ";") + " (each on a line of its own)"
}

// call is what a script comes down to.
type call int

const (
	callsNothing call = iota
	callsOther        // it cannot be told
	callsUnread       // it could not be read
	callsPackaged
	callsWrong // it is ours, and does not do it
	callsUs
)

// Command is what a connsync command line comes to.
type Command struct {
	Name   string        // blank for the form
	Config string        // conntrackd's configuration file
	Role   failover.Role // of a "failover"
}

// called is a script that keepalived calls.
type called struct {
	script  keepalived.Script
	call    call
	content string // of the script, where it was read
	err     error  // why it could not be read, with callsUnread, what is wrong with it, or why it cannot be told
}

// scriptFor returns the script that comes nearest to the hook for a role.
func (h hook) scriptFor(u moving, role failover.Role) (best called) {
	event := map[failover.Role]keepalived.Event{
		failover.RolePrimary: keepalived.NotifyMaster, failover.RoleBackup: keepalived.NotifyBackup, failover.RoleFault: keepalived.NotifyFault,
	}[role]
	for _, scripts := range u.scripts {
		for _, e := range []keepalived.Event{event, keepalived.Notify} {
			s, ok := scripts.Scripts[e]
			if !ok {
				continue
			}
			if c := h.classify(s, added(scripts, e, role), role); c.call > best.call {
				best = c
			}
		}
	}
	return best
}

// added are the words that keepalived adds to a script.
func added(s scripted, e keepalived.Event, role failover.Role) []string {
	if e != keepalived.Notify {
		return nil
	}
	state := map[failover.Role]string{failover.RolePrimary: "MASTER", failover.RoleBackup: "BACKUP", failover.RoleFault: "FAULT"}[role]
	return []string{s.kind, s.name, state, "100"}
}

func (h hook) classify(s keepalived.Script, added []string, role failover.Role) called {
	words := append([]string{s.Program}, s.Arguments...)
	if at := slices.IndexFunc(words, func(w string) bool { return filepath.Base(w) == "connsync" }); at == 0 || at > 0 && hookscript.RunsRest(words[0]) {
		call, err := h.judgeOurs(slices.Concat(words[at+1:], added), role)
		if call != callsUs && len(s.Arguments) == 0 && s.User == "failover" {
			call, err = callsWrong, fmt.Errorf("the command is not in quotes, so keepalived takes %q for the user", s.User)
		}
		return called{script: s, call: call, err: err}
	}
	content, err := h.read(s.Program)
	if err != nil {
		return called{script: s, call: callsUnread, err: err}
	}
	c := called{script: s, call: classifyScript(content), content: content}
	if c.call == callsUs {
		c.call, c.err = h.judgeScript(content, slices.Concat(s.Arguments, added), role)
	}
	return c
}

// classifyScript reads a script of the operator's own or conntrack-tools'.
func classifyScript(content string) call {
	switch {
	case strings.Contains(content, "\x00"): // a program: what it does, or its arguments have it do, is not in its words
		return callsOther
	case hookscript.Packaged(content):
		return callsPackaged
	case hookscript.Names(content, "connsync", "failover"):
		return callsUs
	case strings.Contains(content, "conntrackd"):
		return callsOther
	}
	return callsNothing
}

// judgeScript follows a script with our words in it, as keepalived runs it: words alone
// call nothing.
func (h hook) judgeScript(content string, arguments []string, role failover.Role) (call, error) {
	words, certain := hookscript.Command(content, "connsync", arguments)
	switch {
	case !certain:
		return callsOther, errors.New("it has a connsync failover, and whether that runs depends on more than can be followed")
	case words == nil && len(arguments) == 0:
		return callsOther, errors.New("it has a connsync failover that does not run without an argument")
	case words == nil:
		return callsOther, fmt.Errorf("it has a connsync failover that does not run with the arguments: %s", shell.Line(arguments...))
	}
	call, err := h.judgeOurs(words, role)
	if call == callsNothing {
		call = callsOther
	}
	return call, err
}

// judgeOurs reads what stands after connsync as our own command line reads it.
func (h hook) judgeOurs(words []string, role failover.Role) (call, error) {
	if h.parse == nil {
		return callsOther, nil
	}
	c, err := h.parse(words)
	switch {
	case err != nil:
		return callsWrong, err
	case c.Name != "failover":
		return callsNothing, nil
	case c.Role != role:
		return callsWrong, fmt.Errorf("it makes the node %s", c.Role)
	case !service.SameFile(c.Config, h.config):
		return callsWrong, fmt.Errorf("it reads %s, and conntrackd's file is %s", c.Config, h.config)
	}
	return callsUs, nil
}

// isNumber says that a user is given by its number.
func isNumber(user string) bool { return strings.Trim(user, "0123456789") == "" }
