package service

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connsync/trust"
)

// Keeper is what runs a daemon and would start it again after a stop, as far as its
// parent and its control groups tell. The zero value is none.
type Keeper struct {
	Name    string // such as "runit", or the name of a program
	PID     int    // of the parent; zero where that is not on this host
	Restart string // the command that restarts the daemon; blank where it is not known
}

// String is the name with the process.
func (k Keeper) String() string {
	if k.PID == 0 {
		return k.Name
	}
	return fmt.Sprintf("%s (process %d)", k.Name, k.PID)
}

// KeptError says that a daemon is not stopped, since something would start it again:
// two daemons of one file would end each other over its lock. Nothing was changed.
type KeptError struct {
	PID    int // of the daemon
	Keeper Keeper
	Again  bool // it was stopped, and has come back by itself
}

// Error names what runs the daemon, and what to do.
func (e *KeptError) Error() string {
	restart := cmp.Or(e.Keeper.Restart, "restart conntrackd with what runs it")
	if e.Keeper == (Keeper{}) {
		return fmt.Sprintf("conntrackd was started again (process %d) by a program that connsync does not know; stop that first, or write the file with --service none and %s", e.PID, restart)
	}
	began := "is run by"
	if e.Again {
		began = "was started again by"
	}
	return fmt.Sprintf("conntrackd (process %d) %s %s, which may start it again after a stop; write the file with --service none, then: %s", e.PID, began, e.Keeper, restart)
}

// keepers are the programs that run a daemon and start it again, by the name of the
// process. %s in a command is the service, which their first argument names.
var keepers = map[string]Keeper{
	"procd":           {Name: "procd", Restart: "/etc/init.d/conntrackd restart"},
	"runsv":           {Name: "runit", Restart: "sv restart %s"},
	"s6-supervise":    {Name: "s6", Restart: "s6-svc -r /run/service/%s"},
	"supervise":       {Name: "daemontools", Restart: "svc -t /service/%s"},
	"supervisord":     {Name: "supervisord", Restart: "supervisorctl restart conntrackd"},
	"supervise-daemo": {Name: "OpenRC's supervise-daemon", Restart: "rc-service conntrackd restart"}, // the kernel cuts names at 15
	"pacemaker":       {Name: "Pacemaker", Restart: "crm_resource --restart --resource conntrackd"},
}

// adopters are the first processes that take in daemons whose parents have ended.
var adopters = []string{"init", "systemd", "openrc-init", "busybox", "dinit", "finit"}

// keeper looks for what would start the daemon again. One that was started with -d is
// nobody's child: only a cluster manager, which looks for it by itself, is seen then.
func (p process) keeper() Keeper {
	if trust.Service(p.pid) == "pacemaker.service" {
		return keepers["pacemaker"]
	}
	if unit, main := unitOf(p.pid); main {
		return Keeper{Name: unit, Restart: "systemctl restart " + unit}
	}
	switch {
	case p.detached || p.parent == os.Getpid():
		return Keeper{}
	case p.parent == 0:
		return Keeper{Name: "the program that runs this container"}
	}
	name, arguments := commandOf(p.parent)
	if name == "" || slices.Contains(adopters, name) {
		return Keeper{}
	}
	if box := containerOf(p.pid); box != "" {
		return Keeper{Name: box, PID: p.parent}
	}
	k, known := keepers[name]
	if !known {
		k.Name = name
	}
	k.PID = p.parent
	if service := "conntrackd"; strings.Contains(k.Restart, "%s") {
		if len(arguments) > 1 {
			service = filepath.Base(arguments[1])
		}
		k.Restart = fmt.Sprintf(k.Restart, service)
	}
	return k
}

// unitOf returns the unit of systemd's that a process belongs to, and whether it is its main
// process, which not every one is that was started from it, such as from cron.service; blank
// where there is none, or systemd does not run here.
func unitOf(pid int) (unit string, main bool) {
	if !bootedWithSystemd() {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), unitTimeout)
	defer cancel()
	conn, err := dialSystemd(ctx)
	if err != nil {
		return "", false
	}
	defer conn.Close()
	if unit, err = conn.GetUnitNameByPID(ctx, uint32(pid)); err != nil {
		return "", false
	}
	u, err := readUnit(ctx, conn, unit)
	return unit, err == nil && u.pid == pid
}

// unitTimeout bounds the question for a process's unit.
const unitTimeout = 2 * time.Second

// cameBack returns the daemon that runs although it was just stopped; nil for none.
func (d *Direct) cameBack() error {
	running, err := d.running()
	if err != nil {
		return nil
	}
	return keptAgain(running)
}

// keptAgain is the error of daemons that were started again; nil for none.
func keptAgain(daemons []process) error {
	if len(daemons) == 0 {
		return nil
	}
	return &KeptError{PID: daemons[0].pid, Keeper: daemons[0].keeper(), Again: true}
}

// commandOf returns the name and the command line of a process, blank where there is none.
func commandOf(pid int) (name string, arguments []string) {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "", nil
	}
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(string(comm)), strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
}

// containerOf names the container that a process is in and this program is not.
func containerOf(pid int) string {
	theirs, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	ours, ownErr := os.ReadFile("/proc/self/cgroup")
	if err != nil || ownErr != nil || string(theirs) == string(ours) {
		return ""
	}
	return containerIn(string(theirs))
}

// containerIn reads /proc/PID/cgroup.
func containerIn(cgroups string) string {
	for _, made := range []struct{ part, name string }{
		{"kubepods", "a Kubernetes pod"}, {"libpod", "a Podman container"}, {"docker", "a Docker container"},
		{"containerd", "a containerd container"}, {"lxc", "an LXC container"},
	} {
		if strings.Contains(cgroups, made.part) {
			return made.name
		}
	}
	return ""
}
