package prepare

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"connsync/conntrackd/hostfile"
	"connsync/shell"
)

// unrecorded are the files of preparations that are there without a record, as after a
// reboot of a host whose state directory is in RAM. How it was before is not known, so
// they are left to a person. What undone tells of already is left out.
func (p *Preparer) unrecorded(undone []hostfile.Undone) []hostfile.Undone {
	const mark = "Written by connsync"
	known := []struct {
		id              ItemID
		path, mark, end string // end is what to do before it is removed
	}{
		{ItemEvents, eventsBootFile, mark, ""}, {ItemEvents, eventsModule, mark, ""}, {ItemLogrotate, logrotateRule, mark, ""},
		{ItemRefresh, refreshUnitFile, "connsync-refresh(8)", "systemctl disable --now " + refreshService + "; "},
		{ItemRefresh, refreshScript, mark, shell.Line(refreshScript, "stop") + "; "},
	}
	dropIns, _ := filepath.Glob(p.path("/etc/systemd/system/*.service.d/" + dropInName)) // the pattern is a good one
	for _, path := range dropIns {
		known = append(known, struct {
			id              ItemID
			path, mark, end string
		}{ItemUnit, strings.TrimPrefix(path, strings.TrimSuffix(p.path("/"), "/")), mark, ""})
	}
	var left []hostfile.Undone
	for _, f := range known {
		content, err := p.read(f.path)
		if err != nil || !strings.Contains(string(content), f.mark) ||
			slices.ContainsFunc(undone, func(u hostfile.Undone) bool { return u.Path == f.path }) {
			continue
		}
		left = append(left, hostfile.Undone{
			JournalEntry: hostfile.JournalEntry{Item: string(f.id), Kind: hostfile.ChangeFile, Path: f.path}, Action: "removed",
			Left: fmt.Sprintf("connsync wrote it, and %s has no record of that any more: %s%s", p.StateDir, f.end, shell.Line("rm", f.path)),
		})
	}
	return left
}
