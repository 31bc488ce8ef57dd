package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"connsync/lab"
	"connsync/lab/tty"
)

// stand is where the programs run: connsync on a pair that syncs, nmtui on a
// node with a NetworkManager of its own.
type stand struct {
	connsync string
	pair     *lab.Pair
	office   *lab.Node
}

func newStand(ctx context.Context, connsync string) (s *stand, err error) {
	for _, needed := range []string{"dialog", "whiptail", "nmtui", "dbus-daemon", "NetworkManager"} {
		if _, err := exec.LookPath(needed); err != nil {
			return nil, fmt.Errorf("%s is not installed (scripts/deps bench): %w", needed, err)
		}
	}
	s = &stand{connsync: connsync}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.pair, err = lab.NewPair(ctx, lab.Options{}); err != nil {
		return s, err
	}
	for _, m := range []*lab.Member{s.pair.B, s.pair.A} {
		args := []string{"apply", "--enable", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", s.pair.Other(m).Sync.String()}
		if m == s.pair.B {
			args = append(args, "--first-node")
		}
		if _, err := m.Run(ctx, connsync, args...); err != nil {
			return s, fmt.Errorf("configure %s: %w", m.Name(), err)
		}
	}
	return s, s.openOffice(ctx)
}

// profile is a connection for nmtui to edit.
const profile = `[connection]
id=bench
type=ethernet
interface-name=eth1
autoconnect=false

[ipv4]
method=manual
address1=10.0.0.101/24,10.0.0.1
`

func (s *stand) openOffice(ctx context.Context) (err error) {
	if s.office, err = lab.NewNode(ctx, "office"); err != nil {
		return err
	}
	const file = "/etc/NetworkManager/system-connections/bench.nmconnection"
	if err := s.office.WriteFile(file, []byte(profile)); err != nil {
		return err
	}
	_, err = s.office.Run(ctx, "sh", "-ec", `
		chmod 600 `+file+`
		mkdir -p /run/dbus
		dbus-daemon --system --fork
		NetworkManager </dev/null >/dev/null 2>&1
		for try in $(seq 50); do
			nmcli -t -f NAME connection show 2>/dev/null | grep -qx bench && exit 0
			sleep 0.2
		done
		echo "NetworkManager does not show its connection" >&2
		exit 1`)
	return err
}

func (s *stand) close() error {
	var errs []error
	if s.office != nil {
		errs = append(errs, s.office.Close())
	}
	if s.pair != nil {
		errs = append(errs, s.pair.Close())
	}
	return errors.Join(errs...)
}

// stillTime is how long a status without changing numbers is looked at.
const stillTime = 5 * time.Second

// stillStatus is what the status screen sends while no daemon counts.
func (s *stand) stillStatus(ctx context.Context) (int, error) {
	if _, err := s.pair.A.Run(ctx, s.connsync, "apply", "--disable"); err != nil {
		return 0, err
	}
	seat, err := tty.Open(exec.Command(s.connsync), terminals()[0].line, s.pair.A.Enter)
	if err != nil {
		return 0, err
	}
	defer seat.Close()
	w := &watch{seat: seat}
	w.see("Save Changes")
	w.keys("\x1b[Z\x1b[Z\r") // to Quit, to Status
	w.see("Connection Sync: status", "-Looking.")
	time.Sleep(2 * time.Second)
	before := seat.Sent()
	time.Sleep(stillTime)
	return seat.Sent() - before, w.err
}
