package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connsync/conntrackd/hostfile"
	"connsync/netcheck/firewall"
)

// What the host's file was comes back byte for byte, also an empty one; where somebody has changed
// it since, only connsync's lines go.
func TestFirewallHostFile(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", "flush ruleset", "flush ruleset\n", "a\r\n\n\n", includeLines[:20]} {
		wrote := including([]byte(host))
		r := &firewallRecord{File: "/etc/nftables.conf", Before: []byte(host), Wrote: hostfile.Fingerprint(wrote)}
		if got := r.hostRules("/etc/nftables.conf", wrote); got == nil || string(got) != host {
			t.Errorf("%q came back as %q", host, got)
		}
		if got := r.hostRules("/etc/nftables.conf", append(bytes.Clone(wrote), "mine\n"...)); !strings.HasPrefix(string(got), host) || !strings.HasSuffix(string(got), "mine\n") || strings.Contains(string(got), includeLines) {
			t.Errorf("%q, changed since, came back as %q", host, got)
		}
		if got := (*firewallRecord)(nil).hostRules("/etc/nftables.conf", []byte(host)); got == nil || string(got) != host {
			t.Errorf("%q without a record came back as %q", host, got)
		}
	}
}

// A file that connsync has written, of any version, is replaced and removed; a link and what
// somebody else has written are refused and stay.
func TestOwnRules(t *testing.T) {
	written := firewall.Flow{}.NftFile(nil)
	for name, tt := range map[string]struct {
		put  func(path string) error
		says string // PATH is the file; blank where it is connsync's
	}{
		"none": {func(string) error { return nil }, ""},
		"ours": {func(path string) error { return os.WriteFile(path, []byte(written), 0o644) }, ""},
		"1.0.0": {func(path string) error {
			return os.WriteFile(path, []byte("# Written by connsync firewall --install for eth1, 10.0.0.101\n"), 0o644)
		}, ""},
		"foreign": {func(path string) error { return os.WriteFile(path, []byte("# my own rules\n"), 0o644) }, "PATH was not written by connsync and is left alone: mv PATH PATH.kept puts it aside"},
		"empty":   {func(path string) error { return os.WriteFile(path, nil, 0o644) }, "PATH was not written by connsync and is left alone: mv PATH PATH.kept puts it aside"},
		"link": {func(path string) error {
			return errors.Join(os.WriteFile(path+".target", []byte(written), 0o644), os.Symlink(path+".target", path))
		}, "PATH is a symbolic link and not connsync's own file: remove it"},
		"dangling link": {func(path string) error { return os.Symlink("nowhere", path) }, "PATH is a symbolic link and not connsync's own file: remove it"},
	} {
		path := filepath.Join(t.TempDir(), "firewall.nft")
		if err := tt.put(path); err != nil {
			t.Fatal(err)
		}
		said := ""
		if _, err := ownRules(path); err != nil {
			said = strings.ReplaceAll(err.Error(), path, "PATH")
		}
		if said != tt.says {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}

// A record of a file that --install has not written gives that file no content.
func TestFirewallRecordOfForeignFile(t *testing.T) {
	theirs := []byte("root:x:0:0\n")
	r := &firewallRecord{File: "/etc/passwd", Before: []byte("forged\n"), Wrote: hostfile.Fingerprint(theirs)}
	if got := r.hostRules("/etc/passwd", theirs); string(got) != string(theirs) {
		t.Errorf("it becomes %q", got)
	}
}
