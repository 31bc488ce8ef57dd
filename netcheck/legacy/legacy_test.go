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
