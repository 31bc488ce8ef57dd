package text

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
)

// The command is read back, by connsync and by a shell, from lines of any width: nothing
// of a value that is longer than the line is lost.
func TestPeerCommandLines(t *testing.T) {
	table := conntrackd.NewSettingTable()
	with := func(field conntrackd.Field, value string) conntrackd.Settings {
		s, problems := ParseSettings(table, table.Values(pairSettings()).With(field, value))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return s
	}
	var protocols []string
	for i := range 100 {
		protocols = append(protocols, fmt.Sprintf("protocol-%d", i))
	}
	for name, s := range map[string]conntrackd.Settings{
		"usual":             pairSettings(),
		"IPv4 spare link":   with(conntrackd.FieldSpareLinks, "ens224 192.168.208.101/24 192.168.208.102/24 13781 131072 131072"),
		"IPv6 spare link":   with(conntrackd.FieldSpareLinks, "ens224 fd00:0:0:8::101/64 fd00:0:0:8::102/64 3781 65536 65536"),
		"three spare links": with(conntrackd.FieldSpareLinks, "ens224 fd00:0:0:8::1/64 fd00:0:0:8::2/64, eth2 10.1.0.101/24 10.1.0.102/24, eth3 2001:db8:1111:2222:3333:4444:5555:6666/64 2001:db8:1111:2222:3333:4444:5555:7777/64"),
		"TCP states":        with(conntrackd.FieldTCPStates, "SYN_SENT,SYN_RECV,ESTABLISHED,FIN_WAIT,CLOSE_WAIT,LAST_ACK,TIME_WAIT"),
		"a long list":       with(conntrackd.FieldProtocols, strings.Join(protocols, ",")),
	} {
		command := PeerCommand(table, s)
		want := table.Values(otherEnd(s))
		for _, width := range []int{20, 40, 60, 80, 132, CleanMax} {
			lines := PeerCommandLines(table, s, width)
			for _, l := range lines {
				if len(l) > max(width, 40) {
					t.Errorf("%s, %d columns: a line of %d: %s", name, width, len(l), l)
				}
			}
			shown := strings.Join(lines, "\n")
			got, err := ParsePeerLine(table, shown)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, %d columns: %v (-want +got):\n%s\n%s", name, width, err, diff, shown)
			}
			if diff := cmp.Diff(shellArguments(t, command), shellArguments(t, shown)); diff != "" {
				t.Errorf("%s, %d columns, in a shell (-want +got):\n%s\n%s", name, width, diff, shown)
			}
		}
		if got, err := ParsePeerLine(table, command); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s, on one line: %v, %v", name, got, err)
		}
	}
}

// shellArguments are the arguments that a shell gives to the command.
func shellArguments(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `connsync() { printf '<%s>\n' "$@"; }`+"\n"+command).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}
