package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"connsync/lab"
	"connsync/lab/others"
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
	if missing := others.Missing(); missing != "" {
		return nil, fmt.Errorf("%s is not installed (scripts/deps bench-serial)", missing)
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
	s.office, err = others.OpenOffice(ctx)
	return s, err
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
	seat.Quiet(2*stillTime, time.Minute) // until the end of the sync is among the events
	before := seat.Sent()
	time.Sleep(stillTime)
	return seat.Sent() - before, w.err
}
