package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/refresh"
	"connsync/conntrackd/service"
	"connsync/shell"
)

const (
	refreshService  = "connsync-refresh"
	refreshUnitFile = "/etc/systemd/system/" + refreshService + ".service"
	refreshScript   = "/etc/init.d/" + refreshService

	packagedProgram    = "/usr/sbin/connsync"
	packagedConfig     = "/etc/conntrackd/conntrackd.conf"
	packagedRuntimeDir = "/run/connsync"
	packagedStateDir   = "/var/lib/connsync"
)

// The managers that may start the refresh, in [hostfile.Change.To].
const (
	managerSystemd = "systemd"
	managerOpenRC  = "openrc"
	managerSysV    = "sysv"
	managerDirect  = "direct"
)

func managers() []string { return []string{managerSystemd, managerOpenRC, managerSysV, managerDirect} }

// refreshUnitText is the unit that the packages have, but for the command.
const refreshUnitText = `[Unit]
Description=Keep connections in use alive on the peer of the connection sync
Documentation=man:connsync-refresh(8)
After=conntrackd.service

[Service]
ExecStart=%s
Restart=always
RestartSec=5

# It reads the kernel's connection table, asks conntrackd what it holds, listens to the
# sync link for the verdict that it records, and keeps its state in /run/connsync. For the
# report to the peer it reads keepalived's configuration and which conntrack helpers the
# rules assign. It has to be root for conntrackd's control socket.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_PTRACE
NoNewPrivileges=yes
ProtectHome=read-only
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectProc=invisible
PrivateMounts=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
# It listens to the link's packets, and neither sends nor takes any by IP.
IPAddressDeny=any
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=multi-user.target
`

// refreshScriptText is for SysV's init and for OpenRC, which runs such scripts too.
const refreshScriptText = `#!/bin/sh
# Written by connsync, and taken away by "connsync unprepare".
### BEGIN INIT INFO
# Provides:          connsync-refresh
# Required-Start:    $local_fs $network
# Required-Stop:     $local_fs
# Should-Start:      conntrackd
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Keep connections in use alive on the peer
### END INIT INFO
# chkconfig: 2345 92 8
# description: Keeps connections in use alive on the peer of the connection sync.

case "$1" in
start) %[1]s --background ;;
stop) %[2]s ;;
restart | force-reload) %[2]s && %[1]s --background ;;
*) echo "Usage: $0 {start|stop|restart|force-reload}" >&2; exit 64 ;;
esac
`

// refreshProcess is the refresh of this node as a process; tests have others.
type refreshProcess interface {
	Running(runtimeDir string) (bool, error)
	Start(ctx context.Context, runtimeDir, program string, arguments ...string) error
	Stop(ctx context.Context, runtimeDir string) error
}

type ownRefresh struct{}

func (ownRefresh) Running(runtimeDir string) (bool, error) {
	s, err := refresh.Running(runtimeDir)
	return s != nil, err
}

func (ownRefresh) Start(ctx context.Context, runtimeDir, program string, arguments ...string) error {
	return refresh.Start(ctx, runtimeDir, program, arguments...)
}

func (ownRefresh) Stop(ctx context.Context, runtimeDir string) error {
	return refresh.Stop(ctx, runtimeDir)
}

// manager is who would run the refresh, blank for nobody.
func (p *Preparer) manager() string {
	switch p.Service.(type) {
	case *service.Systemd:
		return managerSystemd
	case *service.OpenRC:
		return managerOpenRC
	case *service.SysV:
		return managerSysV
	case *service.Direct:
		return managerDirect
	}
	return ""
}

// refresh looks whether connections in use are kept alive on the peer, and the peer is told
// what this node holds; false where nothing can be started for it.
func (l *hostLook) refresh() (Item, bool) {
	i := Item{
		ID: ItemRefresh, Title: "Keep connections in use alive on the peer (connsync refresh), now and at boot",
		Reason: "with the states in the kernel, the peer lets a connection expire that is in use without changing its state",
	}
	if l.c.Settings.ExternalCache {
		i.Title = "Report to the peer what this node holds (connsync refresh), now and at boot"
		i.Reason = "without reports from this node, the peer does not know whether its connections would survive"
	}
	manager, program := l.p.manager(), l.p.Refresh.Program
	if manager == "" || program == "" {
		return i, false
	}
	if l.err != nil {
		return l.settle(i), true
	}
	if !l.own && manager != managerDirect {
		i.State, i.Detail = ItemUnknown, "this is not the host's network namespace, so its services are not looked at"
		return i, true
	}
	c := refresh.Command{Config: l.c.Path, RuntimeDir: l.p.Refresh.RuntimeDir, Every: "auto", WhileRunning: manager == managerDirect}
	if manager == managerDirect && l.p.Refresh.RunBy == managerDirect { // where a service manager would be found
		c.RunBy = managerDirect
	}
	if l.p.StateDir != packagedStateDir {
		c.StateDir = l.p.StateDir
	}
	words := append([]string{program}, c.Arguments()...)
	packaged := program == packagedProgram && c == refresh.Command{Config: packagedConfig, RuntimeDir: packagedRuntimeDir, Every: "auto"}
	switch manager {
	case managerSystemd:
		if packaged && l.p.exists("/usr/lib/systemd/system/"+refreshService+".service") {
			break
		}
		if packaged {
			words = []string{program, "refresh", "--every", "auto"}
		}
		i.changes = append(i.changes, change{kind: hostfile.ChangeFile, path: refreshUnitFile, unit: true,
			content: fmt.Appendf(nil, refreshUnitText, unitWords(words...))})
	case managerOpenRC, managerSysV:
		stop := []string{program, "refresh", "--stop", "--runtime-dir", l.p.Refresh.RuntimeDir}
		i.changes = append(i.changes, change{kind: hostfile.ChangeFile, path: refreshScript, program: true,
			content: fmt.Appendf(nil, refreshScriptText, shell.Line(words...), shell.Line(stop...))})
	}
	i.changes = append(i.changes, change{kind: changeStart, path: refreshService, to: manager, arguments: words})
	i = l.settle(i)
	if i.State == ItemInPlace {
		i.Detail = refreshService + " runs"
	}
	return i, true
}

func (p *Preparer) exists(path string) bool {
	_, err := os.Stat(p.path(path))
	return err == nil
}

// startState says whether the refresh runs and is started at boot.
func (p *Preparer) startState(c change) (ItemState, string) {
	running, err := p.process.Running(p.Refresh.RuntimeDir)
	switch {
	case err != nil:
		return ItemUnknown, err.Error()
	case !running:
		return ItemMissing, refreshService + " does not run"
	case !p.startsAtBoot(c.to):
		return ItemMissing, refreshService + " is not started at boot"
	}
	return ItemInPlace, ""
}

// RefreshInstalled says whether there is a unit or a script on this host that runs the refresh,
// or a save has started it where neither is; whether it starts at boot; and whether it is to run
// now, since it starts at boot or a save has started it and nobody undid that.
func (p *Preparer) RefreshInstalled() (installed, atBoot, due bool) {
	if j, err := p.journal(); err == nil { // what cannot be read has started nothing that is known
		_, due = j.Find(changeStart, refreshService)
	}
	manager := p.manager()
	switch manager {
	case managerSystemd:
		installed = p.exists(refreshUnitFile) || p.exists("/usr/lib/systemd/system/"+refreshService+".service")
	case managerOpenRC, managerSysV:
		installed = p.exists(refreshScript)
	case managerDirect:
		return due, false, due
	}
	atBoot = installed && p.startsAtBoot(manager)
	return installed, atBoot, due || atBoot
}

func (p *Preparer) startsAtBoot(manager string) bool {
	pattern := map[string]string{
		managerSystemd: "/etc/systemd/system/*.wants/" + refreshService + ".service",
		managerOpenRC:  "/etc/runlevels/*/" + refreshService,
		managerSysV:    "/etc/rc*.d/S[0-9][0-9]" + refreshService,
	}[manager]
	if pattern == "" {
		return true // nothing is started at boot there, conntrackd neither
	}
	found, err := filepath.Glob(p.path(pattern))
	return err == nil && len(found) > 0
}

// startLines are the programs that start the refresh now and at boot.
func startLines(manager, name string, program []string) [][]string {
	switch manager {
	case managerSystemd:
		return [][]string{{"systemctl", "enable", "--now", name + ".service"}}
	case managerOpenRC:
		return [][]string{{"rc-update", "add", name, "default"}, {"rc-service", name, "start"}}
	case managerSysV:
		return [][]string{bootLine("defaults", name), {"/etc/init.d/" + name, "start"}}
	}
	return [][]string{append(program, "--background")}
}

// stopLines undo startLines, but for what stood so before.
func stopLines(manager, name string, before standing) (lines [][]string) {
	add := func(stood bool, line ...string) {
		if !stood {
			lines = append(lines, line)
		}
	}
	switch manager {
	case managerSystemd:
		add(before.running, "systemctl", "stop", name+".service")
		add(before.atBoot, "systemctl", "disable", name+".service")
	case managerOpenRC:
		add(before.running, "rc-service", name, "stop")
		add(before.atBoot, "rc-update", "delete", name, "default")
	case managerSysV:
		add(before.running, "/etc/init.d/"+name, "stop")
		add(before.atBoot, bootLine("remove", name)...)
	}
	return lines
}

// standing is how the refresh stood before a change started it. Records of earlier versions
// do not say, and are read as neither.
type standing struct{ running, atBoot bool }

// The words of a standing in [hostfile.Before.Value].
const (
	wordRunning = "running"
	wordAtBoot  = "at-boot"
)

func standingBefore(e hostfile.JournalEntry) standing {
	words := strings.Fields(e.Before.Value)
	return standing{slices.Contains(words, wordRunning), slices.Contains(words, wordAtBoot)}
}

// bootLine makes or removes the links of a SysV script.
func bootLine(action, name string) []string {
	if _, err := os.Stat("/usr/sbin/update-rc.d"); err != nil {
		if action == "remove" {
			return []string{"chkconfig", "--del", name}
		}
		return []string{"chkconfig", "--add", name}
	}
	if action == "remove" {
		return []string{"update-rc.d", "-f", name, "remove"}
	}
	return []string{"update-rc.d", name, action}
}

// startChanger starts the refresh and stops it.
type startChanger struct{ p *Preparer }

func (s startChanger) Look(c hostfile.Change) (hostfile.Before, error) {
	var words []string
	running, err := s.p.process.Running(s.p.Refresh.RuntimeDir)
	if running {
		words = append(words, wordRunning)
	}
	if c.To != managerDirect && s.p.startsAtBoot(c.To) {
		words = append(words, wordAtBoot)
	}
	return hostfile.Before{Value: strings.Join(words, " ")}, err
}

func (s startChanger) Make(ctx context.Context, c hostfile.Change) error {
	if c.To == managerDirect {
		return s.p.process.Start(ctx, s.p.Refresh.RuntimeDir, c.Arguments[0], c.Arguments[1:]...)
	}
	if c.To == managerSystemd {
		if err := s.p.reloadUnits(ctx); err != nil { // its unit may be new
			return err
		}
	}
	if err := s.lines(ctx, startLines(c.To, c.Path, c.Arguments)); err != nil {
		return err
	}
	for end := time.Now().Add(refresh.StartPatience); ; {
		running, err := s.p.process.Running(s.p.Refresh.RuntimeDir)
		switch {
		case running || err != nil:
			return err
		case time.Now().After(end):
			return errors.New(c.Path + " was started and does not run")
		}
		if err := service.Pause(ctx); err != nil {
			return err
		}
	}
}

func (s startChanger) lines(ctx context.Context, lines [][]string) error {
	for _, line := range lines {
		if err := s.p.run(ctx, line[0], line[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (s startChanger) Undo(ctx context.Context, e hostfile.JournalEntry) error {
	before := standingBefore(e)
	made := s.p.exists(refreshScript)
	if e.To == managerSystemd {
		made = s.p.startsAtBoot(e.To)
	}
	if made { // else it was not made, or was undone by somebody else
		if err := s.lines(ctx, stopLines(e.To, e.Path, before)); err != nil {
			return err
		}
	}
	if before.running {
		return nil
	}
	return s.p.process.Stop(ctx, s.p.Refresh.RuntimeDir)
}

func (s startChanger) Left(hostfile.JournalEntry, []hostfile.JournalEntry) (string, error) {
	return "", nil
}

func (s startChanger) Action(e hostfile.JournalEntry) string {
	switch standingBefore(e) {
	case standing{running: true, atBoot: true}:
		return "keep running, and start at boot, as before"
	case standing{running: true}:
		return "do not start at boot"
	case standing{atBoot: true}:
		return "stop"
	}
	return "stop, and do not start at boot"
}
