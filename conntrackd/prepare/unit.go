package prepare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sdunit "github.com/coreos/go-systemd/v22/unit"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/trust"
)

const (
	// addressWait is how long a start waits for the address, in tenths of a
	// second. systemd tries again after it.
	addressWait = 50
	// The limit of starts in the drop-in, and for how long it lets a daemon that fails at
	// once be started again.
	startPause = 200 * time.Millisecond
	startLimit = 60
	startsFor  = startLimit * startPause
	// dropInName is the file beside an operator's own in the unit's directory.
	dropInName = "connsync.conf"
)

// unit looks at the two items that one drop-in of the unit sets right.
func (l *hostLook) unit(ctx context.Context, s *service.Systemd) []Item {
	crash := Item{
		ID: ItemUnit, Title: "Recover from a crash, and start when the sync address is there",
		Reason: "a daemon that was killed leaves its lock file, and none starts beside it; and it does not start before its address is there",
	}
	start := Item{
		ID: ItemResync, Title: "Exchange all states after every start",
		Reason: "neither node sends by itself what it holds when one of them starts",
	}
	if l.err != nil {
		return []Item{l.settle(crash), l.settle(start)}
	}
	effect, err := l.p.effect(ctx)
	if err == nil && !effect.Usable {
		return nil // masked or absent: the checks of the service say so
	}
	binary, binaryErr := service.FindBinary(l.c.Binary)
	if err := errors.Join(err, binaryErr); err != nil {
		crash.State, crash.Detail = ItemUnknown, err.Error()
		start.State, start.Detail = crash.State, crash.Detail
		return []Item{crash, start}
	}
	f, _ := conntrackd.Parse(l.c.Path, l.c.New)
	lock := f.LockFile()
	if reason := l.p.keepsLock(lock); reason != "" {
		crash.State = ItemForeign
		crash.Detail = reason + ", so no unit is to remove it"
		start.State, start.Detail = crash.State, crash.Detail
		return []Item{crash, start}
	}
	path := filepath.Join("/etc/systemd/system", s.Unit+".d", dropInName)
	text := change{kind: hostfile.ChangeFile, path: path, unit: true, content: []byte(dropIn(l.c, binary, lock))}
	crash = l.byDropIn(crash, text, effect, undone(effect, l.c, lock), recovers(effect, lock))
	start = l.byDropIn(start, text, effect, exchangesNot(effect, l.c.Path), sends(effect, l.c.Path))
	if crash.State == ItemMissing {
		start.Commands = nil // the same file
	}
	return []Item{crash, start}
}

// byDropIn settles an item that the drop-in sets right. What counts is the unit as systemd
// knows it: undone says what of the drop-in is not in force, and does that the unit does
// what is needed, be it by an operator's own drop-in.
func (l *hostLook) byDropIn(i Item, text change, effect service.UnitSetup, undone string, does bool) Item {
	i.changes = []change{text}
	i = l.settle(i)
	_, err := os.Lstat(l.p.path(text.path))
	switch {
	case i.State == ItemInPlace && effect.NeedsReload:
		i.State, i.Detail = ItemMissing, "systemd has not read the unit since it changed"
		i.changes, i.Commands = []change{{kind: changeReload}}, []string{"systemctl daemon-reload"}
	case i.State == ItemInPlace && undone != "":
		i.State = ItemForeign
		i.Detail, i.Remedy = notInForce(text.path, undone, effect.DropIns)
	case i.State == ItemInPlace:
		i.Detail = text.path + " does it"
	case does && (err != nil || i.State == ItemForeign):
		i.State, i.Detail = ItemInPlace, "the unit does it without connsync"
		i.changes, i.Commands = nil, nil
	case i.State == ItemMissing:
		i.Commands = append(i.Commands, "systemctl daemon-reload")
	}
	return i
}

// keepsLock says why a unit must not remove the lock file before each start, blank
// where it may: no name in a configuration may make it remove anything else, nor may
// somebody who can exchange what the name stands for.
func (p *Preparer) keepsLock(path string) string {
	inDirectory := slices.ContainsFunc([]string{"/var/lock/", "/run/", "/var/run/", "/tmp/"}, func(dir string) bool { return strings.HasPrefix(path, dir) })
	if !inDirectory || filepath.Clean(path) != path || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Sprintf("LockFile %s is not in a directory of lock files", path)
	}
	if err := trust.Path(p.path(filepath.Dir(path))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("LockFile %s: %v", path, err)
	}
	return ""
}

// removal are the words of a command that removes the lock file where it is an empty
// regular file. Whatever else bears its name stays.
func removal(lock string) []string {
	// find takes the name for a pattern. The slash has it follow /var/lock, a link.
	name := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(filepath.Base(lock))
	return []string{"/usr/bin/find", filepath.Dir(lock) + "/", "-maxdepth", "1", "-name", name, "-type", "f", "-empty", "-delete"}
}

// dropIn is the text of the unit's drop-in.
func dropIn(c *conntrackd.Candidate, binary, lock string) string {
	var names, devices, waits []string
	for _, l := range c.Settings.Links() { // it does not start without the address of each
		names = append(names, l.Interface)
		devices = append(devices, "sys-subsystem-net-devices-"+sdunit.UnitNamePathEscape("/"+l.Interface)+".device")
		waits = append(waits, "ExecStartPre=-"+awaitAddress(l))
	}
	client := unitWords(binary, "-C", c.Path)
	return fmt.Sprintf(`# Written by connsync; "connsync unprepare" removes it. connsync does not touch it
# once somebody else has changed it.

[Unit]
# After the network and %[1]s. The unit does not bind to the
# device: where no device units exist, as in a container, the start would hang for
# 90 seconds.
After=network.target network-online.target %[2]s
# If the daemon fails to start, it is started again every 0.2 s for a while,
# not five times within a second.
StartLimitIntervalSec=60
StartLimitBurst=%[7]d

[Service]
# The daemon cannot bind to a missing address. Wait up to %[3]d seconds for it;
# the next try waits again.
%[4]s
# A killed daemon leaves its lock file, which prevents a start. Remove it if it is
# empty.
ExecStartPre=-%[5]s
# After a start the nodes exchange no older states by themselves: request all from
# the peer (-n), and send all to it (-B).
ExecStartPost=-%[6]s -n
ExecStartPost=-%[6]s -B
# Also after a SIGHUP, which ends the daemon with exit status 0.
Restart=always
RestartSec=%[8]dms
`, strings.Join(slices.Compact(names), ", "), strings.Join(slices.Compact(devices), " "), addressWait/10, strings.Join(waits, "\n"), unitWords(removal(lock)...), client,
		startLimit, startPause.Milliseconds())
}

// awaitAddress is the command that waits until this node's address is on the interface
// of a link, and gives up without an error.
func awaitAddress(l conntrackd.Settings) string {
	return unitWords("/bin/sh", "-c", fmt.Sprintf(`command -v ip >/dev/null || exit 0; n=0; `+
		`until [ -n "$(%s -tentative 2>/dev/null)" ]; do `+
		`n=$((n+1)); [ $n -lt %d ] || exit 0; sleep 0.1; done`, waitsFor(l), addressWait))
}

// waitsFor are the words in it that tell the link.
func waitsFor(l conntrackd.Settings) string {
	address := netip.PrefixFrom(l.Current.Addr().WithZone(""), l.Current.Addr().BitLen())
	return fmt.Sprintf("ip -o address show dev '%s' to %s", l.Interface, address)
}

// unitWords quotes the words of a command line for a unit file
// (systemd.service(5), systemd.syntax(7)).
func unitWords(words ...string) string {
	var quoted []string
	for _, w := range words {
		w = strings.NewReplacer(`\`, `\\`, `%`, `%%`, `$`, `$$`, `"`, `\"`).Replace(w)
		if strings.ContainsAny(w, " \t;'\"\\") {
			w = `"` + w + `"`
		}
		quoted = append(quoted, w)
	}
	return strings.Join(quoted, " ")
}
