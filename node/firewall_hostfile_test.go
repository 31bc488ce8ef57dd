package node

import (
	"bytes"
	"strings"
	"testing"

	"connsync/conntrackd/hostfile"
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

// A record of a file that --install has not written gives that file no content.
func TestFirewallRecordOfForeignFile(t *testing.T) {
	theirs := []byte("root:x:0:0\n")
	r := &firewallRecord{File: "/etc/passwd", Before: []byte("forged\n"), Wrote: hostfile.Fingerprint(theirs)}
	if got := r.hostRules("/etc/passwd", theirs); string(got) != string(theirs) {
		t.Errorf("it becomes %q", got)
	}
}
