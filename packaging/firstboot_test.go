package packaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"connsync/lab"
	"connsync/lab/vt102"
)

// Two fresh Debians are set up on their consoles and by nothing else: the first
// with its answers, the second with the line that the first one shows. They are
// two-way then, and after both have booted again.
func TestFirstBootSetsUpAPair(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	netA, netB := syncLink(t, "10.0.0.101/24", "10.0.0.102/24")
	a := firstBoot(t, ctx, lab.MachineOptions{Name: "fw-a", Network: netA}, "")
	b := firstBoot(t, ctx, lab.MachineOptions{Name: "fw-b", Network: netB}, "")

	a.see("Connection Sync: setup", "What is this appliance?", "(*) LLB", "ctrl+c later", "Without a key for 5 minutes the boot continues.")
	a.press(enter)
	a.see("The line that the other node shows")
	a.press(enter)
	a.see("Enable Sync", "(*) Enable")
	a.press(enter)
	a.see("Interface Name")
	a.press(lab.SyncInterface)
	a.see(lab.SyncInterface)
	a.press(enter)
	a.see("> Current IP", "10.0.0.101/24")
	a.press(enter)
	a.see("> Peer IP")
	a.press("10.0.0.102/24", enter)
	a.see("> Port", "3780")
	a.press(enter)
	a.see("> Send Buffer Size", "65536")
	a.press(enter)
	a.see("> Receive Buffer Size")
	a.press(enter)
	a.see("[ Check and Save ]")
	a.press(enter)
	// The other node is up and has no sync yet.
	a.see("[1 checks]", "enter review")
	a.ponder()
	a.press(enter)
	a.see("[2 review]", "> [ Back ]") // nothing listens there yet
	a.ponder()
	a.press("\x1b[Z", enter) // shift+tab
	a.see("[3 apply]", "Saved and in force, but the nodes are NOT in sync.", "At the other node")
	a.ponder()
	a.press(enter)
	a.see("Connection Sync: status", "connsync apply --interface")
	line := regexp.MustCompile(`(?s)connsync apply .*?--enable\b`).FindString(a.screen.String())
	if line == "" {
		t.Fatalf("the first node shows no line for the other one:\n%s", a.screen.String())
	}

	b.see("What is this appliance?")
	b.press(enter)
	b.see("The line that the other node shows")
	b.press(strings.ReplaceAll(line, "\n", "\r"), enter)
	b.see("Review your answers", "10.0.0.102/24", "10.0.0.101/24", "[ Check and Save ]")
	b.press(enter)
	b.see("[1 checks]", "enter review")
	b.ponder()
	b.press(enter)
	b.see("[2 review]", "> [ Apply ]")
	b.ponder()
	b.press(enter)
	b.see("Saved, and in force. In sync both ways.")

	// The first node has waited, and sees it by itself.
	a.see("Connection Sync: status", "In sync both ways.")
	for _, s := range []*consoleSeat{a, b} {
		s.ponder()
		s.press(escKey)
		s.see("Connection sync is set up on this node.")
		s.press(tab, enter)
		if err := s.machine.Up(ctx); err != nil {
			t.Fatal(err)
		}
		s.see(s.machine.Name() + " login:")
	}
	a.isTwoWay(ctx, "after the setup")
	for _, s := range []*consoleSeat{a, b} {
		if err := s.machine.Reboot(ctx); err != nil {
			t.Fatal(err)
		}
		s.see(s.machine.Name() + " login:")
	}
	for _, s := range []*consoleSeat{a, b} {
		s.isTwoWay(ctx, "after the reboot")
		if out, err := s.machine.Run(ctx, "cat", applicationFile, setupFile); err != nil || out != "LLB\ndone\n" {
			t.Errorf("%s keeps %q (%v)", s.machine.Name(), out, err)
		}
		if out, err := s.machine.Run(ctx, "systemctl", "--failed", "--plain", "--no-legend"); err != nil || out != "" {
			t.Errorf("failed units of %s: %q (%v)", s.machine.Name(), out, err)
		}
		// The setup has said what the appliance is, which has our own unit look.
		if strings.Contains(s.machine.Console(), "this appliance is LLB, says") {
			t.Errorf("a unit wrote over the setup of %s", s.machine.Name())
		}
	}
}

// Where nobody answers the boot goes on, and the next one is not held up. An
// appliance that becomes another one loses its sync at once, and at boot.
func TestFirstBootGoesOnUnanswered(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	network, _ := syncLink(t, "10.0.0.101/24", "10.0.0.102/24")
	s := firstBoot(t, ctx, lab.MachineOptions{Name: "fw-a", Network: network}, "5s")
	s.see("What is this appliance?", "Without a key for 5 seconds the boot continues.")
	if err := s.machine.Up(ctx); err != nil {
		t.Fatal(err)
	}
	s.see("Nothing is set up. To continue later, run connsync setup.", "fw-a login:")
	if out, err := s.machine.Run(ctx, "systemctl", "show", "-P", "Result", "connsync-setup.service"); err != nil || out != "success\n" {
		t.Errorf("the setup's unit ended with %q (%v)", out, err)
	}
	if out, err := s.machine.Run(ctx, "cat", setupFile); err != nil || out != "unanswered\n" {
		t.Errorf("the setup left %q (%v)", out, err)
	}
	if err := s.machine.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if out, _ := s.machine.Run(ctx, "systemctl", "show", "-P", "ConditionResult", "connsync-setup.service"); out != "no\n" {
		t.Errorf("the second boot asked again: ConditionResult=%s", out)
	}

	shell := func(script string) { t.Helper(); s.shell(ctx, script) }
	shell("mkdir -p /etc/connsync && echo LLB >" + applicationFile)
	shell("connsync apply --enable --first-node --interface " + lab.SyncInterface + " --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24")
	shell("systemctl is-active conntrackd && systemctl is-enabled conntrackd")
	shell("echo WAF >" + applicationFile)
	shell("n=0; while systemctl --quiet is-active conntrackd; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done; ! systemctl is-enabled conntrackd")

	// Changed while nothing watched: the next boot sees it.
	shell("systemctl stop connsync-application.path && echo LLB >" + applicationFile)
	shell("connsync apply --enable --first-node && systemctl is-enabled conntrackd && echo ADC >" + applicationFile)
	if err := s.machine.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	shell("! systemctl is-active conntrackd && ! systemctl is-enabled conntrackd && test -e " + lab.ConfigPath)
	if got := s.machine.Console(); !strings.Contains(got, "The sync is disabled now: connection sync is for link load balancers (LLB); this appliance is ADC") {
		t.Errorf("the console does not say it:\n%s", got)
	}
}

// The same for an init without units: SysV init by a line in its inittab, OpenRC
// by a script of its runlevel. Login, which this lab's machines of that kind do
// not have, comes after both.
func TestFirstBootWithoutSystemd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		init    lab.Init
		prepare func(root string, run func(string, ...string) (string, error)) error
		do      func(*consoleSeat)
		left    string
	}{
		{lab.SysV, func(root string, _ func(string, ...string) (string, error)) error {
			return addToInittab(root)
		}, func(s *consoleSeat) {
			s.press("\x03")
			s.see("Quit the setup?")
			s.press("v")
		}, "declined"},
		{lab.OpenRC, func(root string, run func(string, ...string) (string, error)) error {
			if err := put(root, "/etc/conf.d/connsync-setup", "CONNSYNC_PATIENCE=5s\n"); err != nil {
				return err
			}
			_, err := run("sh", "-c", "cp /usr/share/doc/connsync/examples/openrc/connsync-setup /etc/init.d/ && rc-update add connsync-setup default")
			return err
		}, func(*consoleSeat) {}, "unanswered"},
	} {
		t.Run(string(tc.init), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
			defer cancel()
			s := firstBootPrepared(t, ctx, lab.MachineOptions{Name: "fw-a", Debian: lab.Debian{Init: tc.init}}, tc.prepare)
			s.see("Connection Sync: setup", "What is this appliance?")
			tc.do(s)
			if err := s.machine.Up(ctx); err != nil {
				t.Fatal(err)
			}
			s.see("Nothing is set up. To continue later, run connsync setup.")
			if got := s.shell(ctx, "cat "+setupFile); got != tc.left {
				t.Errorf("the setup left %q, want %q", got, tc.left)
			}
			if got := s.shell(ctx, "/usr/lib/connsync/setup-console </dev/null && echo ended"); got != "ended" {
				t.Errorf("the next boot is asked again: %s", got)
			}
		})
	}
}

// addToInittab puts the line of the package's example where its comment says:
// above everything that init waits for or starts after it.
func addToInittab(root string) error {
	example, err := os.ReadFile("inittab/README")
	if err != nil {
		return err
	}
	line := regexp.MustCompile(`(?m)^ +(cs:2345:wait:/usr/lib\S+)$`).FindSubmatch(example)
	if line == nil {
		return errors.New("inittab/README has no line for SysV init")
	}
	path := filepath.Join(root, "/etc/inittab")
	inittab, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := bytes.Index(inittab, []byte("\nlab:"))
	if at < 0 {
		return errors.New("the machine's inittab does not say when it is up")
	}
	changed := append(append(append([]byte{}, inittab[:at+1]...), append(line[1], '\n')...), inittab[at+1:]...)
	return os.WriteFile(path, changed, 0o644)
}

// The keys that are not letters.
const (
	enter  = "\r"
	tab    = "\t"
	escKey = "\x1b"
)

// patience is how long a screen may take; boots, checks and restarts included.
const patience = 90 * time.Second

const (
	applicationFile = "/etc/connsync/application"
	setupFile       = "/var/lib/connsync/setup"
)

// consoleSeat is a person's place at the console of a machine.
type consoleSeat struct {
	t       *testing.T
	machine *lab.Machine
	screen  *vt102.Screen
}

// firstBoot powers a Debian on that has the package installed and has not booted
// since; bound is the setup's, where it is not the unit's own.
func firstBoot(t *testing.T, ctx context.Context, opts lab.MachineOptions, bound string) *consoleSeat {
	t.Helper()
	return firstBootPrepared(t, ctx, opts, func(root string, _ func(string, ...string) (string, error)) error {
		if bound == "" {
			return nil
		}
		return put(root, "/etc/systemd/system/connsync-setup.service.d/bound.conf", "[Service]\nEnvironment=CONNSYNC_PATIENCE="+bound+"\n"+lab.UnhurriedHangUp)
	})
}

func firstBootPrepared(t *testing.T, ctx context.Context, opts lab.MachineOptions, prepare func(root string, run func(string, ...string) (string, error)) error) *consoleSeat {
	t.Helper()
	content, err := os.ReadFile(deb(t, runtime.GOARCH))
	if err != nil {
		t.Fatal(err)
	}
	s := &consoleSeat{t: t, screen: vt102.New(80, 24)}
	opts.Screen = s.screen
	opts.Prepare = func(root string, run func(string, ...string) (string, error)) error {
		if err := put(root, "/root/connsync.deb", string(content)); err != nil {
			return err
		}
		if out, err := run("dpkg", "-i", "/root/connsync.deb"); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return prepare(root, run)
	}
	if s.machine, err = lab.PowerOn(ctx, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.machine.Close() })
	return s
}

func put(root, path, content string) error {
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// see waits until the console shows every one of texts.
func (s *consoleSeat) see(texts ...string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		screen, missing := s.screen.String(), ""
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the console of %s never shows %q; it shows:\n%s", s.machine.Name(), missing, screen)
		}
	}
}

// press types, one text after the other.
func (s *consoleSeat) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		if err := s.machine.Type(k); err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ponder is what a person does before an answer: a screen that came up by itself
// takes no key for a moment.
func (s *consoleSeat) ponder() { time.Sleep(time.Second) }

func (s *consoleSeat) shell(ctx context.Context, script string) string {
	s.t.Helper()
	out, err := s.machine.Run(ctx, "sh", "-c", script)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(out)
}

// isTwoWay fails unless the machine's sync goes both ways; right after a boot the
// nodes find each other within seconds.
func (s *consoleSeat) isTwoWay(ctx context.Context, when string) {
	s.t.Helper()
	var out string
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if out, err = s.machine.Run(ctx, "/usr/sbin/connsync", "status"); err == nil {
			return
		}
	}
	s.t.Errorf("%s: %s is not in sync both ways: %v\n%s", when, s.machine.Name(), err, out)
}

// syncLink makes two networks with an addressed sync link between them. They
// outlast the machines in them.
func syncLink(t *testing.T, addresses ...string) (a, b *lab.Namespace) {
	t.Helper()
	var ends [2]*lab.Namespace
	for i := range ends {
		n, err := lab.NewNamespace()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		ends[i] = n
	}
	if err := lab.Veth(ends[0], lab.SyncInterface, ends[1], lab.SyncInterface); err != nil {
		t.Fatal(err)
	}
	for i, n := range ends {
		err := n.Do(func() error {
			link, err := netlink.LinkByName(lab.SyncInterface)
			if err != nil {
				return err
			}
			address, err := netlink.ParseAddr(addresses[i])
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(link, address); err != nil {
				return err
			}
			return netlink.LinkSetUp(link)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1]
}
