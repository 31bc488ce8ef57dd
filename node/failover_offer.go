package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
	"connsync/netcheck/check"
	"connsync/netcheck/keepalived"
	"connsync/node/hookscript"
	"connsync/trust"
)

// keepalivedPatience bounds a test of a configuration: keepalived resolves its own
// host's name first, for 10 s where no name server answers.
var keepalivedPatience = 30 * time.Second

// errNoScriptSecurity is keepalived's complaint about any script in a file without
// enable_script_security. It reads such a file and runs the scripts all the same.
var errNoScriptSecurity = errors.New("script_security not enabled")

// offerHook says what keepalived.conf would be with the lines of the hook; false
// where keepalived moves no address, or calls the hook already. Whatever is not
// understood in full is left to a person, and said.
func (n *Node) offerHook(ctx context.Context, c *conntrackd.Candidate) (prepare.Offer, bool) {
	mover, _ := n.findMover(ctx, c.Settings.ExternalCache)
	if mover == nil {
		return prepare.Offer{}, false // the check says what could not be read
	}
	h := n.hookOf(mover, c.Settings)
	if h.lacks().Status == check.Passed {
		if why, reload, _ := keepalived.NotLoaded(mover); why != "" {
			return prepare.Offer{State: prepare.ItemForeign, Detail: why + ": " + reload}, true
		}
		return prepare.Offer{State: prepare.ItemInPlace, Detail: "keepalived calls connsync failover"}, true
	}
	o, err := h.offer(ctx, n.Program)
	if err != nil {
		return prepare.Offer{State: prepare.ItemForeign,
			Detail: fmt.Sprintf("%s was not changed: %v; add these lines yourself: %s", mover.Files[0], err, h.lacks().Remedy)}, true
	}
	return o, true
}

func (n *Node) hookOf(mover *keepalived.Config, settings conntrackd.Settings) hook {
	return hook{
		mover: mover, external: settings.ExternalCache, program: n.hookCommand(),
		userExists: userExists, refusal: mover.Refusal, read: hookscript.Read, config: n.Config, parse: n.ParseCommand,
	}
}

// offer is the file with the lines that lack. Its error says why that is for a person.
func (h hook) offer(ctx context.Context, program string) (o prepare.Offer, err error) {
	o = prepare.Offer{State: prepare.ItemOffered, Path: h.mover.Files[0]}
	if program == "" || strings.ContainsAny(h.program, "\"'\\$~#!{}\t") || strings.Contains(program, " ") {
		return o, fmt.Errorf("a line cannot hold the command %q", h.program)
	}
	if len(h.mover.Files) > 1 {
		return o, fmt.Errorf("it includes %s", h.mover.Files[1])
	}
	if o.Read, err = hostfile.Read(o.Path); err != nil {
		return o, err
	}
	additions, names, err := h.additions()
	if err != nil {
		return o, err
	}
	installed, err := keepalived.Find()
	if err != nil {
		return o, err
	}
	if o.Content, err = h.completed(ctx, installed, o.Read, additions); err != nil {
		return o, err
	}
	o.Detail = fmt.Sprintf("%s does not call connsync failover when %s changes state", o.Path, strings.Join(names, " or "))
	if installed.PID != 0 {
		o.Reload = fmt.Sprintf("kill -HUP %d", installed.PID)
	}
	return o, nil
}

// hookEvents are the events with a line of their own.
var hookEvents = []struct {
	event keepalived.Event
	role  failover.Role
}{{keepalived.NotifyMaster, failover.RolePrimary}, {keepalived.NotifyBackup, failover.RoleBackup}, {keepalived.NotifyFault, failover.RoleFault}}

// additions are the lines for each group, and for each instance that is in none.
func (h hook) additions() (list []keepalived.Addition, names []string, err error) {
	lines := map[string]int{}
	for _, g := range h.mover.Groups {
		lines["vrrp_sync_group "+g.Name] = g.Line
	}
	for _, i := range h.mover.Instances {
		lines["vrrp_instance "+i.Name] = i.Line
	}
	for _, u := range h.units() {
		a := keepalived.Addition{Line: lines[u.kind+" "+u.name]}
		for _, l := range hookEvents {
			if h.scriptFor(u, l.role).call == callsUs {
				continue
			}
			if s, other := h.otherScript(u, l.event); other {
				return nil, nil, fmt.Errorf("%s calls %s already when it becomes %s", u.name, s.Program, l.role)
			}
			a.Lines = append(a.Lines, fmt.Sprintf("%s \"%s %s\" root", l.event, h.program, l.role))
		}
		if len(a.Lines) > 0 {
			list, names = append(list, a), append(names, u.name)
		}
	}
	return list, names, nil
}

// otherScript returns a script that is called at an event, whatever it does.
func (h hook) otherScript(u moving, event keepalived.Event) (keepalived.Script, bool) {
	for _, scripts := range u.scripts {
		for _, e := range []keepalived.Event{event, keepalived.Notify} {
			if s, ok := scripts.Scripts[e]; ok {
				return s, true
			}
		}
	}
	return keepalived.Script{}, false
}

// completed is the file with the additions, and with enable_script_security where it
// had no script and keepalived would refuse the first. It calls the hook then, by
// keepalived's rules as they are known here, and keepalived itself accepts it.
func (h hook) completed(ctx context.Context, installed keepalived.Installation, content []byte, additions []keepalived.Addition) ([]byte, error) {
	dir, err := trust.TemporaryDirectory("connsync-keepalived-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "keepalived.conf")
	tried := func(content []byte, is string) error {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		err := testConfig(ctx, installed, path)
		if errors.As(err, new(*refusedError)) {
			return fmt.Errorf("keepalived refuses it %s: %w", is, err)
		}
		return err
	}
	unsecured := tried(content, "as it is")
	switch {
	case unsecured == nil && !h.mover.ScriptSecurity:
		additions = append(additions, security(h.mover.GlobalLine))
	case unsecured != nil && !errors.Is(unsecured, errNoScriptSecurity):
		return nil, unsecured
	}
	with, err := keepalived.Insert(content, additions)
	if err != nil {
		return nil, err
	}
	if err := tried(with, "with the lines"); err != nil && !(errors.Is(err, errNoScriptSecurity) && unsecured != nil) {
		return nil, err
	}
	mover, err := keepalived.Load(path, installed.ConfigID, h.mover.Habits)
	if err != nil {
		return nil, err
	}
	h.mover, h.refusal = mover, mover.Refusal
	if f := h.lacks(); f.Status != check.Passed {
		return nil, errors.New(f.Detail)
	}
	return with, nil
}

const scriptSecurity = "enable_script_security"

// security is what has keepalived accept scripts: in global_defs, which begins on a
// line, or in one of its own in front.
func security(line int) keepalived.Addition {
	if line > 0 {
		return keepalived.Addition{Line: line, Lines: []string{scriptSecurity}}
	}
	return keepalived.Addition{Lines: []string{"global_defs {", "\t" + scriptSecurity, "}"}}
}

// lacks is what the first unit without the hook lacks.
func (h hook) lacks() check.Finding {
	for _, u := range h.units() {
		if f := h.judgeUnit(u); f.Status != check.Passed {
			return f
		}
	}
	return check.Finding{Status: check.Passed}
}

// refusedError is what keepalived says against a file.
type refusedError struct {
	said string
	err  error
}

// Error is the first thing it says.
func (e *refusedError) Error() string { return fmt.Sprintf("%s (%v)", e.said, e.err) }

// testConfig asks keepalived about a file; it starts nothing. The error is a
// *refusedError, errNoScriptSecurity where that is all that is wrong, or says why
// keepalived could not be asked.
func testConfig(ctx context.Context, installed keepalived.Installation, path string) error {
	if installed.Program == "" {
		return errors.New("keepalived is not installed")
	}
	limited, cancel := context.WithTimeout(ctx, keepalivedPatience)
	defer cancel()
	cmd := trust.Command(limited, installed.Program, "--config-test", "--use-file", path, "--config-id", installed.ConfigID)
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("keepalived --config-test did not end within %g s (it may wait for name resolution)", keepalivedPatience.Seconds())
	}
	lines := strings.Split(strings.TrimSpace(string(bytes.ReplaceAll(out, []byte(path), []byte("keepalived.conf")))), "\n")
	of := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.Contains(l, errNoScriptSecurity.Error()) })
	if len(of) == 0 {
		return errNoScriptSecurity
	}
	return &refusedError{of[0], err}
}

// reloadMover has a running keepalived read its configuration again, and sees
// that it still runs.
func reloadMover(ctx context.Context) error {
	before, err := keepalived.Find()
	if err != nil || before.PID == 0 {
		return err
	}
	if err := testConfig(ctx, before, before.ConfigPath); err != nil && !errors.Is(err, errNoScriptSecurity) {
		return err
	}
	if err := unix.Kill(before.PID, unix.SIGHUP); err != nil {
		return fmt.Errorf("reload keepalived, process %d: %w", before.PID, err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
	}
	after, err := keepalived.Find()
	if err == nil && after.PID != before.PID {
		err = fmt.Errorf("keepalived, process %d, ended at its reload", before.PID)
	}
	return err
}
