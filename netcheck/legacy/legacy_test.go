package legacy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the program complained of is in the error.
func TestLegacyTableSaysWhyItCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'Fatal: could not lock\n the table' >&2\nexit 4\n"
	if err := os.WriteFile(filepath.Join(dir, "tables-save"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := save(t.Context(), []string{filepath.Join(dir, "tables-save")}, "filter")
	if err == nil || !strings.Contains(err.Error(), "tables-save: exit status 4: Fatal: could not lock the table") {
		t.Error(err)
	}
}

// What the older tables of bridges do is not known where they have rules, or cannot be
// read, and nothing where they have none.
func TestLegacyTablesOfBridges(t *testing.T) {
	dir := t.TempDir()
	program, modules := filepath.Join(dir, "ebtables-legacy"), filepath.Join(dir, "module")
	const empty = "Bridge table: filter\n\nBridge chain: INPUT, entries: 0, policy: ACCEPT\n"
	for _, tt := range []struct {
		prints, exits, loaded, want string
	}{
		{empty, "0", "ebtable_filter", ""},
		{"", "0", "ebtables", ""},
		{empty + "-p IPv4 -j DROP\n", "0", "ebtable_filter", "rules of ebtables are not followed"},
		{strings.ReplaceAll(empty, "ACCEPT", "DROP"), "0", "ebtable_nat", "rules of ebtables are not followed"},
		{empty, "1", "ebtable_broute", "exit status 1"},
	} {
		script := "#!/bin/sh\ncat <<'EOF'\n" + tt.prints + "EOF\nexit " + tt.exits + "\n"
		if err := errors.Join(os.RemoveAll(modules), os.MkdirAll(filepath.Join(modules, tt.loaded), 0o755), os.WriteFile(program, []byte(script), 0o755)); err != nil {
			t.Fatal(err)
		}
		tables, got := ReadBridges(t.Context(), program, modules), ""
		for _, table := range tables {
			got = table.Err.Error()
		}
		if got != tt.want || got != "" && len(tables) != 1 {
			t.Errorf("%s: %d tables, %q, want %q", tt.loaded, len(tables), got, tt.want)
		}
	}
}

// The same of the older tables of ARP, which are those that the kernel names.
func TestLegacyTablesOfARP(t *testing.T) {
	dir := t.TempDir()
	program, names := filepath.Join(dir, "arptables-legacy"), filepath.Join(dir, "names")
	if tables := ReadARP(t.Context(), program, names); len(tables) != 0 {
		t.Errorf("without the file: %v", tables)
	}
	const empty = "Chain INPUT (policy ACCEPT)\n\nChain OUTPUT (policy ACCEPT)\n"
	for _, tt := range []struct {
		prints, exits, named, want string
	}{
		{empty, "0", "", ""},
		{empty, "0", "filter\n", ""},
		{empty + "-j DROP -s 10.9.0.2\n", "0", "filter\n", "rules of arptables are not followed"},
		{strings.Replace(empty, "ACCEPT", "DROP", 1), "0", "filter\n", "rules of arptables are not followed"},
		{empty, "1", "filter\n", "exit status 1"},
	} {
		script := "#!/bin/sh\ncat <<'EOF'\n" + tt.prints + "EOF\nexit " + tt.exits + "\n"
		if err := errors.Join(os.WriteFile(names, []byte(tt.named), 0o644), os.WriteFile(program, []byte(script), 0o755)); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, table := range ReadARP(t.Context(), program, names) {
			got = table.Err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: %q, want %q", tt.prints, got, tt.want)
		}
	}
}
