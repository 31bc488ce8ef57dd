package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"connsync/trust"
)

// systemctlTimeout bounds a question to systemctl, which takes milliseconds.
const systemctlTimeout = 5 * time.Second

// noteBoot says what else it takes for the rules to be there after a boot, or
// why that is not known. An error is the caller's context's.
func (c *FirewallChange) noteBoot(ctx context.Context) error {
	state, err := unitFileState(ctx, "nftables.service")
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound): // another init loads the file, or none does
	case err != nil:
		c.Notes = append(c.Notes, fmt.Sprintf("whether nftables.service loads %s at boot is unknown: %v", c.HostFile, err))
	case state == "not-found":
		c.Notes = append(c.Notes, fmt.Sprintf("there is no nftables.service, so %s is not loaded at boot", c.HostFile))
	case state == "masked":
		c.Notes = append(c.Notes, fmt.Sprintf("nftables.service is masked, so %s is not loaded at boot: systemctl unmask nftables.service, then systemctl enable nftables.service", c.HostFile))
	case state != "enabled":
		c.Notes = append(c.Notes, fmt.Sprintf("nftables.service is %s, so %s is not loaded at boot: systemctl enable nftables.service", state, c.HostFile))
	}
	return nil
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
