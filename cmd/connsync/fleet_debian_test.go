package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
)

// Two pairs of booted Debians are set up by the role in packaging/ansible, over
// ssh. A second run changes nothing; with a node off its pair is left as it is
// and named, and the other pair is done.
func TestFleetByAnsible(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	f := newFleet(t, ctx)

	out, err := f.play(t, "--check", "--limit", "alpha")
	f.recap(t, "dry run", out, err, map[string]string{"a1": "changed=1", "a2": "changed=1"})
	if _, err := f.machines["a1"].Run(ctx, "grep", "-q", "10.0.1.101", lab.ConfigPath); err == nil {
		t.Error("a dry run wrote the file")
	}

	out, err = f.play(t)
	f.recap(t, "first run", out, err, map[string]string{"a1": "changed=1", "a2": "changed=1", "b1": "changed=1", "b2": "changed=1"})
	for name, m := range f.machines {
		if out, err := m.Run(ctx, "/usr/sbin/connsync", "status"); err != nil {
			t.Errorf("status of %s: %v\n%s", name, err, out)
		}
	}

	out, err = f.play(t)
	f.recap(t, "second run", out, err, map[string]string{"a1": "changed=0", "a2": "changed=0", "b1": "changed=0", "b2": "changed=0"})

	// b1 is switched off, and both pairs are to get another port.
	before, readErr := f.machines["b2"].ReadFile(lab.ConfigPath)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if err := f.machines["b1"].Close(); err != nil {
		t.Fatal(err)
	}
	f.port = 3790
	f.inventory(t)
	out, err = f.play(t)
	if err == nil {
		t.Errorf("the play succeeded with a node off:\n%s", out)
	}
	f.recap(t, "with b1 off", out, nil, map[string]string{"a1": "changed=1", "a2": "changed=1", "b1": "unreachable=1", "b2": "failed=1"})
	if want := "b1, the other node of pair beta, cannot be reached or is not in this run: nothing is changed here"; !strings.Contains(out, want) {
		t.Errorf("the play does not say %q:\n%s", want, out)
	}
	after, readErr := f.machines["b2"].ReadFile(lab.ConfigPath)
	if readErr != nil || !cmp.Equal(before, after) {
		t.Errorf("b2, whose peer is off, was changed (%v)", readErr)
	}
	for _, name := range []string{"a1", "a2"} {
		out, err := f.machines[name].Run(ctx, "/usr/sbin/connsync", "show")
		if err != nil || !regexp.MustCompile(`(?m)^Port +3790$`).MatchString(out) {
			t.Errorf("show of %s: %v\n%s", name, err, out)
		}
	}
}

// fleet is two pairs of machines, alpha (a1, a2) and beta (b1, b2), and an
// administrator's network from which Ansible reaches all four.
type fleet struct {
	ctx      context.Context
	machines map[string]*lab.Machine
	admin    *lab.Namespace
	dir      string // of the inventory and the key
	port     int
}

var fleetNodes = []struct{ name, pair, managed, sync string }{
	{"a1", "alpha", "10.254.0.11", "10.0.1.101/24"},
	{"a2", "alpha", "10.254.0.12", "10.0.1.102/24"},
	{"b1", "beta", "10.254.0.21", "10.0.2.101/24"},
	{"b2", "beta", "10.254.0.22", "10.0.2.102/24"},
}

func newFleet(t *testing.T, ctx context.Context) *fleet {
	t.Helper()
	program := build(t)
	dir, err := os.MkdirTemp("", "fleet") // short: ssh keeps sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fleet{ctx: ctx, machines: map[string]*lab.Machine{}, dir: dir, port: 3780}
	if err := os.WriteFile(filepath.Join(dir, "ansible.cfg"), nil, 0o600); err != nil { // none of the host's
		t.Fatal(err)
	}
	key := filepath.Join(f.dir, "key")
	if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	network, err := lab.NewSwitch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	if f.admin, err = lab.NewNamespace(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.admin.Close() })
	if err := network.Plug("admin", f.admin, "eth0", 0); err != nil {
		t.Fatal(err)
	}
	if out, err := f.admin.Command("ip", "address", "add", "10.254.0.1/24", "dev", "eth0").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.boot(t)
	for _, n := range fleetNodes {
		m := f.machines[n.name]
		if err := network.Plug(n.name, m.Namespace, "eth0", 0); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.CopyIn(program, "/usr/sbin/connsync"), m.WriteFile("/root/.ssh/authorized_keys", public)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pair := range [][2]string{{"a1", "a2"}, {"b1", "b2"}} {
		if err := lab.Veth(f.machines[pair[0]].Namespace, lab.SyncInterface, f.machines[pair[1]].Namespace, lab.SyncInterface); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range fleetNodes {
		setup := fmt.Sprintf("ip address add %s/24 dev eth0 && ip address add %s dev %s && ip link set %[3]s up", n.managed, n.sync, lab.SyncInterface)
		if out, err := f.machines[n.name].Run(ctx, "sh", "-c", setup); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	f.inventory(t)
	return f
}

// boot boots the four beside each other.
func (f *fleet) boot(t *testing.T) {
	t.Helper()
	// Ansible's modules are Python, and reach their node by ssh.
	debian := lab.ManagedDebian()
	if _, err := debian.Tree(f.ctx); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	machines, failed := make([]*lab.Machine, len(fleetNodes)), make([]error, len(fleetNodes))
	for i, n := range fleetNodes {
		group.Go(func() { machines[i], failed[i] = lab.Boot(f.ctx, lab.MachineOptions{Name: n.name, Debian: debian}) })
	}
	group.Wait()
	for i, n := range fleetNodes {
		if m := machines[i]; m != nil {
			t.Cleanup(func() { m.Close() })
			f.machines[n.name] = m
		}
	}
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
}

func (f *fleet) inventory(t *testing.T) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "connsync:\n  vars:\n    ansible_user: root\n    ansible_python_interpreter: /usr/bin/python3\n    ansible_ssh_private_key_file: %s\n  children:\n", filepath.Join(f.dir, "key"))
	for i, n := range fleetNodes {
		if i%2 == 0 {
			fmt.Fprintf(&b, "    %s:\n      vars:\n        connsync_pair: %[1]s\n        connsync_settings:\n          interface: %s\n          port: %d\n      hosts:\n",
				n.pair, lab.SyncInterface, f.port)
		}
		fmt.Fprintf(&b, "        %s:\n          ansible_host: %s\n          connsync_ip: %s\n", n.name, n.managed, n.sync)
		// As an inventory in INI has them: words, not truth values.
		fmt.Fprintf(&b, "          connsync_backup: '%t'\n", i%2 == 1)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "inventory.yml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// play runs the playbook from the administrator's network.
func (f *fleet) play(t *testing.T, more ...string) (string, error) {
	start := time.Now()
	defer func() {
		t.Logf("ansible-playbook %s took %v", strings.Join(more, " "), time.Since(start).Round(time.Second))
	}()
	cmd := f.admin.Command("ansible-playbook", append([]string{"-i", filepath.Join(f.dir, "inventory.yml"), "../../packaging/ansible/site.yml"}, more...)...)
	cmd.Env = append(os.Environ(), "ANSIBLE_HOME="+f.dir, "ANSIBLE_LOCAL_TEMP="+f.dir, "ANSIBLE_HOST_KEY_CHECKING=False", "ANSIBLE_NOCOLOR=1",
		"ANSIBLE_PIPELINING=True", "ANSIBLE_TIMEOUT=10", "ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=15 -o UserKnownHostsFile=/dev/null",
		"ANSIBLE_CONFIG="+filepath.Join(f.dir, "ansible.cfg"), "ANSIBLE_SSH_CONTROL_PATH_DIR="+filepath.Join(f.dir, "cp"), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// recap compares what Ansible counted at the end.
func (f *fleet) recap(t *testing.T, when, out string, err error, want map[string]string) {
	t.Helper()
	for name, count := range want {
		line := regexp.MustCompile(`(?m)^` + name + ` +: .*$`).FindString(out)
		if !strings.Contains(line+" ", " "+count+" ") {
			t.Errorf("%s: want %s %s, got %q", when, name, count, line)
			err = errors.New("the counts are others")
		}
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", when, err, out)
	}
}
