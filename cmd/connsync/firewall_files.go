package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// nftablesFiles are the files that the distributions' nftables services load.
func nftablesFiles() []string {
	return []string{"/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft"}
}

// rulesFile is connsync's own; it is in no directory from which somebody's
// nftables.conf takes all there is, since it has to come last.
const rulesFile = "/etc/connsync/firewall.nft"

// includeLines are what --install adds to the host's file. Of a pattern nft
// does not ask that there is such a file: where only connsync's is taken away
// the host's own rules still load.
const includeLines = "# The rules of connsync firewall --install; connsync firewall --remove takes them away.\n" +
	"include \"/etc/connsync/[f]irewall.nft\"\n"

// firewallRecord is what --install has changed, for --remove.
type firewallRecord struct {
	File   string `json:"file"`
	Before []byte `json:"before"`
	Wrote  string `json:"wrote"` // fingerprint of the file as --install left it
	// Directory says that the rules' directory was made for them.
	Directory bool          `json:"directory"`
	Target    netcheck.Flow `json:"target"`
}

func (n *node) firewallRecordPath() string { return filepath.Join(n.stateDir, "firewall.json") }

// readFirewallRecord returns nil when nothing was installed.
func (n *node) readFirewallRecord() (*firewallRecord, []byte, error) {
	content, err := conntrackd.ReadConfig(n.firewallRecordPath())
	if err != nil || content == nil {
		return nil, nil, err
	}
	r := &firewallRecord{}
	if err := json.Unmarshal(content, r); err != nil {
		return nil, content, fmt.Errorf("read %s: %w", n.firewallRecordPath(), err)
	}
	return r, content, nil
}

// hostRules is the host's file without what connsync has added to it. What it
// was before comes back byte for byte unless somebody else has changed it
// since; then only connsync's lines go.
func (r *firewallRecord) hostRules(path string, content []byte) []byte {
	host := bytes.ReplaceAll(content, []byte(includeLines), nil)
	if r != nil && r.File == path && r.Wrote == conntrackd.Fingerprint(content) {
		host = r.Before
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

// nftablesFile is the file that the host's service loads, with its content.
func nftablesFile(given string) (string, []byte, error) {
	if given != "" {
		path, err := filepath.Abs(given)
		if err != nil {
			return "", nil, err
		}
		content, err := conntrackd.ReadConfig(path)
		if err == nil && content == nil {
			err = fmt.Errorf("--nftables-conf: there is no %s", path)
		}
		return path, content, err
	}
	for _, path := range nftablesFiles() {
		content, err := conntrackd.ReadConfig(path)
		if err != nil || content != nil {
			return path, content, err
		}
	}
	return "", nil, fmt.Errorf("there is none of %s, so rules would not last over a boot: install nftables, or say with --nftables-conf which file the host loads",
		strings.Join(nftablesFiles(), ", "))
}

// fileChange is a file as it is and as it will be; nil is no file.
type fileChange struct {
	path     string
	old, now []byte
}

func (c fileChange) needed() bool { return diffOf(c.path, c.old, c.now) != "" }

// fileChanges are carried out in order, and taken back in the other one.
type fileChanges []fileChange

func (all fileChanges) apply() (done fileChanges, err error) {
	for _, c := range all {
		if !c.needed() {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
			return done, err
		}
		// One that may not survive a power cut is in place all the same.
		done = append(done, c)
		if err := conntrackd.ReplaceFile(c.path, c.old, c.now); err != nil {
			return done, err
		}
	}
	return done, nil
}

// takeBack puts the old contents back, of those that are as apply left them.
func (all fileChanges) takeBack() error {
	for i := len(all) - 1; i >= 0; i-- {
		c := all[i]
		now, err := conntrackd.ReadConfig(c.path)
		if err != nil {
			return err
		}
		if diffOf(c.path, now, c.old) == "" {
			continue
		}
		if err := conntrackd.ReplaceFile(c.path, c.now, c.old); err != nil {
			return err
		}
	}
	return nil
}

func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
