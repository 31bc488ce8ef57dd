package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/failover"
	"connsync/netcheck/check"
	"connsync/netcheck/keepalived"
)

const packagedScript = "/etc/conntrackd/primary-backup.sh"

// packagedContent has the lines that conntrack-tools' script is known by; the
// package's documentation is not on every host.
const packagedContent = `#!/bin/sh
CONNTRACKD_BIN=/usr/sbin/conntrackd
CONNTRACKD_LOCK=/var/lock/conntrack.lock
CONNTRACKD_CONFIG=/etc/conntrackd/conntrackd.conf
    $CONNTRACKD_BIN -C $CONNTRACKD_CONFIG -c
    if [ $? -eq 1 ]
	$CONNTRACKD_BIN -C $CONNTRACKD_CONFIG -d
    $CONNTRACKD_BIN -C $CONNTRACKD_CONFIG -t
`

// mover reads a keepalived.conf.
func mover(t *testing.T, content string) *keepalived.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := keepalived.Load(path, "node", keepalived.Habits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const twoInstances = "vrrp_instance LAN {\n interface eth0\n}\nvrrp_instance WAN {\n interface eth2\n}\n"

// group is a sync group of both instances with scripts.
func group(scripts ...string) string {
	return "vrrp_sync_group VG {\n group {\n LAN\n WAN\n }\n" + strings.Join(scripts, "\n") + "\n}\n" + twoInstances
}

const (
	master = `notify_master "/usr/sbin/connsync failover primary" root`
	backup = `notify_backup "/usr/sbin/connsync failover backup" root`
	fault  = `notify_fault "/usr/sbin/connsync failover fault" root`
)

// parseHook knows as much of our command line as these tests need.
func parseHook(words []string) (Command, error) {
	c := Command{Config: DefaultConfig}
	if len(words) > 1 && words[0] == "--config" {
		c.Config, words = words[1], words[2:]
	}
	if len(words) == 0 {
		return c, nil
	}
	if strings.ToUpper(words[0]) == words[0] {
		return c, fmt.Errorf("unknown command %q", words[0])
	}
	c.Name, words = words[0], words[1:]
	roles := map[string]failover.Role{"MASTER": failover.RolePrimary, "BACKUP": failover.RoleBackup, "FAULT": failover.RoleFault}
	switch {
	case len(words) == 1:
		c.Role = failover.Role(words[0])
	case len(words) == 4 && (words[0] == "GROUP" || words[0] == "INSTANCE"):
		c.Role = roles[words[2]]
	default:
		return c, fmt.Errorf("takes no more, got %q", words[len(words)-1])
	}
	return c, nil
}

func TestFailoverHook(t *testing.T) {
	asUser := func(s string) string { return strings.TrimSuffix(s, " root") }
	packaged := func(options ...string) string {
		var lines []string
		for event, role := range map[string]string{"notify_master": "primary", "notify_backup": "backup", "notify_fault": "fault"} {
			lines = append(lines, event+` "`+packagedScript+" "+role+`" root`)
		}
		return group(append(lines, options...)...)
	}
	for _, tt := range []struct {
		name, conf string
		external   bool
		users      []string
		refusal    string
		status     check.Status
		detail     []string
		remedy     string
	}{
		{name: "as it should be", conf: group(master, backup, fault), status: check.Passed, detail: []string{"VG"}},
		{name: "one notify for all", conf: group(`notify "/usr/sbin/connsync failover" root`), status: check.Passed},
		{name: "flags and a wrapper program", conf: group(`notify "/usr/bin/nice -5 /opt/connsync --config /etc/x failover" root`), status: check.Failed, detail: []string{"it reads /etc/x, and conntrackd's file is /etc/conntrackd/conntrackd.conf"}},
		{name: "a wrapper program", conf: group(`notify "/usr/bin/nice -5 /opt/connsync failover" root`), status: check.Passed},
		{name: "a program that only names it", conf: group(`notify "/bin/sh connsync failover" root`), status: check.Unknown, detail: []string{"keepalived calls /bin/sh"}},
		{name: "the user within the quotes", conf: group(`notify_master "/usr/sbin/connsync failover primary root"`, backup, fault), status: check.Failed,
			detail: []string{`keepalived calls "/usr/sbin/connsync failover primary root" when VG becomes primary, and that is not a hook: takes no more, got "root"`}},
		{name: "no quotes", conf: group(`notify_master /usr/sbin/connsync failover primary`, backup, fault), status: check.Failed, detail: []string{`keepalived takes "failover" for the user`}},
		{name: "an instance, no quotes", conf: "vrrp_instance LAN {\nnotify /usr/sbin/connsync failover root\n}\n", status: check.Failed, detail: []string{`when LAN becomes primary, and that is not a hook: the command is not in quotes, so keepalived takes "failover" for the user`}},
		{name: "an instance, other words", conf: "vrrp_instance LAN {\nnotify /usr/sbin/connsync root\n}\n", status: check.Failed, detail: []string{`unknown command "INSTANCE"`}},
		{name: "an instance of a group, other words", conf: "vrrp_sync_group VG {\n group {\n LAN\n WAN\n }\n}\n" + strings.Replace(twoInstances, "interface eth2", `notify "/usr/sbin/connsync" root`, 1), status: check.Failed, detail: []string{`unknown command "INSTANCE"`}},
		{name: "a group, other words", conf: group(`notify "/usr/sbin/connsync" root`), status: check.Failed, detail: []string{`unknown command "GROUP"`}},
		{name: "one notify of an instance", conf: "vrrp_instance LAN {\nnotify \"/usr/sbin/connsync failover\" root\n}\n", status: check.Passed},
		{name: "no script security asked for where it is set", conf: "global_defs {\n enable_script_security\n}\n" + group(), status: check.Failed,
			remedy: `keepalived.conf, vrrp_sync_group VG: notify_master "/usr/sbin/connsync failover primary" root; notify_backup "/usr/sbin/connsync failover backup" root; notify_fault "/usr/sbin/connsync failover fault" root (each on a line of its own)`},
		{name: "a user that there is not", conf: group(strings.Replace(master, " root", " rooot", 1), backup, fault), status: check.Failed, detail: []string{"there is no user rooot"}},
		{name: "script security and nobody named", conf: "global_defs {\n enable_script_security\n}\n" + group(asUser(master), asUser(backup), asUser(fault)), status: check.Failed, detail: []string{"keepalived ignores the script for primary: with enable_script_security it needs a user"}},
		{name: "a script_user that there is not", conf: "global_defs {\n script_user nowhere\n}\n" + group(asUser(master), asUser(backup), asUser(fault)), status: check.Failed, detail: []string{"there is no user nowhere, which script_user names"}},
		{name: "a comment in a script", conf: group(`notify_master "/own/comment" root`, backup, fault), status: check.Failed, detail: []string{"does not call connsync failover"}},
		{name: "on one of the group's instances", conf: "vrrp_sync_group VG {\n group {\n LAN\n WAN\n }\n}\n" + strings.Replace(twoInstances, "interface eth2", strings.Join([]string{"interface eth2", master, backup, fault}, "\n"), 1), status: check.Passed},
		{name: "a single instance", conf: "vrrp_instance LAN {\n" + strings.Join([]string{master, backup, fault}, "\n") + "\n}\n", status: check.Passed},
		{name: "nothing", conf: group(), status: check.Failed, detail: []string{"VG becomes primary", "lost when the addresses move back"},
			remedy: `keepalived.conf, vrrp_sync_group VG: notify_master "/usr/sbin/connsync failover primary" root; notify_backup "/usr/sbin/connsync failover backup" root; notify_fault "/usr/sbin/connsync failover fault" root; in global_defs: enable_script_security (each on a line of its own)`},
		{name: "nothing, external cache", conf: group(), external: true, status: check.Failed, detail: []string{"every connection is lost at a failover"}},
		{name: "no backup", conf: group(master, fault), status: check.Failed, detail: []string{"VG becomes backup"}},
		{name: "roles mixed up", conf: group(strings.Replace(master, "primary", "backup", 1), backup, fault), status: check.Failed, detail: []string{"becomes primary"}},
		{name: "a role after notify, where keepalived adds four words", conf: group(`notify "/usr/sbin/connsync failover primary" root`), status: check.Failed},
		{name: "no group", conf: twoInstances, status: check.Failed, detail: []string{"LAN, WAN", "no vrrp_sync_group"}, remedy: "keepalived.conf, vrrp_sync_group VG with all instances"},
		{name: "as another user", conf: group(strings.Replace(master, " root", " nobody", 1), backup, fault), status: check.Failed, detail: []string{"as nobody (as it says)"}},
		{name: "as keepalived_script", conf: group(asUser(master), asUser(backup), asUser(fault)), users: []string{"keepalived_script"}, status: check.Failed, detail: []string{"keepalived_script (a user that exists"}},
		{name: "as root, there being no keepalived_script", conf: group(asUser(master), asUser(backup), asUser(fault)), status: check.Passed},
		{name: "script_user root", conf: "global_defs {\n script_user root\n}\n" + group(asUser(master), asUser(backup), asUser(fault)), users: []string{"keepalived_script"}, status: check.Passed},
		{name: "script_user other", conf: "global_defs {\n script_user www\n}\n" + group(asUser(master), asUser(backup), asUser(fault)), users: []string{"www"}, status: check.Failed, detail: []string{"as www"}},
		{name: "refused", conf: group(master, backup, fault), refusal: "/usr can be written by others than root", status: check.Failed, detail: []string{"does not run /usr/sbin/connsync: /usr can be written"}},
		{name: "packaged script, states in the kernel", conf: packaged(), status: check.Failed,
			detail: []string{"primary-backup.sh", "purges the peer's states", "commits and flushes", "outside its service", "wrong lock file", "failed step as done"}},
		{name: "packaged script, external cache", conf: packaged(), external: true, status: check.Failed, detail: []string{"outside its service", "wrong lock file", "failed step as done"}},
		{name: "a script that calls connsync", conf: group(`notify_master "/own/wrapper" root`, backup, fault), status: check.Passed},
		{name: "a script that gets no role of ours", conf: group(`notify "/own/case" root`), status: check.Unknown,
			detail: []string{`keepalived calls /own/case when VG becomes primary; what that does is not known here: it has a connsync failover that does not run with the arguments: GROUP VG MASTER 100`}},
		{name: "a script that gets a blank in an argument", conf: group(`notify_master "/own/case 'no role' MASTER" root`, backup, fault), status: check.Unknown,
			detail: []string{`a connsync failover that does not run with the arguments: 'no role' MASTER`}},
		{name: "a script that gets no argument", conf: group(`notify_master "/own/case" root`, backup, fault), status: check.Unknown,
			detail: []string{"a connsync failover that does not run without an argument"}},
		{name: "a script that gets the role", conf: group(`notify_master "/own/case primary" root`, `notify_backup "/own/case backup" root`, `notify_fault "/own/case fault" root`), status: check.Passed},
		{name: "a script that hands the state on", conf: group(`notify "/own/state" root`), status: check.Passed},
		{name: "a script that always says primary", conf: group(`notify "/own/wrapper" root`), status: check.Failed, detail: []string{`keepalived calls "/own/wrapper" when VG becomes backup, and that is not a hook: it makes the node primary`}},
		{name: "a script with a condition", conf: group(`notify_master "/own/if" root`, backup, fault), status: check.Unknown, detail: []string{"whether that runs depends on more than can be followed"}},
		{name: "a script that calls conntrackd", conf: group(`notify_master "/own/hook" root`, backup, fault), status: check.Unknown, detail: []string{"/own/hook"}},
		{name: "a script about something else", conf: group(`notify_master "/own/mail" root`, backup, fault), status: check.Failed},
		{name: "a script that cannot be read", conf: group(`notify_master "/own/gone" root`, backup, fault), status: check.Unknown, detail: []string{"could not check /own/gone: gone"}},
		{name: "a program with a script to run", conf: group(`notify_master "/bin/sh /own/wrapper" root`, backup, fault), status: check.Unknown, detail: []string{"keepalived calls /bin/sh"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := hook{
				mover: mover(t, tt.conf), external: tt.external, program: "/usr/sbin/connsync failover", config: DefaultConfig, parse: parseHook,
				userExists: func(name string) (bool, error) {
					return slices.Contains(append(tt.users, "root", "nobody"), name), nil
				},
				refusal: func(keepalived.Script, string) (string, error) { return tt.refusal, nil },
				read: func(path string) (string, error) {
					content, ok := map[string]string{packagedScript: packagedContent, "/own/wrapper": "#!/bin/sh\nexec connsync failover primary\n", "/own/hook": "conntrackd -c\n",
						"/own/case": "#!/bin/sh\ncase $1 in\nprimary|backup|fault) exec connsync failover $1;;\nesac\n", "/own/if": "#!/bin/sh\nif [ -e /on ]; then connsync failover primary; fi\n",
						"/own/state": "#!/bin/sh\nexec /usr/sbin/connsync failover \"$@\"\n", "/own/mail": "mail\n", "/own/comment": "#!/bin/sh\n# connsync failover primary\n", "/bin/sh": "\x7fELF\x02\x01\x01\x00"}[path]
					if ok {
						return content, nil
					}
					return "", errors.New("gone")
				},
			}
			got := h.judge()
			if got.Status != tt.status {
				t.Errorf("%s: %s; want %s", got.Status, got.Detail, tt.status)
			}
			for _, words := range tt.detail {
				if !strings.Contains(got.Detail, words) {
					t.Errorf("detail %q has no %q", got.Detail, words)
				}
			}
			if !strings.HasPrefix(got.Remedy, tt.remedy) || (got.Status == check.Passed) != (got.Remedy == "") {
				t.Errorf("remedy %q, want %q", got.Remedy, tt.remedy)
			}
			if tt.external && strings.Contains(got.Detail, "purges the peer's") {
				t.Errorf("a fault that does no harm is named: %s", got.Detail)
			}
			if len(got.Detail) > 500 || len(got.Remedy) > 500 {
				t.Errorf("%d and %d bytes are cut on the screen", len(got.Detail), len(got.Remedy))
			}
		})
	}
}

func TestFailoverTiming(t *testing.T) {
	for _, tt := range []struct {
		name, conf string
		purge      int
		status     check.Status
		detail     string
	}{
		{"no delay", "state BACKUP", 0, check.Failed, "LAN waits 0 s before"},
		{"too short", "state BACKUP\npreempt_delay 59.5", 0, check.Failed, "waits 59.5 s"},
		{"as long", "state BACKUP\npreempt_delay 60", 0, check.Passed, "60 s"},
		{"no effect", "state MASTER\npreempt_delay 300", 0, check.Failed, "no effect with state MASTER"},
		{"nopreempt", "state BACKUP\nnopreempt", 0, check.Passed, "nopreempt"},
		{"a shorter purge", "preempt_delay 10", 5, check.Passed, "5 s"},
		{"a longer purge", "preempt_delay 90", 120, check.Failed, "after 120 s"},
	} {
		c := mover(t, "vrrp_instance LAN {\n"+tt.conf+"\n}\n")
		got := judgeTiming(c, conntrackd.Settings{Advanced: conntrackd.Advanced{PurgeTimeout: tt.purge}}.PurgeDelay())
		if got.Status != tt.status || !strings.Contains(got.Detail, tt.detail) {
			t.Errorf("%s: %s: %s", tt.name, got.Status, got.Detail)
		}
	}
}

// The hook works on the file and the directories of this node.
func TestHookCommand(t *testing.T) {
	usual := Options{Config: DefaultConfig, RuntimeDir: DefaultRuntimeDir, StateDir: DefaultStateDir, Program: "/nowhere/connsync"}
	if got := (&Node{Options: usual}).hookCommand(); got != "/nowhere/connsync failover" {
		t.Error(got)
	}
	usual.Config, usual.RuntimeDir, usual.StateDir = "/c", "/r", "/s"
	if got := (&Node{Options: usual}).hookCommand(); got != "/nowhere/connsync --config /c --runtime-dir /r --state-dir /s failover" {
		t.Error(got)
	}
}
