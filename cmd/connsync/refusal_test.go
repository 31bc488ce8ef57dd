package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"connsync/conntrackd"
)

// What a command with --json is refused for is printed in the shape that its schema has,
// with each of the flags that ask for another one, also where those stand behind what is
// wrong.
func TestRefusalsFitTheirSchemas(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.conf")
	if err := os.WriteFile(broken, []byte("Banana {\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := []string{"--service", "none", "--config", broken, "--state-dir", filepath.Join(dir, "state"), "--runtime-dir", filepath.Join(dir, "run")}
	refuse := func(shape string, args ...string) {
		t.Helper()
		var out, said bytes.Buffer
		status := run(args, streams{out: &out, err: &said})
		switch {
		case status == exitDone:
			t.Errorf("%q is not refused", args)
		case out.Len() == 0:
			t.Errorf("%q prints no JSON: %s", args, said.String())
		default:
			if err := fits(shape, out.String()); err != nil {
				t.Errorf("%q: %v\n%s", args, err, out.String())
			}
		}
	}
	for _, cmd := range newRoot(streams{}, conntrackd.NewSettingTable()).Commands() {
		if cmd.Flags().Lookup("json") == nil {
			continue
		}
		for flag, shape := range shapes[cmd.Name()] {
			asked := []string{cmd.Name(), "--json"}
			if flag == "watch" {
				shape = "error" // each of its lines that is none is a look
			}
			if flag != "" {
				asked = append(asked, "--"+flag)
				if cmd.Flags().Lookup(flag).NoOptDefVal == "" {
					asked = append(asked, "7")
				}
			}
			refuse(shape, append(slices.Clone(asked), "--frobnicate")...)
			refuse(shape, append([]string{cmd.Name(), "--frobnicate"}, asked[1:]...)...)
		}
	}
	for _, test := range []struct {
		shape string
		args  []string
	}{
		{"review", []string{"rollback", "--dry-run", "--json", "99"}},
		{"review", []string{"rollback", "--dry-run", "--json=true", "x"}},
		{"apply", []string{"rollback", "--json", "99"}},
		{"apply", []string{"rollback", "--json", "--dry-run=false", "99"}},
		{"review", []string{"apply", "--dry-run", "--json", "--port", "70000"}},
		{"apply", []string{"apply", "--json", "--port", "70000"}},
		{"check", []string{"check", "--json"}},
		{"show", []string{"show", "--json"}},
		{"peer", []string{"peer", "--json"}},
		{"status", []string{"status", "--json"}},
		{"status", []string{"status", "--format", "json"}},
		{"status", []string{"status", "--format=json"}},
		{"status", []string{"status", "--frobnicate", "--format", "json"}},
		{"status", []string{"status", "--frobnicate", "--format=json"}},
		{"coverage", []string{"coverage", "--json"}},
		{"failover", []string{"failover", "primary", "--json", "--json-is-wrong"}},
		{"history-diff", []string{"history", "--json", "--diff", "99"}},
		{"history-forget", []string{"history", "--json", "--yes", "--forget", "99"}},
	} {
		refuse(test.shape, append(test.args, elsewhere...)...)
	}
}
