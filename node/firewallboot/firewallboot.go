// Package firewallboot finds whether the host's firewall rules are loaded at boot.
package firewallboot

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

// Gap is why the host's rules are not loaded at boot; blank where they are, or where
// nothing tells.
type Gap struct {
	Why    string // one sentence
	Remedy string // a command; blank where there is none
}

// Find looks whether the service that loads file starts at boot. An error says that
// this is not known.
func Find(ctx context.Context, file string) (Gap, error) {
	state, err := unitFileState(ctx, "nftables.service")
	notLoaded := ", so " + file + " is not loaded at boot"
	const enable = "systemctl enable nftables.service"
	switch {
	case errors.Is(err, exec.ErrNotFound): // another init loads the file, or none does
		return Gap{}, nil
	case err != nil:
		return Gap{}, fmt.Errorf("whether nftables.service loads %s at boot is unknown: %w", file, err)
	case state == "not-found":
		return Gap{"there is no nftables.service" + notLoaded, ""}, nil
	case state == "masked":
		return Gap{"nftables.service is masked" + notLoaded, "systemctl unmask nftables.service, then " + enable}, nil
	case state != "enabled":
		return Gap{"nftables.service is " + state + notLoaded, enable}, nil
	}
	return Gap{}, nil
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
