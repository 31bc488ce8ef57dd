package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/user"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/keepalived"
)

// The checks that look at what moves the addresses.
const (
	checkFailoverHook   netcheck.ID = "failover-hook"
	checkFailoverTiming netcheck.ID = "failover-timing"
)

// failoverHook asks whether keepalived calls "connsync failover", or what does
// the same, and would be let do so.
func (n *node) failoverHook(settings conntrackd.Settings) netcheck.Check {
	return netcheck.Check{
		ID: checkFailoverHook, Title: "Failover hook", Severity: netcheck.Warning,
		Run: func(context.Context) netcheck.Finding {
			mover, finding := findMover(settings.ExternalCache)
			if mover == nil {
				return finding
			}
			return hook{
				mover: mover, external: settings.ExternalCache, program: n.hookCommand(),
				userExists: userExists, refusal: mover.Refusal, read: readScript,
			}.judge()
		},
	}
}

// hookCommand is how keepalived has to call the hook on this host.
func (n *node) hookCommand() string {
	program, err := os.Executable()
	if err != nil {
		program = "/usr/sbin/connsync"
	}
	if n.config != defaultConfig {
		program += " --config " + n.config
	}
	return program + " failover"
}

// findMover reads keepalived's configuration; where there is none the finding
// says what that means.
func findMover(external bool) (*keepalived.Config, netcheck.Finding) {
	installed, err := keepalived.Find()
	if err != nil {
		return nil, cannotLookAt("keepalived", err)
	}
	if installed.Program == "" && installed.PID == 0 {
		return nil, nobodyMoves("there is no keepalived on this host", external)
	}
	config, err := keepalived.Load(installed.ConfigPath, installed.ConfigID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nobodyMoves("keepalived is not configured ("+installed.ConfigPath+" does not exist)", external)
	case err != nil:
		return nil, cannotLookAt(installed.ConfigPath, err)
	case len(config.Instances) == 0:
		return nil, nobodyMoves("keepalived moves no address (no vrrp_instance in "+installed.ConfigPath+")", external)
	}
	return config, netcheck.Finding{}
}

func cannotLookAt(what string, err error) netcheck.Finding {
	return netcheck.Finding{Status: netcheck.Unknown, Err: err, Detail: "cannot look at " + what + ": " + err.Error(), Remedy: "run connsync as root"}
}

// nobodyMoves is the finding where keepalived has no part in a failover:
// whoever has one cannot be looked at.
func nobodyMoves(why string, external bool) netcheck.Finding {
	if external {
		return netcheck.Finding{
			Status: netcheck.Unknown, Detail: why + ": whether anything else calls connsync failover cannot be seen, and " + lostWithoutHook(true),
			Remedy: "have what moves the addresses call connsync failover primary, backup or fault",
		}
	}
	return netcheck.Finding{
		Status: netcheck.Passed, Detail: why + ", so there is no hook to look at; what else moves the addresses should call connsync failover",
	}
}

// lostWithoutHook is what the failover tests of the lab measure.
func lostWithoutHook(external bool) string {
	if external {
		return "without it every connection is lost at a failover"
	}
	return "without it connections survive a failover and are lost when the addresses move back"
}

// failoverTiming compares the time after which a backup's old connections are
// purged with the time after which keepalived makes it primary again.
func (n *node) failoverTiming(settings conntrackd.Settings) netcheck.Check {
	return netcheck.Check{
		ID: checkFailoverTiming, Title: "Failover timing", Severity: netcheck.Warning,
		Run: func(context.Context) netcheck.Finding {
			if !settings.ExternalCache {
				return netcheck.Finding{Status: netcheck.Passed, Detail: "the states are in the kernel, where connsync failover purges none"}
			}
			mover, finding := findMover(true)
			if mover == nil {
				if finding.Status == netcheck.Unknown && finding.Err == nil {
					finding = netcheck.Finding{Status: netcheck.Passed, Detail: "keepalived moves no address here, so it has no preempt_delay to compare with PurgeTimeout"}
				}
				return finding
			}
			content, err := os.ReadFile(n.config)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cannotLookAt(n.config, err)
			}
			f, _ := conntrackd.Parse(n.config, content)
			return judgeTiming(mover, f.PurgeTimeout())
		},
	}
}

func judgeTiming(c *keepalived.Config, purge time.Duration) netcheck.Finding {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%g s", d.Seconds()) }
	waits := 0
	for _, i := range c.Instances {
		if i.NoPreempt && i.State != "MASTER" {
			continue
		}
		delay, why := i.PreemptDelay, ""
		if i.State == "MASTER" && delay > 0 {
			delay, why = 0, ", since preempt_delay has no effect with state MASTER"
		}
		if delay >= purge {
			waits++
			continue
		}
		return netcheck.Finding{
			Status: netcheck.Failed,
			Detail: fmt.Sprintf("%s waits %s before it takes the addresses back%s, and conntrackd purges after %s: connections that ended meanwhile stay in the kernel's table until they time out, days for TCP",
				i.Name, seconds(delay), why, seconds(purge)),
			Remedy: fmt.Sprintf("keepalived.conf, vrrp_instance %s: state BACKUP and preempt_delay %d, or nopreempt", i.Name, int(purge.Seconds())+5),
		}
	}
	if waits == 0 {
		return netcheck.Finding{Status: netcheck.Passed, Detail: "keepalived does not move the addresses back by itself (nopreempt)"}
	}
	return netcheck.Finding{Status: netcheck.Passed, Detail: "preempt_delay is no shorter than PurgeTimeout, " + seconds(purge)}
}

// virtualAddresses are keepalived's, for the list of own addresses: the node
// that does not have them at the moment must leave them out of the sync too.
// Nothing is wrong with a host that has none.
func virtualAddresses() []netip.Addr {
	installed, err := keepalived.Find()
	if err != nil {
		return nil
	}
	config, err := keepalived.Load(installed.ConfigPath, installed.ConfigID)
	if err != nil {
		return nil
	}
	return config.Addresses()
}

func userExists(name string) bool {
	_, err := user.Lookup(name)
	return err == nil
}

// readScript returns the beginning of a script, enough to know it by.
func readScript(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b strings.Builder
	buf := make([]byte, 64<<10)
	k, _ := f.Read(buf)
	b.Write(buf[:k])
	return b.String(), nil
}
