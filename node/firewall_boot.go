package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"connsync/trust"
)

// systemctlTimeout bounds a question to systemctl, which takes milliseconds.
const systemctlTimeout = 5 * time.Second

// noteBoot says what else it takes for the rules to be there after a boot, or
// why that is not known. An error is the caller's context's.
func (c *FirewallChange) noteBoot(ctx context.Context) error {
	gap, err := bootGapOf(ctx, c.HostFile)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		c.Notes = append(c.Notes, err.Error())
	case gap.Remedy != "":
		c.Notes = append(c.Notes, gap.Why+": "+gap.Remedy)
	case gap.Why != "":
		c.Notes = append(c.Notes, gap.Why)
	}
	return nil
}

// bootGap is why the host's rules are not loaded at boot; blank where they are, or where
// nothing tells.
type bootGap struct {
	Why    string // one sentence
	Remedy string // a command; blank where there is none
}

// bootGapOf looks whether the service that loads file starts at boot. An error says that
// this is not known.
func bootGapOf(ctx context.Context, file string) (bootGap, error) {
	state, err := unitFileState(ctx, "nftables.service")
	notLoaded := ", so " + file + " is not loaded at boot"
	const enable = "systemctl enable nftables.service"
	switch {
	case errors.Is(err, exec.ErrNotFound): // another init loads the file, or none does
		return bootGap{}, nil
	case err != nil:
		return bootGap{}, fmt.Errorf("whether nftables.service loads %s at boot is unknown: %w", file, err)
	case state == "not-found":
		return bootGap{"there is no nftables.service" + notLoaded, ""}, nil
	case state == "masked":
		return bootGap{"nftables.service is masked" + notLoaded, "systemctl unmask nftables.service, then " + enable}, nil
	case state != "enabled":
		return bootGap{"nftables.service is " + state + notLoaded, enable}, nil
	}
	return bootGap{}, nil
}

// atBoot adds to a firewall that lets the sync through whether it still does after a
// boot, where that depends on connsync's own rules.
func (n *Node) atBoot(ctx context.Context, f check.Finding) check.Finding {
	_, installed, err := n.openFirewallJournal(firewall.Flow{})
	if err != nil || installed == nil {
		return f
	}
	gap, err := bootGapOf(ctx, installed.File)
	switch {
	case err != nil:
		f.Detail += "; " + err.Error()
	case gap.Why != "":
		return check.Finding{Status: check.Failed, Detail: f.Detail + ", but not at boot: " + gap.Why, Remedy: gap.Remedy}
	}
	return f
}

// unitFileState asks whether a unit starts at boot, in systemctl's word, such
// as "enabled". The error holds what systemctl printed instead, and is an
// [exec.ErrNotFound] where there is none.
func unitFileState(ctx context.Context, unit string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, systemctlTimeout)
	defer cancel()
	var out, complaint bytes.Buffer
	cmd := trust.Command(ctx, "systemctl", "is-enabled", unit)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	// For all but enabled units it ends with an error after its word.
	state := strings.TrimSpace(out.String())
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("timed out: %w", ctx.Err())
	case strings.Contains(complaint.String(), "unit file state") && strings.Contains(complaint.String(), "No such file or directory"):
		return "not-found", nil // systemd before 253 says so instead
	case state != "" && !strings.ContainsAny(state, " \n"):
		return state, nil
	case err == nil:
		err = errors.New("it gave no state")
	}
	if said := strings.Join(strings.Fields(complaint.String()), " "); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return "", fmt.Errorf("systemctl is-enabled %s: %w", unit, err)
}
