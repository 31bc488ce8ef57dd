package prepare

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"connsync/conntrackd/hostfile"
)

const (
	logrotateRule = "/etc/logrotate.d/conntrackd"
	// logrotate passes over names that end in .disabled.
	logrotateKept = logrotateRule + ".disabled"
)

// logrotateText takes the place of the packaged rule.
const logrotateText = `# Written by connsync, and taken away by "connsync unprepare". The packaged rule
# restarts conntrackd every week, even for an empty log that a syncing daemon
# does not write, and a restart empties its caches. This one does not.
/var/log/conntrackd-stats.log {
    weekly
    rotate 2
    missingok
    notifempty
    copytruncate
}
`

// debianRule is the rule of Debian 11 to 13, for hosts whose dpkg does not know
// the file.
const debianRule = `/var/log/conntrackd-stats.log {
    weekly
    rotate 2
    missingok

    postrotate
        invoke-rc.d conntrackd restart > /dev/null
    endscript 
}
`

// logrotate looks for rules that restart the daemon; false where there are no
// rules at all.
func (l *hostLook) logrotate() (Item, bool) {
	i := Item{
		ID: ItemLogrotate, Title: "Keep logrotate from restarting conntrackd",
		Reason: "the packaged rule restarts the daemon every week, which empties its caches, on both nodes at about the same time",
	}
	dir := filepath.Dir(logrotateRule)
	entries, err := os.ReadDir(l.p.path(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return i, false
	case err != nil:
		i.State, i.Detail = ItemUnknown, err.Error()
		return i, true
	case l.err != nil || !l.own:
		return l.settle(i), l.err != nil
	}
	i = l.settle(i)
	var unread error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if ignoredRule(e.Name()) {
			continue
		}
		info, err := os.Stat(l.p.path(path))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue // logrotate passes over them, too
		}
		var content []byte
		if err == nil {
			content, err = l.p.read(path)
		}
		if err != nil && unread == nil {
			unread = err
		}
		if err != nil || !restartsDaemon(content) {
			continue
		}
		if path != logrotateRule || !l.p.packaged(path, content) {
			return Item{ID: i.ID, Title: i.Title, Reason: i.Reason, State: ItemForeign,
				Detail: path + " restarts conntrackd, is not as packaged, and is left alone: take that line out of it"}, true
		}
		i = l.rule(i)
	}
	switch {
	case i.State == ItemInPlace && unread != nil:
		i.State, i.Detail = ItemUnknown, unread.Error()
	case i.State == ItemInPlace:
		i.Detail = "no rule restarts conntrackd"
	}
	return i, true
}

// rule puts ours in the place of the packaged one. dpkg is told, so that an
// upgrade brings the new version of its own rule to where that is kept: a
// changed or removed conffile would make it stop and ask.
func (l *hostLook) rule(i Item) Item {
	ours := change{kind: hostfile.ChangeFile, path: logrotateRule, content: []byte(logrotateText), replace: true}
	i.changes = []change{ours}
	if _, err := os.Stat(l.p.path("/var/lib/dpkg/diversions")); err == nil {
		i.changes = []change{{kind: changeDivert, path: logrotateRule, to: logrotateKept}, ours}
		if diverted, err := l.p.diverted(logrotateRule); err == nil && diverted == logrotateKept {
			i.State, i.Detail = ItemForeign, logrotateRule+" restarts conntrackd although it is diverted, and is left alone"
			return i
		}
	}
	i = l.settle(i)
	if i.State == ItemMissing {
		i.Detail = logrotateRule + " restarts conntrackd every week"
		if _, err := os.Stat(l.p.path("/var/log/conntrackd-stats.log")); errors.Is(err, fs.ErrNotExist) {
			i.Detail += " once there is a /var/log/conntrackd-stats.log"
		}
	}
	return i
}

// restartsDaemon reads a rule: does a script in it restart conntrackd, whatever
// the words.
func restartsDaemon(content []byte) bool {
	script := false
	command := regexp.MustCompile(`conntrackd.*\b(restart|force-reload|try-restart|condrestart|stop)\b|\b(restart|try-restart|condrestart|reload-or-restart|force-reload|stop|kill|killall|pkill)\b.*conntrackd`)
	for line := range bytes.Lines(content) {
		word := strings.TrimSpace(string(line))
		switch {
		case word == "postrotate" || word == "prerotate" || word == "firstaction" || word == "lastaction":
			script = true
		case strings.HasPrefix(word, "endscript"):
			script = false
		case script && !strings.HasPrefix(word, "#") && command.MatchString(word):
			return true
		}
	}
	return false
}

// ignoredRule says whether logrotate passes over a file name (tabooext in
// logrotate(8)).
func ignoredRule(name string) bool {
	for _, suffix := range []string{",v", ".bak", ".cfsaved", ".disabled", ".dpkg-bak", ".dpkg-del", ".dpkg-dist", ".dpkg-new",
		".dpkg-old", ".dpkg-tmp", ".rpmnew", ".rpmorig", ".rpmsave", ".swp", ".ucf-dist", ".ucf-new", ".ucf-old", "~"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return strings.HasPrefix(name, ".")
}

// packaged says whether a file is as its package has it. dpkg keeps the MD5
// sum of every conffile in its status: " PATH SUM".
func (p *Preparer) packaged(path string, content []byte) bool {
	if string(content) == debianRule {
		return true
	}
	status, err := p.read("/var/lib/dpkg/status")
	if err != nil {
		return false
	}
	sum := md5.Sum(content)
	return bytes.Contains(status, fmt.Appendf(nil, "\n %s %s\n", path, hex.EncodeToString(sum[:])))
}
