package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"connsync/conntrackd/failover"
	"connsync/conntrackd/mailbox"
	"connsync/netcheck/keepalived"
)

func TestHookState(t *testing.T) {
	exists := func(name string) (bool, error) { return name == "root", nil }
	packaged := `notify_master "` + packagedScript + ` primary" root`
	for name, tt := range map[string]struct {
		content string
		read    func(string) (string, error)
		want    mailbox.Hook
	}{
		"ours, as primary alone":              {group(master), nil, mailbox.HookRuns},
		"ours on one of two instances":        {"vrrp_instance LAN {\n interface eth0\n" + master + "\n}\nvrrp_instance WAN {\n interface eth2\n}\n", nil, mailbox.HookRuns},
		"conntrack-tools' commits too":        {group(packaged), func(string) (string, error) { return packagedContent, nil }, mailbox.HookRuns},
		"as backup alone":                     {group(backup), nil, mailbox.HookFails},
		"as another role":                     {group(`notify_master "/usr/sbin/connsync failover backup" root`), nil, mailbox.HookFails},
		"none":                                {group(), nil, mailbox.HookFails},
		"a user that does not exist":          {group(`notify_master "/usr/sbin/connsync failover primary" nobody1`), nil, mailbox.HookFails},
		"a script that is not known":          {group(`notify_master "/etc/own" root`), func(string) (string, error) { return "conntrackd -c", nil }, mailbox.HookUnknown},
		"a script that cannot be read":        {group(`notify_master "/etc/own" root`), func(string) (string, error) { return "", errors.New("no") }, mailbox.HookUnknown},
		"a script that starts something else": {group(`notify_master "/etc/own" root`), func(string) (string, error) { return "systemctl start ha-master.target", nil }, mailbox.HookUnknown},
		"a pipe":                              {"global_defs {\n vrrp_notify_fifo /run/fifo\n}\n" + group(), nil, mailbox.HookUnknown},
	} {
		read := tt.read
		if read == nil {
			read = func(path string) (string, error) { return "", errors.New(path + " was read") }
		}
		h := hook{
			mover: mover(t, tt.content), external: true, program: "/usr/sbin/connsync failover", config: DefaultConfig, parse: parseHook, userExists: exists,
			refusal: func(keepalived.Script, string) (string, error) { return "", nil }, read: read,
		}
		if got := h.state(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// One call that has run is enough.
func TestHookHasRun(t *testing.T) {
	n := &Node{}
	n.StateDir = t.TempDir()
	path := filepath.Join(n.StateDir, failover.LogName)
	for _, tt := range []struct {
		content string
		want    bool
	}{
		{"", false}, {"2026-11-28T14:02:10Z [4711] failover is not what this is\n", false},
		{"2026-11-28T14:02:10Z [4711] failover backup: This node is backup.\n", true},
	} {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := n.hookHasRun(); got != tt.want {
			t.Errorf("with %q: %v", tt.content, got)
		}
	}
}
