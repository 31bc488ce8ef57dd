package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every bad --from file is named with its line and what to write instead, and
// nothing is touched.
func TestFromNamesFileAndLine(t *testing.T) {
	for _, test := range []struct {
		name, content string
		want          []string
	}{
		{"empty", " \n", []string{"--from: f is empty; it takes the fields of connsync show --json"}},
		{"comments only", "# nothing\n", []string{"f:1: there are no settings here"}},
		{"a list", "\n- port: 1\n", []string{"f:2: there are no settings here"}},
		{"a JSON list", `[{"port": 1}]`, []string{"f:1: there are no settings here"}},
		{"a word", "port", []string{"f:1: there are no settings here"}},
		{"YAML syntax", "port: 1\n interface: x\n", []string{"f:2: this is neither YAML nor JSON: mapping values are not allowed"}},
		{"JSON syntax", "{\"port\": 1,\n\"enabled\": tr ue]\n", []string{"f:2: this is no JSON: invalid character ' ' in literal true"}},
		{"no UTF-8", "port: \xff\n", []string{"f:1: this is neither YAML nor JSON: invalid leading UTF-8 octet"}},
		{"two documents", "port: 1\n---\nport: 2\n", []string{"f:2: a second document begins here"}},
		{"merged", "<<: {port: 1}\n", []string{"f:1: the name of a setting is expected here; anchors and merged tables are not read"}},
		{"alias", "port: &p 1\nsend_buffer: *p\n", []string{"f:2: send_buffer is of a type that no setting has"}},
		{"unknown", "port: 1\nprot: 2\n", []string{`f:2: no setting is called "prot"; there are enabled, interface,`}},
		{"a refusal of show", `{"error": "no"}`, []string{`f:1: it holds no settings, but what show --json could not do: no`}},
		{"unknown in JSON", "{\n\"port\": 1,\n\"Port\": 2}", []string{`f:3: no setting is called "Port"`}},
		{"twice", "port: 1\ninterface: eth1\nport: 1\n", []string{"f:3: port stands here a second time, first on line 1"}},
		{"twice in JSON", "{\"port\": 1,\n\"port\": 1}", []string{"f:2: port stands here a second time, first on line 1"}},
		{"every type", "enabled: yes\nexternal_cache: null\nport: \"3780\"\nsend_buffer: \"65536\"\nreceive_buffer: 1.5\n" +
			"interface: 5\ncurrent_ip: []\npeer_ip: {}\nconfig: true\n", []string{
			"f:1: enabled is a text; write true, false, or null",
			"f:2: external_cache has no value; write true or false",
			"f:3: port is a text; write a whole number without quotes, such as 3780",
			"f:4: send_buffer is a text; write the bytes as a whole number",
			"f:5: receive_buffer is a number in another form; write",
			"f:6: interface is a whole number; write a text",
			"f:7: current_ip is a list; write a text",
			"f:8: peer_ip is a table; write a text",
			"f:9: config is true or false; write a text",
		}},
		{"every type in JSON", `{"enabled": 1, "external_cache": "on", "port": null, "send_buffer": 0x10}`, []string{
			"f:1: enabled is a whole number", "f:1: external_cache is a text", "f:1: port has no value", "f:1: send_buffer is a number in another form",
		}},
		{"octal", "port: 0017\n", []string{"f:1: port is a number in another form"}},
		{"values", "enabled: true\ninterface: lo\ncurrent_ip: 10.0.0.0/24\npeer_ip: \"\"\nport: 70000\nsend_buffer: 3Q\nreceive_buffer: -1\n", []string{
			`f:2: interface: "lo" is the loopback interface`, "f:3: current_ip: 10.0.0.0/24 is the network address", "f:4: peer_ip: the peer's address on the sync link is not given",
			`f:5: port: port "70000" is above 65535`, "f:6: send_buffer: ", "f:7: receive_buffer: ",
		}},
		{"control characters", "\"\\e[2J\": 1\n", []string{`f:1: no setting is called "\x1b[2J"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, said, dir := applyFrom(t, test.content)
			want := exitUsage
			if test.name == "values" {
				want = exitRefused // the file is one of settings, and they break the rules
			}
			if status != want {
				t.Errorf("exit status %d, want %d", status, want)
			}
			lines := strings.Split(strings.TrimSpace(said), "\n")
			if len(lines) != len(test.want) {
				t.Errorf("%d lines, want %d:\n%s", len(lines), len(test.want), said)
			}
			for i, want := range test.want {
				if i < len(lines) && !strings.HasPrefix(lines[i], "connsync: "+want) {
					t.Errorf("line %d: %s\nwant %s", i+1, lines[i], want)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "conf")); err == nil {
				t.Error("a file was written")
			}
		})
	}
}

// applyFrom applies the content of a file, which the messages call f.
func applyFrom(t *testing.T, content string) (status int, said, dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, complaints bytes.Buffer
	status = run([]string{
		"apply", "--from", path, "--service", "none", "--dry-run", "--json", "--config", filepath.Join(dir, "conf"),
		"--state-dir", filepath.Join(dir, "state"), "--runtime-dir", filepath.Join(dir, "run"),
	}, streams{in: os.Stdin, out: &out, err: &complaints})
	return status, strings.ReplaceAll(complaints.String(), path, "f"), dir
}
