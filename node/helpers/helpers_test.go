package helpers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/mailbox"
	"connsync/netcheck/check"
)

func TestJudge(t *testing.T) {
	const on, off, list = "ExpectationSync on", "ExpectationSync off", "ExpectationSync { sip }"
	for _, tt := range []struct {
		name           string
		rules, entries []string
		inForce, saved string
		want           check.Finding
		peer           mailbox.Helpers
	}{
		{"none", nil, nil, "", on, check.Finding{Status: check.Passed, Detail: "no rule of this host assigns a conntrack helper, and no connection that it has uses one"}, 0},
		{"synced", []string{"ftp"}, []string{"ftp"}, on, on, check.Finding{Status: check.Passed,
			Detail: "the expectations of ftp are synchronised; the peer's rules have to assign the same helpers, which it has not told: compare with what connsync check says there"}, 0},
		{"the peer assigns the same", []string{"H.245", "Q.931", "RAS", "ftp", "snmp"}, nil, on, on, check.Finding{Status: check.Passed,
			Detail: "the expectations of H.245, Q.931, RAS, ftp, snmp are synchronised, and the peer's rules assign ftp, h323 too"}, mailbox.NewHelpers([]string{"ftp", "RAS", "Q.931"})},
		{"the peer assigns none", []string{"ftp", "sip"}, nil, on, on, check.Finding{Status: check.Failed,
			Detail: "the peer's rules do not assign the helpers ftp, sip, as this node's do: connections that begin there after a failover have no helper",
			Remedy: "give both nodes the same rules for ftp, sip; on each: nft list ruleset, iptables-save -t raw"}, mailbox.NewHelpers(nil)},
		{"the peer alone assigns one", nil, nil, on, on, check.Finding{Status: check.Failed,
			Detail: "the peer's rules assign the helper tftp, which no rule of this node assigns: connections that begin here after a failover would have no helper",
			Remedy: "give both nodes the same rules for tftp; on each: nft list ruleset, iptables-save -t raw"}, mailbox.NewHelpers([]string{"tftp"})},
		{"the save syncs them", []string{"ftp", "sip"}, nil, list, on, check.Finding{Status: check.Failed, Remedy: "connsync apply",
			Detail: "/c does not sync the expectations of ftp: connections that they have announced do not survive a failover"}, 0},
		{"off", []string{"ftp"}, []string{"sip"}, off, off, check.Finding{Status: check.Failed, Remedy: "on both nodes, the backup first: connsync apply --expectation-sync on",
			Detail: "/c does not sync the expectations of ftp: connections that they have announced do not survive a failover; line 1 says ExpectationSync off"}, 0},
		{"the peer has another", []string{"ftp"}, []string{"ftp", "pptp", "sip"}, on, on, check.Finding{Status: check.Failed,
			Detail: "connections that this node has, such as the peer's, use the helpers pptp, sip, which no rule of this node assigns: those that begin here after a failover would have no helper",
			Remedy: "give both nodes the same rules for pptp, sip; on each: nft list ruleset, iptables-save -t raw"}, 0},
	} {
		parse := func(options string) *conntrackd.File {
			f, _ := conntrackd.Parse("", []byte("Sync { Options { "+options+" } }"))
			return f
		}
		got := Look{Rules: tt.rules, Entries: tt.entries, Peer: tt.peer}.Judge("/c", Files{parse(tt.inForce), parse(tt.saved)})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
