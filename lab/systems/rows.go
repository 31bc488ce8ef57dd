package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"connsync/lab"
)

// row is a pair of systems.
type row struct {
	name string
	a, b lab.Debian
	// dress changes the stock systems before connsync is used; nil changes nothing.
	dress func(ctx context.Context, s *stage) error
	// swapped says that the versions do not understand each other's NAT addresses: there
	// "in sync" is that connsync says so.
	swapped bool
	// bare says that the nodes are namespaces of this host, with no init.
	bare bool
	// instead are cells that are different here; a nil function is the ordinary one.
	instead map[string]func(ctx context.Context, s *stage) error
}

func systemd(release string) lab.Debian { return lab.Debian{Release: release} }

func openrc(release string) lab.Debian { return lab.Debian{Release: release, Init: lab.OpenRC} }

// The releases of Debian by their names.
const (
	debian11, debian12, debian13, sid = "bullseye", "bookworm", "trixie", "sid"
)

func rows() []row {
	pair := func(name string, a, b lab.Debian) row { return row{name: name, a: a, b: b} }
	all := []row{
		pair("debian11", systemd(debian11), systemd(debian11)),
		pair("debian12", systemd(debian12), systemd(debian12)),
		pair("debian13", systemd(debian13), systemd(debian13)),
		pair("sid", systemd(sid), systemd(sid)),
		pair("debian12+13", systemd(debian12), systemd(debian13)),
		pair("debian13+sid", systemd(debian13), systemd(sid)),
		pair("debian12+sid", systemd(debian12), systemd(sid)),
		pair("openrc12", openrc(debian12), openrc(debian12)),
		pair("openrc13", openrc(debian13), openrc(debian13)),
		pair("openrcsid", openrc(sid), openrc(sid)),
	}
	swapped := pair("debian11+12", systemd(debian11), systemd(debian12))
	swapped.swapped = true
	swapped.instead = map[string]func(context.Context, *stage) error{"failover": proveSwapped}
	alpine := pair("alpine", openrc(debian12), openrc(debian12))
	alpine.dress, alpine.instead = dressAlpine, map[string]func(context.Context, *stage) error{"save": saveLiberal}
	vyos := pair("vyos", systemd(debian12), systemd(debian12))
	vyos.dress = dressVyOS
	vyos.instead = map[string]func(context.Context, *stage) error{
		"reboot": without("its file is in /run, which VyOS writes at each boot"),
		"setup":  without("VyOS has its own setup"),
	}
	loop := row{name: "procd", bare: true, dress: dressLoop, instead: map[string]func(context.Context, *stage) error{
		"save": saveBesideLoop, "rollback": refusedByLoop, "kill": killInLoop,
		"reboot": without("a namespace does not boot"), "logrotate": without("nothing rotates logs in a namespace"),
		"setup": without("a namespace has no console"), "upgrade": without("no package is installed in a namespace"),
	}}
	return append(all, swapped, alpine, vyos, loop)
}

func without(why string) func(context.Context, *stage) error {
	return func(context.Context, *stage) error { return skipped(why) }
}

// limit bounds a cell; a boot is in some.
const limit = 4 * time.Minute

// run makes the pair and goes through the cells, in their order: each finds the pair as
// the one before left it.
func (r row) run(ctx context.Context, p *programs, each func(string, result)) []result {
	results := make([]result, len(cells))
	s := &stage{row: r, programs: p, config: lab.ConfigPath}
	defer s.close()
	err := s.make(ctx)
	for i, c := range cells {
		do, other := r.instead[c.name]
		if !other {
			do = c.run
		}
		switch {
		case ctx.Err() != nil:
			results[i].err = skipped("interrupted")
		case err != nil:
			results[i].err = skipped(err.Error())
		default:
			bounded, cancel := context.WithTimeout(ctx, limit)
			began := time.Now()
			results[i] = result{err: do(bounded, s)}
			results[i].took = time.Since(began)
			cancel()
			if i == 0 && results[0].err != nil {
				err = errors.New("the save failed")
			}
		}
		each(c.name, results[i])
	}
	return results
}

// make boots both systems, connects them and installs connsync.
func (s *stage) make(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	opts := lab.Options{NAT: true}
	s.connsync = s.program
	if !s.row.bare {
		s.connsync = "/usr/sbin/connsync"
		for i, d := range []lab.Debian{s.row.a, s.row.b} {
			m, err := lab.Boot(ctx, lab.MachineOptions{Name: "fw-" + string(rune('a'+i)), Debian: d})
			if err != nil {
				return err
			}
			s.machines = append(s.machines, m)
			opts.Nodes[i] = m.Node
		}
	}
	var err error
	if s.pair, err = lab.NewPair(ctx, opts); err != nil {
		return err
	}
	for _, m := range s.machines {
		for target, source := range map[string]string{"/root/connsync.deb": s.deb, "/root/newer.deb": s.newer} {
			if err := m.CopyIn(source, target); err != nil {
				return err
			}
		}
		if _, err := s.sh(ctx, m.Node, "dpkg -i /root/connsync.deb"); err != nil {
			return err
		}
	}
	if s.row.dress != nil {
		if err := s.row.dress(ctx, s); err != nil {
			return err
		}
	}
	s.stock, _ = s.pair.A.ReadFile(s.config) // nil where there is none yet
	return nil
}

// dressAlpine puts a script as Alpine has it in the place of Debian's.
func dressAlpine(ctx context.Context, s *stage) error {
	script, err := os.ReadFile("conntrackd/service/testdata/alpine.initd")
	if err != nil {
		return err
	}
	for _, m := range s.nodes() {
		if _, err := s.sh(ctx, m, "rc-service conntrackd stop; rm /etc/init.d/conntrackd; printf '#!/sbin/openrc-run\\ndepend() {\\n\\tprovide net\\n}\\n' >/etc/init.d/lab-net; chmod +x /etc/init.d/lab-net"); err != nil {
			return err
		}
		if err := m.WriteFile("/etc/init.d/conntrackd", script); err != nil {
			return err
		}
		if _, err := s.sh(ctx, m, "chmod +x /etc/init.d/conntrackd; rc-update -u"); err != nil {
			return err
		}
	}
	return nil
}

// vyosUnit is the override that VyOS ships.
const vyosUnit = `[Unit]
ConditionPathExists=/run/conntrackd/conntrackd.conf

[Service]
ExecStart=
ExecStart=/usr/sbin/conntrackd -C /run/conntrackd/conntrackd.conf
`

func dressVyOS(ctx context.Context, s *stage) error {
	s.config = "/run/conntrackd/conntrackd.conf"
	for _, m := range s.nodes() {
		if err := m.WriteFile("/etc/systemd/system/conntrackd.service.d/override.conf", []byte(vyosUnit)); err != nil {
			return err
		}
		if _, err := s.sh(ctx, m, "mkdir -p /run/conntrackd && cp "+lab.ConfigPath+" /run/conntrackd/ && systemctl daemon-reload && systemctl restart conntrackd"); err != nil {
			return err
		}
	}
	return nil
}

// loopScript does what procd does with a service that is to respawn. It removes a lock
// that is left, as such services' own start functions do.
const loopScript = `while :; do
	rm -f /var/lock/conntrackd.lock
	conntrackd -C /etc/conntrackd/conntrackd.conf >/dev/null 2>&1
	sleep 1
done
`

func dressLoop(ctx context.Context, s *stage) error {
	for _, m := range s.nodes() {
		if err := m.WriteFile("/run/respawn", []byte(loopScript)); err != nil {
			return err
		}
	}
	return nil
}

// nodes are both, A first.
func (s *stage) nodes() []*lab.Node { return []*lab.Node{s.pair.A.Node, s.pair.B.Node} }

// sh runs a line of shell to its end; its output is in the error.
func (s *stage) sh(ctx context.Context, m *lab.Node, line string) (string, error) {
	out, err := m.Run(ctx, "sh", "-c", "exec </dev/null 2>&1; "+line)
	return strings.TrimSpace(out), err
}
