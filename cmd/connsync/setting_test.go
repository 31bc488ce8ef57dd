package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"connsync/conntrackd"
)

// withBurst is the table with a made-up setting, which lies where the receive
// buffer does in another table, and therefore in the file too.
func withBurst() conntrackd.SettingTable {
	t := slices.DeleteFunc(conntrackd.NewSettingTable(), func(e conntrackd.Setting) bool { return e.Field == conntrackd.FieldReceiveBuffer })
	return append(t, conntrackd.Setting{
		Field: "burst_limit", Label: "Burst Limit", Kind: conntrackd.NumberSetting, Example: "5000",
		Usage: "most `messages` in one burst",
		Value: conntrackd.Value[int]{
			At: func(s *conntrackd.Settings) *int { return &s.ReceiveBuffer }, Default: 5000,
			Parse: func(text string, _ conntrackd.Settings) (int, string) {
				n, err := strconv.Atoi(text)
				if text != "" && err != nil {
					return 0, "burst limit " + text + " is not a number"
				}
				return n, ""
			},
			Format: strconv.Itoa,
		},
		Rule: func(s conntrackd.Settings) string {
			if s.ReceiveBuffer > 9000 {
				return fmt.Sprintf("burst limit %d is above 9000", s.ReceiveBuffer)
			}
			return ""
		},
	})
}

// A setting that is in the table has its flag, its name in a --from file, its
// line in show and its member in show --json, without another word about it.
func TestMadeUpSetting(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	content := "Sync {\n Mode FTFW {\n }\n UDP {\n  IPv4_address 10.0.0.1 # /24\n  IPv4_Destination_Address 10.0.0.2 # /24\n  Port 3780\n  Interface eth1\n  SndSocketBuffer 65536\n  RcvSocketBuffer 6000\n }\n}\nGeneral {\n}\n"
	if err := os.WriteFile(conf, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	from := func(text string) string {
		path := filepath.Join(dir, "from")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) string {
		var out bytes.Buffer
		root := newRoot(streams{out: &out, err: &out}, withBurst())
		root.SetArgs(append(args, "--service", "none", "--config", conf, "--state-dir", dir+"/state", "--runtime-dir", dir+"/run"))
		if err := root.Execute(); err != nil {
			fmt.Fprintln(&out, err)
		}
		return out.String()
	}
	for _, test := range []struct {
		what string
		args []string
		want string
	}{
		{"show", []string{"show"}, "Burst Limit          6000\n"},
		{"help of apply", []string{"apply", "--help"}, "--burst-limit messages"},
		{"help of check", []string{"check", "--help"}, "most messages in one burst"},
		{"flag", []string{"apply", "--dry-run", "--burst-limit", "7000"}, "+  RcvSocketBuffer 7000\n"},
		{"file", []string{"apply", "--dry-run", "--from", from("burst_limit: 8000\n")}, "+  RcvSocketBuffer 8000\n"},
		{"flag over the file", []string{"apply", "--dry-run", "--burst-limit", "7000", "--from", from("burst_limit: 8000\n")}, "+  RcvSocketBuffer 7000\n"},
		{"bad flag", []string{"apply", "--dry-run", "--burst-limit", "x"}, "connsync: --burst-limit: burst limit x is not a number\n"},
		{"blank flag", []string{"apply", "--dry-run", "--burst-limit", ""}, "--burst-limit has no value"},
		{"rule", []string{"apply", "--dry-run", "--burst-limit", "9001"}, "connsync: --burst-limit: burst limit 9001 is above 9000\n"},
	} {
		if got := run(test.args...); !strings.Contains(got, test.want) {
			t.Errorf("%s: no %q in\n%s", test.what, test.want, got)
		}
	}
	if got := run("apply", "--dry-run", "--from", from("burst_limit: true\n")); !strings.Contains(got, "from:1: burst_limit must be a whole number without quotes, such as 5000; it is true or false\n") {
		t.Errorf("bad type in the file:\n%s", got)
	}
	if got := run("apply", "--dry-run", "--from", from("burst: 1\n")); !strings.Contains(got, ", burst_limit\n") {
		t.Errorf("unknown name in the file:\n%s", got)
	}
	var shown struct {
		Burst *int `json:"burst_limit"`
	}
	text := run("show", "--json")
	if err := json.Unmarshal([]byte(text), &shown); err != nil || shown.Burst == nil || *shown.Burst != 6000 {
		t.Errorf("show --json: %v\n%s", err, text)
	}
	if strings.Contains(text, "receive_buffer") {
		t.Errorf("show --json has a setting that is not in the table:\n%s", text)
	}
}
