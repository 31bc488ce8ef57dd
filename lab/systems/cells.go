package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"connsync/lab"
	"connsync/lab/vt102"
)

// stage is a pair of systems and what is installed there.
type stage struct {
	row row
	*programs
	pair     *lab.Pair
	machines []*lab.Machine // none where the row is bare
	connsync string         // the program's path there
	config   string         // conntrackd's file
	stock    []byte         // that file as the system came
}

func (s *stage) close() {
	if s.pair != nil {
		_ = s.pair.Close()
	}
	for _, m := range s.machines {
		_ = m.Close()
	}
}

// cells are the columns, in the order in which they are gone through.
var cells = []struct {
	name string
	run  func(ctx context.Context, s *stage) error
}{
	{"save", save}, {"rollback", rollback}, {"kill", kill}, {"reboot", reboot}, {"logrotate", logrotate},
	{"failover", failover}, {"firewall", firewall}, {"upgrade", upgrade}, {"unprepare", unprepare}, {"setup", setup},
}

// apply saves a node's settings with more words.
func (s *stage) apply(ctx context.Context, m *lab.Member, more string) (string, error) {
	out, err := s.sh(ctx, m.Node, fmt.Sprintf("%s apply --enable --interface %s --current-ip %s --peer-ip %s %s", s.connsync, lab.SyncInterface, m.Sync, s.pair.Other(m).Sync, more))
	if s.row.swapped && strings.Contains(out, "Saved and in force") {
		err = nil // in force is all that it can be
	}
	return out, err
}

// inSync waits until both nodes say that they are in sync both ways.
func (s *stage) inSync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return s.both(func(m *lab.Node) error {
		for said := ""; ; {
			out, err := s.sh(ctx, m, s.connsync+" status")
			if err == nil || s.row.swapped && strings.Contains(out, "NAT addresses arrive with their bytes the other way round") {
				return nil
			}
			if out != "" {
				said = out
			}
			if pause(ctx, time.Second) != nil {
				return fmt.Errorf("%s is not in sync: %s", m.Name(), said)
			}
		}
	})
}

// both works on both nodes at once.
func (s *stage) both(work func(m *lab.Node) error) error {
	var wait sync.WaitGroup
	errs := make([]error, 2)
	for i, m := range s.nodes() {
		wait.Go(func() { errs[i] = work(m) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// restarted is how long a save has restarted the daemon, where that took tenths of a
// second and more. Ten seconds are those of a daemon that nobody could ask to stop.
var restarted = regexp.MustCompile(`Restart conntrackd \((\d\d+\.\d s)\)`)

func save(ctx context.Context, s *stage) error {
	if _, err := s.apply(ctx, s.pair.B, "--first-node"); err != nil {
		return err
	}
	out, err := s.apply(ctx, s.pair.A, "")
	if err != nil {
		return err
	}
	if slow := restarted.FindStringSubmatch(out); slow != nil {
		return fmt.Errorf("the save took %s to restart the daemon", slow[1])
	}
	return s.inSync(ctx)
}

// saveLiberal is refused, by a check and before anything is written, until the kernel is
// as the script asks.
func saveLiberal(ctx context.Context, s *stage) error {
	const liberal = "net.netfilter.nf_conntrack_tcp_be_liberal"
	out, err := s.apply(ctx, s.pair.A, "")
	if err == nil || !strings.Contains(out, "-> sysctl -w "+liberal+"=1") {
		return fmt.Errorf("with %s=0 a save says: %w: %s", liberal, err, out)
	}
	for _, m := range s.nodes() {
		if _, err := s.sh(ctx, m, "sysctl -w "+liberal+"=1; echo "+liberal+"=1 >/etc/sysctl.d/50-lab.conf"); err != nil {
			return err
		}
	}
	return save(ctx, s)
}

// proveSwapped wants the proof to say what is wrong, on both nodes.
func proveSwapped(ctx context.Context, s *stage) error {
	return s.both(func(m *lab.Node) error {
		out, err := s.sh(ctx, m, s.connsync+" status --prove --within 60s")
		if err == nil || !strings.Contains(out, "NAT") {
			return fmt.Errorf("%s does not say that NAT addresses are swapped: %s", m.Name(), out)
		}
		return nil
	})
}

// rollback restores what the system came with, byte for byte, and saves again.
func rollback(ctx context.Context, s *stage) error {
	a := s.pair.A
	if _, err := s.sh(ctx, a.Node, s.connsync+" rollback --yes"); err != nil {
		return err
	}
	now, err := a.ReadFile(s.config)
	if s.stock != nil && err != nil || !bytes.Equal(now, s.stock) {
		return fmt.Errorf("the file is not what it was (%w):\n%s", err, now)
	}
	if _, err := s.apply(ctx, a, ""); err != nil {
		return err
	}
	return s.inSync(ctx)
}

const killIt = "kill -9 $(pidof conntrackd)"

// kill ends the daemon: systemd starts it again, elsewhere status says so and apply
// does.
func kill(ctx context.Context, s *stage) error {
	a := s.pair.A
	if _, err := s.sh(ctx, a.Node, killIt); err != nil {
		return err
	}
	if s.row.a.Init == lab.Systemd {
		return s.inSync(ctx)
	}
	if out, err := s.sh(ctx, a.Node, "while pidof conntrackd; do sleep 0.1; done; "+s.connsync+" status"); err == nil || !strings.Contains(out, "crashed") || !strings.Contains(out, "connsync apply") {
		return fmt.Errorf("status does not say that it crashed and what starts it: %w: %s", err, out)
	}
	if _, err := s.sh(ctx, a.Node, s.connsync+" apply"); err != nil {
		return err
	}
	return s.inSync(ctx)
}

func reboot(ctx context.Context, s *stage) error {
	if err := s.machines[0].Reboot(ctx); err != nil {
		return err
	}
	// The network outlives the reboot, but a shutdown may take its interfaces down: what
	// sets them up on a real host is not there.
	_, err := s.sh(ctx, s.pair.A.Node, "for i in eth0 eth1 eth2; do ip link set $i up; done; ip route replace default via 10.2.0.10")
	if err != nil {
		return err
	}
	return s.inSync(ctx)
}

// unmoved runs a line that has to leave the daemon alone.
func (s *stage) unmoved(ctx context.Context, line string) error {
	a := s.pair.A.Node
	before, err := s.sh(ctx, a, "pidof conntrackd")
	if err != nil {
		return err
	}
	if _, err := s.sh(ctx, a, line); err != nil {
		return err
	}
	if after, err := s.sh(ctx, a, "pidof conntrackd"); err != nil || after != before {
		return fmt.Errorf("%s: the daemon was process %s and is %s (%w)", line, before, after, err)
	}
	return s.inSync(ctx)
}

func logrotate(ctx context.Context, s *stage) error {
	return s.unmoved(ctx, "for i in 1 2; do echo x >>/var/log/conntrackd-stats.log; logrotate -f /etc/logrotate.conf; done")
}

func upgrade(ctx context.Context, s *stage) error {
	return s.unmoved(ctx, "dpkg -i /root/newer.deb && "+s.connsync+" --version")
}

func unprepare(ctx context.Context, s *stage) error {
	return s.unmoved(ctx, s.connsync+" unprepare && ! test -e /var/lib/connsync/prepared.json")
}

// connections is how many go through the pair in a failover.
const connections = 50

// failover has B take over from A, and A become primary again: no connection may be lost.
func failover(ctx context.Context, s *stage) error {
	p := s.pair
	if err := p.Activate(p.A); err != nil {
		return err
	}
	c, err := p.Connect(ctx, connections)
	if err != nil {
		return err
	}
	defer c.Close()
	hook := func(m *lab.Member, role string) error {
		_, err := s.sh(ctx, m.Node, s.connsync+" failover "+role)
		return err
	}
	alive := func(over *lab.Member) error {
		if got := c.Alive(15 * time.Second); got != connections {
			return fmt.Errorf("%d of %d connections with NAT live on over %s", got, connections, over.Name())
		}
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := errors.Join(alive(p.A), p.B.WaitEstablished(waiting, c)); err != nil {
		return err
	}
	if err := errors.Join(p.Isolate(p.A), hook(p.A, "fault"), p.Activate(p.B), hook(p.B, "primary"), alive(p.B)); err != nil {
		return err
	}
	if err := errors.Join(p.Rejoin(p.A), hook(p.A, "backup"), pause(ctx, 3*time.Second)); err != nil {
		return err
	}
	return errors.Join(p.Activate(p.A), hook(p.A, "primary"), hook(p.B, "backup"), alive(p.A), s.inSync(ctx))
}

// firewall closes A's port in the file that it loads at boot, and has connsync open it.
func firewall(ctx context.Context, s *stage) error {
	a := s.pair.A.Node
	for _, step := range []string{
		`{ echo '#!/usr/sbin/nft -f'; echo 'flush ruleset'; nft list ruleset | sed 's/iifname { [^}]*} accept/iifname "lo" accept/'; } >/etc/nftables.conf`,
		"nft -f /etc/nftables.conf",
		s.connsync + " check | grep 'FAIL\\|warn' | grep -i 'port 3780\\|firewall\\|rules'",
		s.connsync + " firewall --install --yes",
	} {
		if out, err := s.sh(ctx, a, step); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	if out, err := s.sh(ctx, a, s.connsync+" check"); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return s.inSync(ctx)
}

// setup boots one more system, which has the package and no settings: it asks on its
// console, goes on without an answer, and does not ask again.
func setup(ctx context.Context, s *stage) error {
	screen := vt102.New(80, 24)
	m, err := lab.PowerOn(ctx, lab.MachineOptions{Name: "fw-c", Debian: s.row.a, Screen: screen, Prepare: s.prepareSetup})
	if err != nil {
		return err
	}
	defer m.Close()
	up := make(chan error, 1)
	go func() { up <- m.Up(ctx) }()
	for _, text := range []string{"What is this appliance?", "Nothing is set up"} {
		for ended := false; !strings.Contains(screen.String(), text); {
			if ended {
				return fmt.Errorf("the system is up, and its console never showed %q; it shows:\n%s", text, screen.String())
			}
			select {
			case err := <-up:
				if err != nil {
					return err
				}
				ended = true
				up <- nil
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	if err := <-up; err != nil {
		return err
	}
	if left, err := m.Run(ctx, "cat", "/var/lib/connsync/setup"); err != nil || left != "unanswered\n" {
		return errors.Join(err, fmt.Errorf("the setup left %q", left))
	}
	return nil
}

// prepareSetup installs the package in a system that is not booted yet, with a setup that
// waits five seconds.
func (s *stage) prepareSetup(root string, run func(name string, args ...string) (string, error)) error {
	const wait = "CONNSYNC_PATIENCE=5s"
	line := "cp '" + s.deb + "' '" + filepath.Join(root, "root/connsync.deb") + "'"
	if err := host(line); err != nil {
		return err
	}
	install := "dpkg -i /root/connsync.deb && mkdir -p /etc/systemd/system/connsync-setup.service.d && printf '[Service]\\nEnvironment=" + wait + "\\n" + lab.UnhurriedHangUp + "' >/etc/systemd/system/connsync-setup.service.d/bound.conf"
	if s.row.a.Init == lab.OpenRC {
		install = "dpkg -i /root/connsync.deb && mkdir -p /etc/conf.d && echo " + wait + " >/etc/conf.d/connsync-setup && cp /usr/share/doc/connsync/examples/openrc/connsync-setup /etc/init.d/ && rc-update add connsync-setup default"
	}
	out, err := run("sh", "-c", install)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}
