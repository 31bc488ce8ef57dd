package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/netcheck"
	"connsync/netcheck/firewall"
	"connsync/shell"
	"connsync/trust"

	"golang.org/x/sys/unix"
)

// NftablesFiles are the files that the distributions' nftables services load, the
// likeliest first.
func NftablesFiles() []string {
	return []string{"/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft"}
}

// rulesFile is connsync's own; it is in no directory from which somebody's
// nftables.conf takes all there is, since it has to come last.
const rulesFile = "/etc/connsync/firewall.nft"

// includeLines are what --install adds to the host's file. Of a pattern nft
// does not ask that there is such a file: where only connsync's is removed the
// host's own rules still load. Hosts have these bytes, so they never change.
const includeLines = "# The rules of connsync firewall --install; connsync firewall --remove takes them away.\n" +
	"include \"/etc/connsync/[f]irewall.nft\"\n"

// firewallRecord is what --install has changed, for --remove.
type firewallRecord struct {
	File   string `json:"file"`
	Before []byte `json:"before"`
	Wrote  string `json:"wrote"` // fingerprint of the file as --install left it
	// Directory says that the rules' directory was made for them.
	Directory bool `json:"directory"`
	// Flow is the flow that the rules are for; its other fields are written
	// as connsync 1.0.0 wrote them, blank.
	Target netcheck.Target `json:"target"`
}

// entries are the record as the undo journal has it; a nil record has none.
func (r *firewallRecord) entries() []hostfile.JournalEntry {
	if r == nil {
		return nil
	}
	rules := hostfile.JournalEntry{Kind: hostfile.ChangeFile, Path: rulesFile}
	if r.Directory {
		rules.Before.Directories = []string{filepath.Dir(rulesFile)}
	}
	host := hostfile.JournalEntry{Kind: hostfile.ChangeFile, Path: r.File, Wrote: []string{r.Wrote},
		Before: hostfile.Before{File: &hostfile.FileState{Content: r.Before}}}
	return []hostfile.JournalEntry{rules, host}
}

// firewallForm is the form of firewall.json: one file of the host and the rules,
// with whom they are for.
type firewallForm struct {
	before *firewallRecord // what was read; nil for none
	flow   firewall.Flow   // what is written
}

func (f *firewallForm) Entries(content []byte) ([]hostfile.JournalEntry, error) {
	r := &firewallRecord{}
	if err := json.Unmarshal(content, r); err != nil {
		return nil, err
	}
	f.before = r
	return r.entries(), nil
}

func (f *firewallForm) Document(entries []hostfile.JournalEntry) any {
	r := firewallRecord{Target: netcheck.Target{Flow: f.flow}}
	for _, e := range entries {
		if e.Path == rulesFile {
			r.Directory = len(e.Before.Directories) > 0
			continue
		}
		r.File, r.Before, r.Wrote = e.Path, e.Before.File.Content, e.Fingerprint()
	}
	return r
}

// ownRules reads connsync's own file, nil where there is none. A link in its place, and
// what connsync has not written, is an error and stays as it is.
func ownRules(path string) ([]byte, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSymlink {
		return nil, fmt.Errorf("%s is a symbolic link and not connsync's own file: remove it", path)
	}
	content, err := conntrackd.ReadConfig(path)
	if err == nil && content != nil && !firewall.IsNftFile(content) {
		err = fmt.Errorf("%s was not written by connsync and is left alone: %s puts it aside", path, shell.Line("mv", path, path+".kept"))
	}
	return content, err
}

// openFirewallJournal reads what was installed, nil for nothing. What is
// installed now is for flow.
func (n *Node) openFirewallJournal(flow firewall.Flow) (*hostfile.Journal, *firewallRecord, error) {
	form := &firewallForm{flow: flow}
	j, err := hostfile.OpenJournal(filepath.Join(n.StateDir, "firewall.json"), hostfile.JournalOptions{
		Form: form, Lost: n.Called.Command("firewall", "--remove") + " removes its lines from the host's file, and does not restore it byte for byte"})
	return j, form.before, err
}

// hostRules is the host's file without what connsync has added to it. What it
// was before comes back byte for byte unless somebody else has changed it
// since; then only connsync's lines go.
func (r *firewallRecord) hostRules(path string, content []byte) []byte {
	host := bytes.ReplaceAll(content, []byte(includeLines), nil)
	for _, e := range r.entries() {
		// What --install wrote has its lines; a record of another file is not believed.
		if e.Path == path && e.Ours(content) && bytes.Contains(content, []byte(includeLines)) {
			host = e.Before.File.Content
		}
	}
	if host == nil && content != nil {
		return []byte{} // an empty file is one, too
	}
	return host
}

// including is the host's file with connsync's lines at its end: they need the
// chains that it makes.
func including(host []byte) []byte {
	out := bytes.Clone(host)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return append(out, includeLines...)
}

// noFileError says that there is no file from which the host loads its rules.
type noFileError string

func (e noFileError) Error() string { return string(e) }

// nftablesFile is the file that the host's service loads, with its content.
func nftablesFile(given string) (string, []byte, error) {
	if given != "" {
		path, err := trust.Absolute(given)
		if err != nil {
			return "", nil, hostfile.Explain(given, err)
		}
		content, err := conntrackd.ReadConfig(path)
		if err == nil && content == nil {
			err = noFileError("--nftables-conf: there is no " + path)
		}
		return path, content, err
	}
	for _, path := range NftablesFiles() {
		content, err := conntrackd.ReadConfig(path)
		if err != nil || content != nil {
			return path, content, err
		}
	}
	return "", nil, noFileError("there is none of " + strings.Join(NftablesFiles(), ", ") +
		", so rules would be lost at the next boot: install nftables, or name the file that the host loads with --nftables-conf")
}

func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// RulesUnreadable is the error of reading the rules that run, for people: it says
// where only root can.
func RulesUnreadable(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return errors.New("only root can read the firewall rules of this node")
	}
	return fmt.Errorf("the firewall rules of this node could not be read: %w", err)
}
