package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supervise runs the machine until it halts, on a thread of its own: the
// thread's mount namespace holds the machine's files, and the thread's end is
// the machine's end.
func (m *Machine) supervise(ctx context.Context, tree string, network *Namespace) error {
	root, err := m.mountRoot(ctx, tree)
	if err != nil {
		return err
	}
	if m.prepare != nil {
		run := func(name string, args ...string) (string, error) {
			return output(ctx, "chroot", append([]string{root, name}, args...)...)
		}
		if err := m.prepare(root, run); err != nil {
			return fmt.Errorf("prepare %s: %w", m.name, err)
		}
	}
	for {
		cmd := m.nspawn(ctx, root, network)
		err := cmd.Run()
		var exit *exec.ExitError
		// This status asks the caller for a new run: the machine reboots.
		if errors.As(err, &exit) && exit.ExitCode() == 133 && ctx.Err() == nil {
			continue
		}
		if err == nil {
			err = errors.New("the machine was shut down")
		}
		return err
	}
}

// mountRoot leaves the thread in a mount namespace where the machine's root
// directory is mounted, writable, in memory.
func (m *Machine) mountRoot(ctx context.Context, tree string) (string, error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return "", fmt.Errorf("unshare mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("make mounts private: %w", err)
	}
	layer := m.place.path("layer")
	if err := unix.Mount("tmpfs", layer, "tmpfs", 0, "mode=755"); err != nil {
		return "", fmt.Errorf("mount memory on %s: %w", layer, err)
	}
	upper, work, root := filepath.Join(layer, "upper"), filepath.Join(layer, "work"), filepath.Join(layer, "root")
	for _, dir := range []string{upper, work, root} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", err
		}
	}
	err := unix.Mount("overlay", root, "overlay", 0, "lowerdir="+tree+",upperdir="+upper+",workdir="+work)
	if errors.Is(err, unix.ENODEV) { // a kernel without overlayfs
		_, err = output(ctx, "cp", "--archive", tree+"/.", root)
	}
	if err != nil {
		return "", fmt.Errorf("lay the machine's files over %s: %w", tree, err)
	}
	return root, m.furnish(root)
}

// furnish replaces the name that debootstrap took from the host. SysV's init
// says when it is done, and has no consoles to log in at.
func (m *Machine) furnish(root string) error {
	err := os.WriteFile(filepath.Join(root, "etc/hostname"), []byte(m.name+"\n"), 0o644)
	if err != nil || m.init == Systemd {
		return err
	}
	path := filepath.Join(root, "etc/inittab")
	inittab, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var lines []string
	for line := range strings.Lines(string(inittab)) {
		if !strings.Contains(line, "getty") {
			lines = append(lines, line)
		}
	}
	// init goes through the lines in their order, and waits for each of these.
	lines = append(lines, "lab:2345:wait:/bin/sh -c ': >"+bootedMark+"'\n")
	return os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644)
}

// bootedMark is made by a machine without systemd when it is up; /run is new
// with every boot.
const bootedMark = "/run/lab-booted"

// booted waits until the machine whose first process is given is up. systemd
// has said so before that process is known.
func (m *Machine) booted(ctx context.Context, leader int) error {
	if m.init == Systemd {
		return nil
	}
	for {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/root%s", leader, bootedMark)); err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-m.halted:
			return fmt.Errorf("it halted: %w: %s", m.err, m.console.tail())
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), m.console.tail())
		}
	}
}

// nspawn is the command that boots the machine once.
//
//   - --register=no and --keep-unit: the host's systemd, if it has one, is not
//     asked for anything. The second makes nspawn work within the control
//     group that it finds itself in, which the shell has chosen before: two
//     machines in one group would share their groups.
//   - a network namespace by path, not --private-network: it is there before
//     the machine and after its reboot. What nspawn grants with the latter is
//     granted by hand: CAP_NET_ADMIN and a writable /proc/sys/net.
//   - --notify-ready: systemd's own word that it is up, and the process ID of
//     the machine's first process, come by the socket. Another first process
//     says nothing; see booted.
//   - SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: systemd from 258 on halts in hierarchies of control
//     groups as older ones had them, which nspawn would give it where the host has them.
//   - no terminal unless somebody is to sit at it: the console goes to a pipe, and
//     its input is empty.
func (m *Machine) nspawn(ctx context.Context, root string, network *Namespace) *exec.Cmd {
	notify := "yes"
	if m.init != Systemd {
		notify = "no"
	}
	const join = `for group in $GROUPS_TO_JOIN; do echo $$ >"$group/cgroup.procs" || exit 1; done; exec "$@"`
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", join, "sh", "systemd-nspawn",
		"--directory="+root, "--boot", "--machine="+m.place.name,
		"--register=no", "--keep-unit", m.consoleMode(), "--notify-ready="+notify,
		fmt.Sprintf("--network-namespace-path=/proc/%d/fd/%d", os.Getpid(), int(network.handle)),
		"--capability=CAP_NET_ADMIN", "--resolv-conf=off", "--timezone=off", "--link-journal=no")
	cmd.Env = append(os.Environ(), "GROUPS_TO_JOIN="+strings.Join(m.place.groups, " "),
		"NOTIFY_SOCKET="+m.notify.path, "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network")
	cmd.Stdout, cmd.Stderr = m.console, m.console
	if m.init == Systemd && systemdVersion(root) >= 258 {
		cmd.Env = append(cmd.Env, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	}
	if m.line != nil {
		cmd.Stdin, cmd.Stdout = m.line.tty, m.line.tty
		cmd.Env = append(cmd.Env, "TERM=vt220")
	}
	// Not in the caller's session: Ctrl+C there is not for the machine.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	cmd.Cancel = func() error {
		// nspawn follows the machine's first process and collects it; if there
		// is none yet, it is killed itself.
		if m.place.kill(cmd.Process.Pid) > 0 {
			return nil
		}
		return cmd.Process.Kill()
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// systemdVersion is that of the systemd in a tree, from the name of its library; zero
// where there is none.
func systemdVersion(root string) (newest int) {
	const name = "libsystemd-shared-"
	for _, dir := range []string{"usr/lib/systemd", "usr/lib/*/systemd"} {
		found, _ := filepath.Glob(filepath.Join(root, dir, name+"*.so"))
		for _, path := range found {
			version, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), name), ".")
			n, _ := strconv.Atoi(version)
			newest = max(newest, n)
		}
	}
	return newest
}

func (m *Machine) consoleMode() string {
	if m.line != nil {
		return "--console=interactive"
	}
	return "--console=pipe"
}

// notifySocket hears nspawn's messages (sd_notify(3)).
type notifySocket struct {
	path  string
	conn  *net.UnixConn
	ready chan int // process IDs of first processes whose machine is up
}

func listenNotify(path string) (*notifySocket, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	n := &notifySocket{path: path, conn: conn, ready: make(chan int, 16)}
	go n.listen()
	return n, nil
}

func (n *notifySocket) listen() {
	buf := make([]byte, 4096)
	leader := 0
	for {
		size, err := n.conn.Read(buf)
		if err != nil {
			return
		}
		for _, line := range bytes.Split(buf[:size], []byte("\n")) {
			name, value, _ := strings.Cut(string(line), "=")
			switch name {
			case "X_NSPAWN_LEADER_PID":
				leader, _ = strconv.Atoi(value)
			case "READY":
				select {
				case n.ready <- leader:
				default: // nobody counts reboots that nobody asked for
				}
			}
		}
	}
}

func (n *notifySocket) Close() error { return n.conn.Close() }
