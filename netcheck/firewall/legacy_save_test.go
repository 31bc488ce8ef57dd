package firewall

import (
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
	_, err := saveTable(t.Context(), []string{filepath.Join(dir, "tables-save")}, "filter")
	if err == nil || !strings.Contains(err.Error(), "tables-save: exit status 4: Fatal: could not lock the table") {
		t.Error(err)
	}
}
