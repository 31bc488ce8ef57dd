// Command guest is the first process of the machine behind the serial line:
// it makes two nodes with a sync link between them, and does there what the
// harness asks for.
package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"connsync/lab/uart/wire"
)

func main() {
	why := run()
	_ = say("guest: " + why.Error()) // there is nobody else to tell
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// run serves the harness, and returns why it ended.
func run() error {
	if err := prepare(); err != nil {
		return err
	}
	g, err := newGuest(
		netip.MustParsePrefix("10.0.0.101/24"), netip.MustParsePrefix("10.0.0.102/24"))
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.RegisterName(wire.Service, g); err != nil {
		return err
	}
	line, err := openRaw("/dev/ttyS1")
	if err != nil {
		return err
	}
	if _, err := line.WriteString(wire.Ready); err != nil {
		return err
	}
	server.ServeConn(line)
	return errors.New("the harness has gone")
}

// prepare makes the kernel's own file systems, loads its modules, and puts
// busybox's programs where they are looked for.
func prepare() error {
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.at, err)
		}
	}
	if err := leaveConsole(); err != nil {
		return err
	}
	modules, err := filepath.Glob("/modules/*")
	if err != nil {
		return err
	}
	slices.Sort(modules)
	for _, path := range modules {
		if err := load(path); err != nil {
			return err
		}
	}
	if err := os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"); err != nil {
		return err
	}
	if out, err := exec.Command("busybox", "--install", "-s", "/bin").CombinedOutput(); err != nil {
		return fmt.Errorf("busybox --install: %w: %s", err, out)
	}
	return nil
}

// leaveConsole closes what the kernel has opened for its first process: as long
// as anybody has the line, it keeps the size that a program gave it.
func leaveConsole() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return err
		}
	}
	return nil
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
}

// openRaw opens a line that carries any byte.
func openRaw(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^unix.CBAUD | unix.B115200 | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return f, unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
}
