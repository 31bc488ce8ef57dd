package prepare

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connsync/conntrackd/hostfile"
	"connsync/trust"
)

const (
	eventsSetting  = "/proc/sys/net/netfilter/nf_conntrack_events"
	eventsBootFile = "/etc/sysctl.d/90-connsync.conf"
	eventsModule   = "/etc/modules-load.d/connsync.conf"
)

const (
	eventsBootText = `# Written by connsync, and taken away by "connsync unprepare".
# With 2, the kernel's default, a connection that begins while no conntrackd
# listens is never reported: neither node hears of its end.
net.netfilter.nf_conntrack_events = 1
`
	eventsModuleText = `# Written by connsync, and taken away by "connsync unprepare".
# The setting in ` + eventsBootFile + ` exists only once this is loaded.
nf_conntrack
`
)

// events looks whether the kernel reports every connection, now and at boot.
func (l *hostLook) events() Item {
	i := Item{
		ID: ItemEvents, Title: "Have the kernel report every connection (nf_conntrack_events=1), now and at boot",
		Reason:  "connections that begin while no conntrackd listens are never reported, and stay in both nodes' tables for good",
		changes: []change{{kind: changeSysctl, path: eventsSetting, content: []byte("1")}},
	}
	if l.err != nil {
		return l.settle(i)
	}
	// In another network namespace than the host's, its files say nothing.
	if !l.own {
		return l.settle(i)
	}
	name, value, err := l.p.bootSetting("net/netfilter/nf_conntrack_events")
	switch {
	case err != nil:
		i.State, i.Detail, i.changes = ItemUnknown, err.Error(), nil
		return i
	case name != "" && value != "1" && name != eventsBootFile:
		i.State, i.changes = ItemForeign, nil
		i.Detail = fmt.Sprintf("%s sets nf_conntrack_events to %s at boot, and is left alone", name, value)
		return i
	case name == "" || name == eventsBootFile:
		i.changes = append(i.changes,
			change{kind: hostfile.ChangeFile, path: eventsModule, content: []byte(eventsModuleText)},
			change{kind: hostfile.ChangeFile, path: eventsBootFile, content: []byte(eventsBootText)})
	}
	return l.settle(i)
}

// bootSetting returns the file that has the last word on a setting at boot,
// and its value; blank when there is none (sysctl.d(5)).
func (p *Preparer) bootSetting(key string) (name, value string, err error) {
	files := map[string]string{}
	// A name in a later directory stands for the same name in the earlier ones.
	for _, dir := range []string{"/lib/sysctl.d", "/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d"} {
		entries, err := os.ReadDir(p.path(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", "", err
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".conf") {
				files[e.Name()] = filepath.Join(dir, e.Name())
			}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(files)) {
		content, err := p.read(files[base])
		if errors.Is(err, fs.ErrNotExist) || trust.Masked(p.path(files[base])) {
			continue // a link to nowhere
		}
		if err != nil {
			return "", "", err
		}
		for line := range bytes.Lines(content) {
			k, v, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
			k = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(k), "-"), ".", "/")
			if ok && k == key {
				name, value = files[base], strings.TrimSpace(v)
			}
		}
	}
	return name, value, nil
}
