package apply

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzHistory holds that whatever stands in the files of a save, the history is
// listed, each entry with the record that it was read from, and the save is shown,
// forgotten or refused.
func FuzzHistory(f *testing.F) {
	for _, s := range []string{"", "{", "{}", `{"number":7}`, `{"number":7,"outcome":"pending","path":"/x"}`, `{"number":8}`,
		`{"number":7,"time":"2026-01-02T03:04:05Z","outcome":"saved","before":"none","after":"none"}`, `{"number":1e99}`, "null", "[]"} {
		f.Add([]byte(s), []byte("old\n"), "000007.before")
	}
	f.Add([]byte("{}"), []byte{}, "9223372036854775807.json")
	f.Add([]byte("{}"), []byte("{}"), "000012.json")
	f.Fuzz(func(t *testing.T, record, content []byte, name string) {
		state := t.TempDir()
		dir := filepath.Join(state, "history")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "000007.json"), record, 0o600); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(name) == name && name != "." && name != ".." {
			_ = os.WriteFile(filepath.Join(dir, name), content, 0o600) // a name that cannot be is none
		}
		h := OpenHistory(state)
		entries, err := h.Entries()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Number < 1 || e.Number > maxNumber {
				t.Errorf("save %d", e.Number)
			}
			if _, err := os.Lstat(h.file(e.Number, recordKind)); err != nil {
				t.Errorf("save %d has no record: %v", e.Number, err)
			}
			_, _ = h.Entry(e.Number)
			_, _ = h.Change(e)
			_, _ = h.PlanRemoval(e.Number)
			e.InForce()
		}
		if _, err := h.Ignored(); err != nil {
			t.Error(err)
		}
	})
}
