package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/user"
	"time"

	"connsync/conntrackd"
	"connsync/netcheck/check"
	"connsync/netcheck/keepalived"
)

// The checks that look at what moves the addresses.
const (
	checkFailoverHook   check.ID = "failover-hook"
	checkFailoverTiming check.ID = "failover-timing"
)

// failoverHook asks whether keepalived calls "connsync failover", or what does
// the same, and would be let do so.
func (n *Node) failoverHook(settings conntrackd.Settings) check.Check {
	return check.Check{
		ID: checkFailoverHook, Title: "Failover hook", Severity: check.Warning,
		Run: func(ctx context.Context) check.Finding {
			mover, finding := n.findMover(ctx, settings.ExternalCache)
			if mover == nil {
				return finding
			}
			return asLoaded(n.hookOf(mover, settings).judge(), mover)
		},
	}
}

// hookCommand is how keepalived has to call the hook on this host.
func (n *Node) hookCommand() string {
	program := keepalived.Direct(cmp.Or(n.Program, "/usr/sbin/connsync"))
	for _, f := range [][3]string{{"--config", n.Config, DefaultConfig}, {"--runtime-dir", n.RuntimeDir, DefaultRuntimeDir}, {"--state-dir", n.StateDir, DefaultStateDir}} {
		if f[1] != f[2] {
			program += " " + f[0] + " " + f[1]
		}
	}
	return program + " failover"
}

// findMover reads keepalived's configuration; where there is none the finding
// says what that means.
func (n *Node) findMover(ctx context.Context, external bool) (*keepalived.Config, check.Finding) {
	installed, err := keepalived.Find()
	if err != nil {
		return nil, couldNotCheck("keepalived", err)
	}
	if installed.Program == "" && installed.PID == 0 {
		return nil, n.nobodyMoves("there is no keepalived on this host", external)
	}
	config, err := keepalived.Load(installed.ConfigPath, installed.ConfigID, installed.Habits(ctx))
	switch {
	case err == nil && len(config.Unread) > 0:
		// What stands there may be an instance, or the hook.
		f := couldNotCheck("all of "+installed.ConfigPath, errors.New(config.Unread[0]))
		if os.Geteuid() == 0 {
			f.Remedy = "keepalived --config-test"
		}
		return nil, f
	case errors.Is(err, fs.ErrNotExist):
		return nil, n.nobodyMoves("keepalived is not configured ("+installed.ConfigPath+" does not exist)", external)
	case err != nil:
		return nil, couldNotCheck(installed.ConfigPath, err)
	case len(config.Instances) == 0:
		return nil, n.nobodyMoves("keepalived moves no address (no vrrp_instance in "+installed.ConfigPath+")", external)
	}
	return config, check.Finding{}
}

// asLoaded is what was found good of a configuration, where the running keepalived goes by
// it: what it has not read it does not do.
func asLoaded(f check.Finding, mover *keepalived.Config) check.Finding {
	if f.Status != check.Passed {
		return f
	}
	why, reload, err := keepalived.NotLoaded(mover)
	switch {
	case err != nil:
		return check.Finding{Status: check.Unknown, Err: err, Detail: err.Error(), Remedy: cmp.Or(asRoot(err), reload)}
	case why != "":
		return check.Finding{Status: check.Failed, Detail: why + ", and does what it said before", Remedy: reload}
	}
	return f
}

func couldNotCheck(what string, err error) check.Finding {
	return check.Finding{Status: check.Unknown, Err: err, Detail: "could not check " + what + ": " + err.Error(), Remedy: asRoot(err)}
}

// nobodyMoves is the finding where keepalived has no part in a failover:
// what else has one cannot be seen.
func (n *Node) nobodyMoves(why string, external bool) check.Finding {
	if external {
		return check.Finding{
			Status: check.Unknown, Detail: why + ": whether anything else calls connsync failover cannot be seen, and " + lostWithoutHook(true),
			Remedy: "have what moves the addresses call " + n.Called.Command("failover", "primary") + ", backup or fault",
		}
	}
	return check.Finding{
		Status: check.Passed, Detail: why + ", so there is no hook to look at; what else moves the addresses should call connsync failover",
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
func (n *Node) failoverTiming(settings conntrackd.Settings) check.Check {
	return check.Check{
		ID: checkFailoverTiming, Title: "Failover timing", Severity: check.Warning,
		Run: func(ctx context.Context) check.Finding {
			if !settings.ExternalCache {
				return check.Finding{Status: check.Passed, Detail: "the states are in the kernel, where connsync failover purges none"}
			}
			mover, finding := n.findMover(ctx, true)
			if mover == nil {
				if finding.Status == check.Unknown && finding.Err == nil {
					finding = check.Finding{Status: check.Passed, Detail: "keepalived moves no address here, so it has no preempt_delay to compare with PurgeTimeout"}
				}
				return finding
			}
			return asLoaded(judgeTiming(mover, settings.PurgeDelay()), mover)
		},
	}
}

func judgeTiming(c *keepalived.Config, purge time.Duration) check.Finding {
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
		return check.Finding{
			Status: check.Failed,
			Detail: fmt.Sprintf("%s waits %s before it takes the addresses back%s, and conntrackd purges after %s: connections that ended meanwhile stay in the kernel's table until they time out, days for TCP",
				i.Name, seconds(delay), why, seconds(purge)),
			Remedy: fmt.Sprintf("keepalived.conf, vrrp_instance %s: state BACKUP and preempt_delay %d, or nopreempt", i.Name, int(purge.Seconds())+5),
		}
	}
	if waits == 0 {
		return check.Finding{Status: check.Passed, Detail: "keepalived does not move the addresses back by itself (nopreempt)"}
	}
	return check.Finding{Status: check.Passed, Detail: "preempt_delay is no shorter than PurgeTimeout, " + seconds(purge)}
}

// virtualAddresses are keepalived's, for the list of own addresses: the node
// that does not have them at the moment must leave them out of the sync too.
// Nothing is wrong with a host that has none. After an error they are those
// that were found all the same.
func virtualAddresses() ([]netip.Addr, error) {
	_, config, err := readKeepalived()
	if config == nil {
		return nil, err
	}
	return config.Addresses(), err
}

// readKeepalived is its configuration, nil where there is none; after an error it is what could
// be read of it.
func readKeepalived() (keepalived.Installation, *keepalived.Config, error) {
	installed, err := keepalived.Find()
	if err != nil {
		return installed, nil, err
	}
	config, err := keepalived.Load(installed.ConfigPath, installed.ConfigID, keepalived.Habits{}) // they are about scripts
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return installed, nil, nil
	case err != nil:
		return installed, nil, err
	case len(config.Unread) > 0:
		err = errors.New(config.Unread[0])
	}
	return installed, config, err
}

// withGroups adds the multicast groups of VRRP (RFC 9568, section 5.1) to virtual
// addresses. Both nodes send there, and replicated entries of it would clash with the
// receiver's own, which its NAT may translate.
func withGroups(virtual []netip.Addr) []netip.Addr {
	if len(virtual) == 0 {
		return nil
	}
	return append(virtual, netip.AddrFrom4([4]byte{224, 0, 0, 18}), netip.MustParseAddr("ff02::12"))
}

func userExists(name string) (bool, error) {
	_, err := user.Lookup(name)
	if errors.As(err, new(user.UnknownUserError)) {
		return false, nil
	}
	return err == nil, err
}
