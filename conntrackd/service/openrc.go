package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"connsync/conntrackd/service/rcdeps"
)

// OpenRC is conntrackd as a service of OpenRC: a script of its own, or one of
// SysV's, which OpenRC runs too.
type OpenRC struct {
	script
	runlevels string   // directory
	records   string   // directory of the services' states
	settings  []string // files beside the script that may set its supervisor
}

// NewOpenRC returns the service that starts the given daemon. It does not look
// whether there is one.
func NewOpenRC(daemon *Direct) *OpenRC {
	return &OpenRC{newScript(daemon, "conntrackd, by OpenRC"), "/etc/runlevels", "/run/openrc", []string{"/etc/conf.d/conntrackd", "/etc/rc.conf"}}
}

var _ Service = (*OpenRC)(nil)

// defaultRunlevel is what OpenRC boots into.
const defaultRunlevel = "default"

// State looks at the script, its runlevels, the process and OpenRC's own idea.
func (o *OpenRC) State(ctx context.Context) (State, error) {
	state, err := o.look(ctx)
	if err != nil || !state.Present || state.Masked {
		return state.atBoot(false), err
	}
	words := o.status(ctx)
	state.Killed = state.Killed || !state.Active && words == crashed
	state = state.atBoot(o.levels(filepath.Base(o.path)) != nil)
	state.StartedBy = rcdeps.Starter(filepath.Join(o.records, "deptree"), filepath.Base(o.path), func(name string) bool { return o.levels(name) != nil })
	if words != "" {
		state.Detail += "; OpenRC says: " + words
		state.Starting = !state.Active && words == "starting"
		state.Changing = !state.Active && (words == "starting" || words == "stopping")
	}
	return state, nil
}

// crashed is OpenRC's word for a service that it has started and whose daemon is gone.
const crashed = "crashed"

// status is OpenRC's word for the service's state, such as "started" or
// "crashed"; blank where it has none, as of a script of SysV's without status.
func (o *OpenRC) status(ctx context.Context) string {
	out, err := o.call(ctx, "rc-service", filepath.Base(o.path), "status")
	switch {
	case errors.Is(err, ErrUnreachable):
		return "there is no rc-service"
	case errors.Is(err, ErrTimeout):
		return "nothing within " + o.Wait.String()
	}
	_, words, ok := strings.Cut(string(out), "status: ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(strings.SplitN(words, "\n", 2)[0])
}

// recorded says whether OpenRC takes the service for one that it has started (librc.c),
// which keeps it from another start. A script of SysV's that answers to status by itself,
// as Debian's does since conntrackd 1.4.8, tells nothing of that.
func (o *OpenRC) recorded() bool {
	_, err := os.Lstat(filepath.Join(o.records, "started", filepath.Base(o.path)))
	return err == nil
}

var supervising = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*(export[ \t]+)?supervisor=["']?supervise-daemon\b`)
})

// Supervised says that supervise-daemon runs the daemon: it outlives the daemon, and
// starts it again.
func (o *OpenRC) Supervised() bool {
	return slices.ContainsFunc(append([]string{o.path}, o.settings...), func(path string) bool {
		return supervising().MatchString(scriptDirectories(path).script)
	})
}

// otherFile says that what OpenRC has started runs with another file than config. It would be
// ended or forgotten for a daemon that does not start beside it.
func (o *OpenRC) otherFile(ctx context.Context, state State, config string) *ElsewhereError {
	if state.Active || o.status(ctx) != "started" {
		return nil
	}
	p, ok := find(func(p process) bool { return !p.reads(config) })
	if !ok {
		return nil
	}
	return p.otherFile(config)
}

// Restart stops the daemon, waits for its end and starts it. What needs the
// service is not stopped for it: VRRP is not to go down for a save.
func (o *OpenRC) Restart(ctx context.Context) error {
	if err := o.usable(ctx, ActionRestart); err != nil {
		return err
	}
	if err := o.Stop(ctx); err != nil {
		return err
	}
	return o.start(ctx, "rc-service", filepath.Base(o.path), "start")
}

// Stop ends the daemon, with or without the script, and has OpenRC forget a start of
// which no daemon is left: it would not start what it takes for started. What needs the
// service goes on.
func (o *OpenRC) Stop(ctx context.Context) error {
	line := []string{"rc-service", "--nodeps", filepath.Base(o.path), "stop"}
	state, err := o.look(ctx)
	if err != nil {
		return o.failure(ActionStop, ErrUnreachable, "", err)
	}
	if !state.Present || state.Masked {
		return o.daemon.Stop(ctx)
	}
	status := o.status(ctx)
	switch {
	case state.Active:
		if err := o.stop(ctx, line...); err != nil {
			return err
		}
		status = o.status(ctx)
	case status != "stopped" && o.Supervised():
		// The supervisor is there without its daemon. Forgotten alone, it would go on, and
		// let no other start. Whether it has ended shows by the status.
		if _, err := o.call(ctx, line...); ctx.Err() != nil {
			return o.failure(ActionStop, ErrTimeout, "", err)
		}
		status = o.status(ctx)
	}
	zap := []string{"rc-service", filepath.Base(o.path), "zap"}
	switch {
	case status != "" && status != "stopped":
		return o.change(ctx, ActionStop, zap...)
	case status == "" && o.recorded():
		// Before OpenRC 0.64 a script of SysV's got the word itself: it knows none such,
		// and is not kept from a start either.
		_, _ = o.call(ctx, zap...)
	}
	return nil
}

// Enable adds the service to the runlevel that OpenRC boots into.
func (o *OpenRC) Enable(ctx context.Context) error {
	if err := o.usable(ctx, ActionEnable); err != nil {
		return err
	}
	if o.levels(filepath.Base(o.path)) != nil {
		return nil
	}
	return o.setBoot(ctx, ActionEnable)
}

// Disable takes the service out of every runlevel.
func (o *OpenRC) Disable(ctx context.Context) error {
	if o.levels(filepath.Base(o.path)) == nil {
		return nil
	}
	return o.setBoot(ctx, ActionDisable)
}

func (o *OpenRC) setBoot(ctx context.Context, a Action) error {
	if err := o.change(ctx, a, o.bootLine(a)...); err != nil {
		return err
	}
	if have := o.levels(filepath.Base(o.path)); (have != nil) != (a == ActionEnable) {
		return o.failure(a, ErrRefused, fmt.Sprintf("its runlevels are now: %v", have), nil)
	}
	return nil
}

func (o *OpenRC) bootLine(a Action) []string {
	if a == ActionEnable {
		return []string{"rc-update", "add", filepath.Base(o.path), defaultRunlevel}
	}
	levels := o.levels(filepath.Base(o.path))
	if levels == nil {
		levels = []string{defaultRunlevel}
	}
	return append([]string{"rc-update", "delete", filepath.Base(o.path)}, levels...)
}

// levels are the runlevels with a service, nil where there is none. Those in
// which a host shuts down start nothing.
func (o *OpenRC) levels(name string) []string {
	// A name with a bad pattern is no service's.
	paths, _ := filepath.Glob(filepath.Join(o.runlevels, "*", name))
	var found []string
	for _, path := range paths {
		level := filepath.Base(filepath.Dir(path))
		if _, err := os.Stat(path); err == nil && level != "shutdown" && level != "off" {
			found = append(found, level)
		}
	}
	return found
}

// Commands are what an operator would type for the same.
func (o *OpenRC) Commands(a Action) []string {
	stop := "rc-service --nodeps " + filepath.Base(o.path) + " stop"
	switch a {
	case ActionRestart:
		return []string{stop, "rc-service " + filepath.Base(o.path) + " start"}
	case ActionStop:
		return []string{stop}
	case ActionEnable, ActionDisable:
		return []string{strings.Join(o.bootLine(a), " ")}
	}
	return nil
}
