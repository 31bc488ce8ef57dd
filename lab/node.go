package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Node is a small container that stands for a host without a service manager:
// network, PID, mount, UTS and IPC namespaces of its own, a fresh /run, its
// own /proc and /sys, and /etc, /var/lib and /var/log whose changes are the
// node's alone. Programs use their default paths there and see only the
// node's processes. The rest of the file system, /tmp among it, is the host's.
//
// A node lives while the process that made it does, or until Close: its first
// process waits for the end of a pipe, and the kernel ends everything else in
// the node with it, daemons included. A Node may be used concurrently, but for
// Close.
type Node struct {
	*Namespace // the node's network

	name   string
	pid    int // of the node's first process, as seen here
	init   *exec.Cmd
	hold   io.Closer     // the pipe; closing it ends the node
	exited chan struct{} // closed when init has been reaped
	spaces []space
	root   int // the first process's root directory, held open; -1 without
}

// space is one namespace of a node, held open.
type space struct {
	kind string // as in /proc/PID/ns
	flag int
	fd   int
}

// initScript makes the node's file system, says "ready" and then reaps. The
// shell is PID 1: while it waits for cat it collects every orphan too.
const initScript = `set -e
mount --make-rprivate /
mount -t proc proc /proc
echo init >/proc/self/comm # the node is a host, whose first process is its init
mount -t sysfs sysfs /sys
umount -R /run/netns 2>/dev/null || true # copies of these mounts would keep others' namespaces
mount -t tmpfs tmpfs /run
for dir in /etc /var/lib /var/log; do
	mkdir -p /run$dir/upper /run$dir/work
	mount -t overlay overlay -o lowerdir=$dir,upperdir=/run$dir/upper,workdir=/run$dir/work $dir
done
mount -t tmpfs -o mode=755 tmpfs /run # over the layers, which stay
mkdir -m 1777 /run/lock
[ -L /var/lock ] || mount -t tmpfs -o mode=1777 tmpfs /var/lock
[ -L /var/run ] || mount --bind /run /var/run
rm -rf /etc/conntrackd /etc/connsync /var/lib/connsync /etc/logrotate.d/conntrackd
mkdir -p /etc/conntrackd /etc/sysctl.d
echo net.netfilter.nf_conntrack_events=1 >/etc/sysctl.d/99-lab.conf
echo 1 >/proc/sys/net/netfilter/nf_conntrack_events
echo "$1" >/proc/sys/kernel/hostname
echo ready
cat >/dev/null
exit 0
`

// NewNode starts a node with the host name given. Its /etc/conntrackd is empty,
// its only interface is loopback, up, and nothing beside the configuration is
// in the way of a sync: its kernel reports every connection, and no rule of
// logrotate's restarts the daemon. It needs root and a kernel with
// overlayfs.
func NewNode(ctx context.Context, name string) (*Node, error) {
	n, err := startNode(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("make node %s: %w", name, err)
	}
	return n, nil
}

func startNode(ctx context.Context, name string) (*Node, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("namespaces need root")
	}
	cmd := exec.Command("/bin/sh", "-c", initScript, "init", name)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true, // Ctrl+C on the lab's terminal is not for the node
	}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	n := &Node{name: name, pid: cmd.Process.Pid, init: cmd, hold: hold, exited: make(chan struct{}), root: -1, Namespace: &Namespace{handle: netns.None()}}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	ready, err := bufio.NewReader(out).ReadString('\n')
	stop()
	go func() {
		cmd.Wait()
		close(n.exited)
	}()
	if err != nil || ready != "ready\n" {
		n.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("set up its file system: %s", strings.TrimSpace(complaint.String()))
	}
	if err := n.open(); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// open takes hold of the namespaces and the root directory, and sets loopback up.
func (n *Node) open() (err error) {
	path := fmt.Sprintf("/proc/%d/root", n.pid)
	if n.root, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	// The mount namespace comes last: the others are entered by descriptor,
	// and after it /proc is the node's.
	for _, s := range []space{
		{"pid", unix.CLONE_NEWPID, -1}, {"uts", unix.CLONE_NEWUTS, -1}, {"ipc", unix.CLONE_NEWIPC, -1},
		{"net", unix.CLONE_NEWNET, -1}, {"mnt", unix.CLONE_NEWNS, -1},
	} {
		path := fmt.Sprintf("/proc/%d/ns/%s", n.pid, s.kind)
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s: %w", path, err)
		}
		s.fd = fd
		n.spaces = append(n.spaces, s)
		if s.kind == "net" {
			n.Namespace.handle = netns.NsHandle(fd)
		}
	}
	return n.Do(func() error { return setUp("lo") })
}

// release lets go of what open has taken hold of.
func (n *Node) release() {
	for _, s := range n.spaces {
		unix.Close(s.fd)
	}
	if n.root >= 0 {
		unix.Close(n.root)
	}
	n.spaces, n.root = nil, -1
	n.Namespace.handle = netns.None()
}

// Name is the node's host name.
func (n *Node) Name() string { return n.name }

// Enter runs fn on a thread that is in every namespace of the node: files are
// the node's, and a process that fn starts is a process of the node and a
// direct child of the caller. Goroutines that fn starts are elsewhere. The
// working directory is /.
func (n *Node) Enter(fn func() error) error {
	return onThread(func() error {
		// A thread that shares its file system state may not change its mounts.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("enter %s: unshare file system state: %w", n.name, err)
		}
		for _, s := range n.spaces {
			if err := unix.Setns(s.fd, s.flag); err != nil {
				return fmt.Errorf("enter %s namespace of %s: %w", s.kind, n.name, err)
			}
		}
		// The root of the mount namespace is another one where the first process was
		// not moved there but confined to a directory.
		if err := errors.Join(unix.Fchdir(n.root), unix.Chroot(".")); err != nil {
			return fmt.Errorf("enter the root directory of %s: %w", n.name, err)
		}
		return fn()
	})
}

// Start starts cmd in the node as a direct child, so that a signal to
// cmd.Process reaches the program itself. For a program on a terminal call
// pty.Start within [Node.Enter] instead.
func (n *Node) Start(cmd *exec.Cmd) error { return n.Enter(cmd.Start) }

// Command is exec.Command inside the node, for a caller who has to start it
// himself: it is nsenter with the program as its child, and a signal to it
// ends nsenter alone, whereupon the kernel kills the program. The working
// directory is /. Daemons that the program leaves behind live on in the node.
func (n *Node) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", n.arguments(name, args)...)
}

// CommandContext is [Node.Command] with a context that kills the program.
func (n *Node) CommandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", n.arguments(name, args)...)
	cmd.Cancel = func() error { return killChild(cmd.Process) }
	cmd.WaitDelay = 2 * time.Second // a daemon may have kept the output open
	return cmd
}

func (n *Node) arguments(name string, args []string) []string {
	line := []string{"--target", strconv.Itoa(n.pid), "--net", "--pid", "--mount", "--uts", "--ipc", "--root", "--wd", "--",
		"setpriv", "--pdeathsig", "KILL", "--", name}
	return append(line, args...)
}

// killChild kills what nsenter runs, so that nsenter collects it and ends. If
// nsenter were killed first, the program would be an orphan of this host, and
// the node could not end before the host's init has collected it.
func killChild(nsenter *os.Process) error {
	path := fmt.Sprintf("/proc/%d/task/%[1]d/children", nsenter.Pid)
	children, err := os.ReadFile(path)
	if err != nil {
		return nsenter.Kill()
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		return nsenter.Kill() // it has not started the program yet
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// Run runs a program in the node to its end, or the context's, and returns
// what it printed on both outputs. The error of a failed program holds that
// output too.
func (n *Node) Run(ctx context.Context, name string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 2 * time.Second // a daemon may have kept the output open
	err := n.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %s %s: %w: %s", n.name, name, strings.Join(args, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return out.String(), nil
}

// WriteFile writes a file of the node, mode 0644, and makes its directories.
func (n *Node) WriteFile(path string, content []byte) error {
	return n.Enter(func() error {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o644)
	})
}

// ReadFile reads a file of the node.
func (n *Node) ReadFile(path string) ([]byte, error) {
	var content []byte
	err := n.Enter(func() (err error) {
		content, err = os.ReadFile(path)
		return err
	})
	return content, err
}

// Sysctl sets a kernel parameter of the node, named as sysctl(8) names it.
func (n *Node) Sysctl(name, value string) error {
	path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	return n.Enter(func() error {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("sysctl %s=%s: %w", name, value, err)
		}
		return nil
	})
}

// Processes returns the process IDs, as seen inside the node, of the programs
// with this command name (the first 15 characters of it).
func (n *Node) Processes(command string) ([]int, error) {
	var pids []int
	err := n.Enter(func() error {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			// A process that is gone by now, or a zombie, does not run.
			stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
			if err != nil {
				continue
			}
			_, rest, _ := strings.Cut(string(stat), "(")
			comm, state, _ := strings.Cut(rest, ") ")
			if comm == command && !strings.HasPrefix(state, "Z") {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids, err
}

// Signal sends a signal to every process of the node with this command name.
// No such process is no error.
func (n *Node) Signal(ctx context.Context, command string, sig syscall.Signal) error {
	pids, err := n.Processes(command)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if _, err := n.Run(ctx, "kill", "-"+strconv.Itoa(int(sig)), strconv.Itoa(pid)); err != nil {
			// A daemon forks for a dump, and a short-lived process may be gone by now.
			if left, _ := n.Processes(command); slices.Contains(left, pid) {
				return err
			}
		}
	}
	return nil
}

// Close ends the node with everything that runs in it, and returns when it is
// gone. A second Close does nothing.
func (n *Node) Close() error {
	n.hold.Close()
	n.release()
	select {
	case <-n.exited:
		return nil
	case <-time.After(5 * time.Second):
	}
	n.init.Process.Kill()
	select {
	case <-n.exited:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("node %s does not end: a process of it waits to be collected", n.name)
	}
}
