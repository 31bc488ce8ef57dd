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
		{"comments only", "# nothing\n", []string{"f:1: no settings here"}},
		{"a list", "\n- port: 1\n", []string{"f:2: no settings here"}},
		{"a JSON list", `[{"port": 1}]`, []string{"f:1: no settings here"}},
		{"a word", "port", []string{"f:1: no settings here"}},
		{"YAML syntax", "port: 1\n interface: x\n", []string{"f:2: invalid YAML or JSON: mapping values are not allowed"}},
		{"JSON syntax", "{\"port\": 1,\n\"enabled\": tr ue]\n", []string{"f:2: invalid JSON: invalid character ' ' in literal true"}},
		{"no UTF-8", "port: \xff\n", []string{"f:1: invalid YAML or JSON: invalid leading UTF-8 octet"}},
		{"two documents", "port: 1\n---\nport: 2\n", []string{"f:2: a second document begins here"}},
		{"merged", "<<: {port: 1}\n", []string{"f:1: the name of a setting is expected here; anchors and merged tables are not read"}},
		{"alias", "port: &p 1\nsend_buffer: *p\n", []string{"f:2: send_buffer must be a number of bytes without quotes, such as 65536, or with a unit, such as 128K; it is of an unsupported type"}},
		{"unknown", "port: 1\nprot: 2\n", []string{`f:2: unknown setting "prot"; known settings: enabled, interface,`}},
		{"a refusal of show", `{"error": "no"}`, []string{`f:1: it contains no settings, but an error of show --json: no`}},
		{"unknown in JSON", "{\n\"port\": 1,\n\"Port\": 2}", []string{`f:3: unknown setting "Port"`}},
		{"twice", "port: 1\ninterface: eth1\nport: 1\n", []string{"f:3: port is a duplicate of line 1"}},
		{"twice in JSON", "{\"port\": 1,\n\"port\": 1}", []string{"f:2: port is a duplicate of line 1"}},
		{"every type", "enabled: yes\nexternal_cache: null\nport: \"3780\"\nsend_buffer: \"65536\"\nreceive_buffer: 1.5\n" +
			"interface: 5\ncurrent_ip: []\npeer_ip: {}\nconfig: true\n", []string{
			"f:1: enabled must be true, false or null; it is text",
			"f:2: external_cache must be true or false; it is null",
			"f:3: port must be a whole number without quotes, such as 3780; it is text",
			"f:4: send_buffer must be a number of bytes without quotes, such as 65536, or with a unit, such as 128K; it is text",
			"f:5: receive_buffer must be a number of bytes without quotes, such as 65536, or with a unit, such as 128K; it is a number in another notation",
			"f:6: interface must be text, in quotes where it could be read as another type; it is a whole number",
			"f:7: current_ip must be text, in quotes where it could be read as another type; it is a list",
			"f:8: peer_ip must be text, in quotes where it could be read as another type; it is a table",
			"f:9: config must be text, in quotes where it could be read as another type; it is true or false",
		}},
		{"every type in JSON", `{"enabled": 1, "external_cache": "on", "port": null, "send_buffer": 0x10}`, []string{
			"f:1: enabled must be true, false or null; it is a whole number", "f:1: external_cache must be true or false; it is text", "f:1: port must be a whole number without quotes, such as 3780; it is null", "f:1: send_buffer must be a number of bytes without quotes, such as 65536, or with a unit, such as 128K; it is a number in another notation",
		}},
		{"octal", "port: 0017\n", []string{"f:1: port must be a whole number without quotes, such as 3780; it is a number in another notation"}},
		{"values", "enabled: true\ninterface: lo\ncurrent_ip: 10.0.0.0/24\npeer_ip: \"\"\nport: 70000\nsend_buffer: 3Q\nreceive_buffer: -1\n", []string{
			`f:2: interface: "lo" is the loopback interface`, "f:3: current_ip: 10.0.0.0/24 is the network address", "f:4: peer_ip: the peer's address on the sync link is not given",
			`f:5: port: port "70000" is above 65535`, "f:6: send_buffer: ", "f:7: receive_buffer: ",
		}},
		{"control characters", "\"\\e[2J\": 1\n", []string{`f:1: unknown setting "\x1b[2J"`}},
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
